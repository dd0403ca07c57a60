"""Events on disk: what happened at one o'clock is known at three, whoever was started meanwhile.

One JSON object a line, in files that rotate as the log does (engine.service.log_writing): written
in a thread, so that no disk holds up replication.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from engine.api.snapshots import Event
from engine.kept.events import EVENT, read_event
from engine.service.log_writing import LogFile

log = logging.getLogger(__name__)

TAIL_BYTES = 2 * 1024 * 1024
"""Read at the start: some thousand events."""


class _EventLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Write the event that the record tells."""
        event: Event = record.ccr_event  # type: ignore[attr-defined]
        return EVENT.dump_json(event).decode()


def events_handler(path: Path) -> logging.Handler:
    """Return a handler that keeps the engine's events; raises OSError when it cannot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = LogFile(path, owns_stderr=False)
    handler.setFormatter(_EventLine())
    handler.addFilter(lambda record: hasattr(record, "ccr_event"))
    return handler


def read_events(path: Path, most: int) -> list[Event]:
    """Return the newest events that were kept, oldest first; blocks.

    A line that was cut off by a crash is passed over, and so is a file that is not there.
    """
    found: list[Event] = []
    for file in (path, path.with_name(f"{path.name}.1")):
        if len(found) < most:
            found = _events_in(file) + found
    return found[-most:]


def _events_in(file: Path) -> list[Event]:
    try:
        with file.open("rb") as lines:
            size = lines.seek(0, os.SEEK_END)
            lines.seek(max(0, size - TAIL_BYTES))
            if size > TAIL_BYTES:
                lines.readline()  # the rest of a line
            content = lines.read()
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("events of %s cannot be read: %s", file, error.strerror or error)
        return []
    return [event for line in content.splitlines() if (event := read_event(line)) is not None]
