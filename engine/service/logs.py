"""The service's log: one line an event, for people or as JSON, and always to a rotating file.

Lines are written by a thread: a reader of standard output that stops reading (or a slow disk) must
not stop replication. When it falls behind by more than QUEUE_LINES, lines are dropped and counted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
import queue
import sys
import threading
import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from engine.api.snapshots import Event

QUEUE_LINES = 10_000
FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 5
FLUSH_TIMEOUT_S = 2.0
REPEAT_AFTER_S = 60.0
_FIELDS = "ccr_fields"
# They tell the same failures over and over; the engine's own events say them once, in a sentence.
_NOISY = ("aiokafka", "aiohttp", "asyncio")


class LogFormat(StrEnum):
    """How the service narrates."""

    HUMAN = "human"  # to standard error
    JSON = "json"  # to standard output


def fields(event: str, **values: Any) -> dict[str, Any]:
    """Make the `extra` of a log call: the event's name and the fields of its JSON line."""
    return {_FIELDS: {"event": event, **values}}


def _event_of(record: logging.LogRecord) -> Event | None:
    """Return the engine's event that the record tells, if it is one (engine.replication.events)."""
    event: Event | None = getattr(record, "ccr_event", None)
    return event


def _fields_of(record: logging.LogRecord) -> dict[str, Any]:
    event = _event_of(record)
    if event is not None:
        return {
            "event": "engine",
            "id": event.id,
            "subject": event.subject,
            "text": event.text,
            "next_step": event.next_step,
        }
    own: dict[str, Any] = getattr(record, _FIELDS, None) or {"event": "log", "logger": record.name}
    return {**own, "text": record.getMessage()}


def _timestamp(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts, level, event, then the event's own fields, and text."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; the fields are those documented in docs/cli.md."""
        line = {
            "ts": _timestamp(record),
            "level": record.levelname.lower(),
            **_fields_of(record),
        }
        return json.dumps(line, ensure_ascii=False, default=str)


class HumanFormatter(logging.Formatter):
    """Time in UTC, level, text."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as one line (a traceback makes it more)."""
        text, event = record.getMessage(), _event_of(record)
        if event is not None and event.next_step:
            text = f"{text.rstrip('.')}. {event.next_step}"
        return f"{_timestamp(record)} {record.levelname:<7} {text}"


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
        if not _is_noisy(record):
            return True
        key, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._last.get(key, -REPEAT_AFTER_S) < REPEAT_AFTER_S:
            return False
        if len(self._last) > 1000:
            self._last.clear()
        self._last[key] = now
        return True


def _is_noisy(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _NOISY


class _Dropping(logging.handlers.QueueHandler):
    """Hands lines to the writing thread, and counts those it cannot take."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class ServiceLog:
    """Sets up logging for the process; a context manager that writes out what is left."""

    def __init__(
        self, path: Path, log_format: LogFormat, *, narrate: bool = True, owns_stderr: bool = False
    ) -> None:
        """Prepare; with `narrate` off (a child of the console) lines go to the file alone."""
        self.path: Path | None = path
        self.file_error = ""
        self.stuck = False
        self._handlers: list[logging.Handler] = []
        if narrate:
            self._handlers.append(_narrator(log_format))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = LogFile(path, owns_stderr=owns_stderr)
        except OSError as error:
            self.path, self.file_error = None, f"{path}: {error.strerror or error}"
        else:
            file.setFormatter(HumanFormatter())
            self._handlers.append(file)
        self._queue: queue.Queue[logging.LogRecord | None] = queue.Queue(QUEUE_LINES)
        self._handler = _Dropping(self._queue)
        self._writer = threading.Thread(target=self._write, name="log", daemon=True)

    def __enter__(self) -> Self:
        """Take over the root logger."""
        self._handler.addFilter(Quieten())
        root = logging.getLogger()
        root.setLevel(logging.INFO)
        root.addHandler(self._handler)
        self._writer.start()
        if self.file_error:
            logging.getLogger(__name__).warning(
                "there is no log file: %s", self.file_error, extra=fields("service.no_log_file")
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Write what is queued, for FLUSH_TIMEOUT_S at most: a reader may have stopped reading.

        `stuck` is true afterwards when that was not enough; the process then has to end without
        the interpreter's own clean-up, which would wait for that reader.
        """
        if self._handler.dropped:
            logging.getLogger(__name__).warning(
                "%d log lines were dropped: they could not be written fast enough",
                self._handler.dropped,
                extra=fields("service.log_dropped", lines=self._handler.dropped),
            )
        logging.getLogger().removeHandler(self._handler)
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        try:
            self._queue.put(None, timeout=FLUSH_TIMEOUT_S)
        except queue.Full:
            self.stuck = True
        else:
            self._writer.join(max(0.0, deadline - time.monotonic()))
            self.stuck = self._writer.is_alive()

    def _write(self) -> None:
        """Write lines, in a thread of its own, until told that there are no more."""
        while (record := self._queue.get()) is not None:
            for handler in self._handlers:
                handler.handle(record)


def _narrator(log_format: LogFormat) -> logging.Handler:
    json_lines = log_format is LogFormat.JSON
    handler = Narrator(sys.stdout if json_lines else sys.stderr)
    handler.setFormatter(JsonFormatter() if json_lines else HumanFormatter())
    handler.addFilter(lambda record: not _is_noisy(record))
    return handler
