"""A scripted engine's log and past events."""

from __future__ import annotations

from collections.abc import Iterable

from engine.api.kept_snapshots import EventsPage, LogLevel, LogPage, LogRecord
from engine.api.snapshots import Event
from engine.errors import CcrError

PATH = "/root/.local/state/ccr/log/orders-0123456789ab.log"
REFUSED = (
    "stopped: the target refused a batch: RECORD_TOO_LARGE, 1,203,441 bytes at source offset "
    "1,002,113. Raise max.message.bytes of orders.eu on dr, then retry the partition"
)
TRACEBACK = """answering GET /v1/snapshot failed
Traceback (most recent call last):
  File "/opt/ccr/engine/service/control.py", line 164, in _guard
    return await handler(request)
KeyError: 'orders'"""


def small_log(now: float) -> list[tuple[float | None, LogLevel, str]]:
    """A handful of every level."""
    return [
        (now - 900, LogLevel.INFO, "ccr 0.1.0 runs /etc/ccr/orders.yaml (pid 4711)"),
        (now - 899, LogLevel.INFO, "primary-to-dr: claimed as generation 7"),
        (
            now - 312,
            LogLevel.ERROR,
            f"primary-to-dr/orders.eu/1: {REFUSED}",
        ),
        (None, LogLevel.STDERR, "Exception ignored in: <Task pending name=Task-9>"),
        (now - 100, LogLevel.ERROR, TRACEBACK),
        (now - 4, LogLevel.WARNING, "dr: broker 2 does not answer. It is tried again by itself."),
        (now - 1, LogLevel.INFO, "primary-to-dr: 48,123 records/s, 1,204 behind"),
    ]


class ScriptedKept:
    """Places are `FILE:INDEX`; to empty the log is to begin another file."""

    def __init__(self) -> None:
        self.file = 0
        self.records: list[LogRecord] = []
        self.past: list[Event] = []
        self.error: CcrError | None = None

    def write(self, said: Iterable[tuple[float | None, LogLevel, str]]) -> None:
        for at, level, text in said:
            self.records.append(LogRecord(self._place(len(self.records)), at, level, text))

    def empty(self) -> None:
        self.file += 1
        self.records = []

    def page(self, before: str, after: str, limit: int) -> LogPage:
        asked = before or after
        if asked and asked.partition(":")[0] != str(self.file):
            if before:
                return LogPage(PATH, (), before, before, older=False, lost=True)
            page = self._pages(0, len(self.records), limit, newest=True)
            return LogPage(PATH, page.records, page.start, page.end, page.older, lost=True)
        index = int(asked.partition(":")[2] or 0)
        if after:
            return self._pages(index, len(self.records), limit, newest=False)
        return self._pages(0, index if before else len(self.records), limit, newest=True)

    def _pages(self, first: int, end: int, limit: int, *, newest: bool) -> LogPage:
        if newest:
            first = max(first, end - limit)
        else:
            end = min(end, first + limit)
        if not self.records:
            return LogPage(PATH, (), "", "", older=False)
        records = tuple(self.records[first:end])
        newer = end < len(self.records)
        return LogPage(PATH, records, self._place(first), self._place(end), first > 0, newer)

    def _place(self, index: int) -> str:
        return f"{self.file}:{index}"

    def older_events(self, before: int, place: str, limit: int) -> EventsPage:
        if self.error is not None:
            raise self.error
        end = int(place) if place else sum(event.id < before for event in self.past)
        first = max(0, end - limit)
        return EventsPage(tuple(self.past[first:end]), str(first), first > 0)
