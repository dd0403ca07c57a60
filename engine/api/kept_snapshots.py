"""What an engine has on disk of its past: lines of its log, and events that left its memory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.api.snapshots import Event

MOST_AT_ONCE = 1000
"""Records or events that one answer may have."""


class LogLevel(StrEnum):
    """How serious a record is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    STDERR = "stderr"  # no record: what the interpreter or a library wrote past the log


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record of the log, with its traceback where it has one."""

    place: str  # where it begins; the same after a rotation
    at: float | None  # seconds since the epoch; None of what is no record
    level: LogLevel
    text: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Records that follow each other."""

    path: str  # of the file that is written now
    records: tuple[LogRecord, ...]  # oldest first
    start: str  # to ask for what is before; empty: there is nothing in the log
    end: str  # to ask for what is after
    older: bool  # whether there is something before
    newer: bool = False  # whether there is something after, already
    lost: bool = False  # the place that was asked from is gone: rotated away, or emptied


@dataclass(frozen=True, slots=True)
class EventsPage:
    """Events of the past."""

    events: tuple[Event, ...]  # oldest first
    place: str  # to ask for what is before
    older: bool  # whether there may be something before
