"""The service's log: one line an event, for people or as JSON, and always to a rotating file."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.api.snapshots import Event
from engine.printable import printable
from engine.service.event_file import events_handler
from engine.service.log_writing import LogFile, Narrator, Quieten, ToWriters, Writer, is_noisy

FLUSH_TIMEOUT_S = 2.0
_FIELDS = "ccr_fields"


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
        return f"{_timestamp(record)} {record.levelname:<7} {printable(text)}"


class ServiceLog:
    """Sets up logging for the process; a context manager that writes out what is left."""

    def __init__(
        self,
        path: Path,
        log_format: LogFormat,
        *,
        narrate: bool = True,
        owns_stderr: bool = False,
        events: Path | None = None,
    ) -> None:
        """Prepare; with `narrate` off (a child of the console) lines go to the file alone.

        `events` is the file that keeps the engine's events.
        """
        self.path: Path | None = path
        self.stuck = False
        self._missing: list[tuple[str, str]] = []  # what has no file, and why
        handlers: list[logging.Handler] = [_narrator(log_format)] if narrate else []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = LogFile(path, owns_stderr=owns_stderr)
        except OSError as error:
            self.path = None
            self._missing.append(("there is no log file", f"{path}: {error.strerror or error}"))
        else:
            file.setFormatter(HumanFormatter())
            handlers.append(file)
        if events is not None:
            try:
                handlers.append(events_handler(events))
            except OSError as error:
                why = f"{events}: {error.strerror or error}"
                self._missing.append(("events are not kept over restarts", why))
        self._writers = [Writer(handler) for handler in handlers]
        self._handler = ToWriters(self._writers)
        self._handler.addFilter(Quieten())

    def __enter__(self) -> Self:
        """Take over the root logger."""
        root = logging.getLogger()
        root.setLevel(logging.INFO)
        root.addHandler(self._handler)
        for what, why in self._missing:
            logging.getLogger(__name__).warning(
                "%s: %s", what, why, extra=fields("service.no_log_file")
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
        """Write what is queued, FLUSH_TIMEOUT_S each at most: a reader may have stopped reading.

        `stuck` is true afterwards when that was not enough; the process then has to end without
        the interpreter's own clean-up, which would wait for that reader.
        """
        logging.getLogger().removeHandler(self._handler)
        finished = [writer.close(FLUSH_TIMEOUT_S) for writer in self._writers]
        self.stuck = not all(finished)


def _narrator(log_format: LogFormat) -> logging.Handler:
    json_lines = log_format is LogFormat.JSON
    handler = Narrator(sys.stdout if json_lines else sys.stderr)
    handler.setFormatter(JsonFormatter() if json_lines else HumanFormatter())
    handler.addFilter(lambda record: not is_noisy(record))
    return handler
