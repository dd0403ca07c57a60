"""Ending in two stages: the first signal drains, the second ends now."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable

from engine.service.logs import fields

LOG = logging.getLogger(__name__)
READ_BYTES = 4096


class Shutdown:
    """What asks the process to end. Belongs to one running loop."""

    def __init__(
        self, end_now: Callable[[], None], reload: Callable[[], None] | None = None
    ) -> None:
        """`reload`: what SIGHUP asks for, unless the terminal has gone; without it, an end."""
        self.requested = asyncio.Event()
        self.cause = ""
        self._end_now = end_now
        self._reload = reload
        self._has_terminal = has_terminal()

    def listen_to_signals(self) -> None:
        """Take SIGTERM, SIGINT and, unless it is ignored (nohup), SIGHUP."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, self._hung_up)

    def _hung_up(self) -> None:
        """Tell the two uses of SIGHUP apart: the terminal was closed, or a reload is asked for."""
        terminal_gone = self._has_terminal and not has_terminal()
        if self._reload is None or terminal_gone:
            self._signalled(signal.SIGHUP)
        else:
            self._reload()

    def _signalled(self, number: signal.Signals) -> None:
        """Ask for an end at the first signal; end at the second, whatever goes on."""
        if self.requested.is_set():
            LOG.warning("%s: ending now", number.name, extra=fields("service.ending_now"))
            self._end_now()
        else:
            self.request(number.name)

    def request(self, cause: str) -> None:
        """Ask for a drain and an end; asking again changes nothing."""
        if not self.requested.is_set():
            self.cause = cause
            self.requested.set()

    async def watch_parent(self) -> None:
        """Ask for an end when standard input closes: the parent has closed it, or is dead."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while await reader.read(READ_BYTES):
            pass
        self.request("the console has gone")


def has_terminal() -> bool:
    """Whether this process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
