"""Where log lines go, and that no reader and no disk holds up whoever writes them."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

QUEUE_LINES = 10_000
FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 5
REPEAT_AFTER_S = 60.0
# They tell the same failures over and over; the engine's own events say them once, in a sentence.
_NOISY = ("aiokafka", "aiohttp", "asyncio")


class Narrator(logging.StreamHandler[TextIO]):
    """Writes to a standard stream, and gives it up when its reader has gone."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._gone = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write unless the reader has gone."""
        if not self._gone:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        """Replication goes on without a reader, and the log file keeps everything."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)
            return
        self._gone = True
        # What is left in the stream's buffer would fail again, loudly, when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)


class LogFile(logging.handlers.RotatingFileHandler):
    """The rotating file, mode 0600. As a child's log it also takes over standard error."""

    def __init__(self, path: Path, *, owns_stderr: bool) -> None:
        self._owns_stderr = owns_stderr
        self._failed = False
        super().__init__(
            path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", errors="replace"
        )

    def _open(self) -> Any:
        stream = super()._open()
        Path(self.baseFilename).chmod(0o600)
        if self._owns_stderr:
            # Whatever the interpreter says in a crash must follow the file through its rotation.
            os.dup2(stream.fileno(), 2)
        return stream

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        """A full disk is told once, not with every line."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._failed:
            self._failed = True
            with contextlib.suppress(OSError):
                cause = error.strerror or error
                line = f"ccr: the log {self.baseFilename} cannot be written: {cause}"
                print(line, file=sys.stderr, flush=True)


class Quieten(logging.Filter):
    """Lets a noisy library say the same thing once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass everything but repeats of a noisy logger."""
        if not is_noisy(record):
            return True
        key, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._last.get(key, -REPEAT_AFTER_S) < REPEAT_AFTER_S:
            return False
        if len(self._last) > 1000:
            self._last.clear()
        self._last[key] = now
        return True


def is_noisy(record: logging.LogRecord) -> bool:
    """Whether a line comes from a library that is not left to speak to people."""
    return record.name.partition(".")[0] in _NOISY


class Writer:
    """Writes to one handler, in a thread of its own.

    When that falls behind by QUEUE_LINES, lines are dropped; how many is told in their place.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._queue: queue.Queue[logging.LogRecord | None] = queue.Queue(QUEUE_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def put(self, record: logging.LogRecord) -> None:
        """Queue a line; never waits."""
        try:
            if self._dropped:
                self._queue.put_nowait(_dropped_lines(self._dropped))
                self._dropped = 0
            self._queue.put_nowait(record)
        except queue.Full:
            self._dropped += 1

    def close(self, timeout: float) -> bool:
        """Write what is queued, within `timeout` seconds; returns whether that was enough."""
        deadline = time.monotonic() + timeout
        try:
            if self._dropped:
                self._queue.put(_dropped_lines(self._dropped), timeout=timeout)
            self._queue.put(None, timeout=max(0.0, deadline - time.monotonic()))
        except queue.Full:
            return False
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _write(self) -> None:
        while (record := self._queue.get()) is not None:
            self._handler.handle(record)


def _dropped_lines(lines: int) -> logging.LogRecord:
    text = f"{lines} lines are missing here: they could not be written fast enough"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)


class ToWriters(logging.handlers.QueueHandler):
    """Hands every line to every writer, as text: what it is about may change meanwhile."""

    def __init__(self, writers: list[Writer]) -> None:
        super().__init__(queue.SimpleQueue())
        self._writers = writers

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue the line."""
        for writer in self._writers:
            writer.put(record)
