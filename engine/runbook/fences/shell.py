"""Running an operator's command: bounded in time and output, and never left running."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress

from engine.errors import CcrError
from engine.printable import printable

MOST_OUTPUT = 16 * 1024  # bytes: the last ones are kept, where errors are told
GRACE_S = 3.0  # between SIGTERM and SIGKILL
_READ_ON_S = 1.0  # what a command leaves running on purpose may keep its output open
_STDIN, _STDOUT = 0, 1
_CUT = "… (cut)\n"


class _Running(asyncio.SubprocessProtocol):
    """A command at work, and the end of what it prints."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.silent: asyncio.Future[None] = loop.create_future()
        self._kept = bytearray()
        self._cut = False

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep the end."""
        self._kept += data
        if len(self._kept) > MOST_OUTPUT:
            del self._kept[:-MOST_OUTPUT]
            self._cut = True

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Note when nothing more can come; its input it need not read."""
        if fd == _STDOUT and not self.silent.done():
            self.silent.set_result(None)

    def process_exited(self) -> None:
        """Note it."""
        if not self.exited.done():
            self.exited.set_result(None)

    @property
    def output(self) -> str:
        """The end of what it printed."""
        return _CUT * self._cut + printable(self._kept.decode(errors="replace"))


async def run_command(
    operation: str, command: str, environment: Mapping[str, str], stdin: str, timeout_s: float
) -> str:
    """Run a command with /bin/sh; return what it printed, both outputs in one.

    `environment` is added to our own; `stdin` is what it may read. Raises CcrError when it cannot
    be started, ends with another status than 0, or takes longer than `timeout_s`: then it is killed
    with all that it started, as it is when the caller is cancelled.
    """
    try:
        transport, running = await asyncio.get_running_loop().subprocess_exec(
            _Running, "/bin/sh", "-c", command,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise CcrError(operation, "", f"/bin/sh cannot be started: {error}") from error
    try:
        _feed(transport, stdin)
        await asyncio.wait([running.exited], timeout=timeout_s)
        if not running.exited.done():
            late = f"it did not end within {timeout_s:g} s and was killed"
            raise _failed(operation, late, running)
        await asyncio.wait([running.silent], timeout=_READ_ON_S)
    finally:
        if not running.exited.done():
            await _kill(transport.get_pid(), running)
        transport.close()
    if status := transport.get_returncode():
        raise _failed(operation, _status(status), running)
    return running.output


def _feed(transport: asyncio.SubprocessTransport, text: str) -> None:
    pipe = transport.get_pipe_transport(_STDIN)
    if isinstance(pipe, asyncio.WriteTransport):
        pipe.write(text.encode())
        pipe.close()  # once it is written


async def _kill(group: int, running: _Running) -> None:
    """End the command and all that it started: it leads a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        await asyncio.wait([running.exited], timeout=GRACE_S)
        os.killpg(group, signal.SIGKILL)
        await asyncio.wait([running.exited], timeout=GRACE_S)


def _status(status: int) -> str:
    if status < 0:
        return f"it was ended by {signal.Signals(-status).name}"
    return f"it ended with status {status}"


def _failed(operation: str, cause: str, running: _Running) -> CcrError:
    said = running.output.strip().splitlines()
    words = f"{cause}; its last line: {said[-1]}" if said else f"{cause}; it printed nothing"
    return CcrError(operation, "", words, "Run it by hand to see why")
