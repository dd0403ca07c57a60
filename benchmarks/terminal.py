"""A terminal on a line that can be made slow: counts what the console writes, and sees it late."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
_CHUNK = 256  # bytes the line hands on at once: a packet of an interactive session, about


class Terminal:
    """One program on a pseudo-terminal, read by a line of so many bytes a second and such a delay.

    Like ssh's, the line takes from the program only what it can hand on, so that a program that
    writes too much is held up.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = list(command)
        self._size = size
        self._environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self._environment.update(environment or {})
        self.bytes_per_second = float("inf")
        self.delay = 0.0
        """Seconds, each way."""
        self.written = 0
        """Bytes the program wrote, in all."""
        self._shown = bytearray()  # what has arrived at the operator's end
        self._news = threading.Condition()
        self._ends = threading.Event()

    def __enter__(self) -> Self:
        self._controller, terminal = pty.openpty()
        columns, lines = self._size
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            self._command,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env=self._environment,
        )
        os.close(terminal)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Read on until it has ended: a program that cannot write cannot end either.
        self.bytes_per_second, self.delay = float("inf"), 0.0
        self.process.terminate()
        self.process.wait(60)
        self._ends.set()
        self._reader.join(5)
        os.close(self._controller)

    def press(self, keys: str) -> int:
        """Press keys; return where, in what is shown, their effect can begin."""
        time.sleep(self.delay)
        with self._news:
            place = len(self._shown)
        os.write(self._controller, keys.encode())
        return place

    def seconds_until(self, text: str, since: int, within: float = 60.0) -> float:
        """Wait until a text is shown after a place; return how long that took."""
        began = time.monotonic()
        with self._news:
            while text.encode() not in _COLOURS.sub(b"", self._shown[since:]):
                left = began + within - time.monotonic()
                if left <= 0 or self.process.poll() is not None:
                    raise SystemExit(f"{text!r} was never shown: {self._shown[-2000:]!r}")
                self._news.wait(min(left, 0.5))
        return time.monotonic() - began

    def _read(self) -> None:
        free_at = time.monotonic()
        while not self._ends.is_set():
            if not select.select([self._controller], [], [], 0.2)[0]:
                continue
            unlimited = self.bytes_per_second == float("inf")
            try:
                data = os.read(self._controller, 65_536 if unlimited else _CHUNK)
            except OSError:
                return  # the program has ended
            self.written += len(data)
            free_at = max(free_at, time.monotonic()) + len(data) / self.bytes_per_second
            time.sleep(max(0.0, free_at - time.monotonic()))
            if self.delay:
                threading.Timer(self.delay, self._arrive, [data]).start()
            else:
                self._arrive(data)

    def _arrive(self, data: bytes) -> None:
        with self._news:
            self._shown += data
            self._news.notify_all()
