"""The part of the engine's log that the console has: it grows with the log, and back on demand."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from engine.api.kept_snapshots import LogPage, LogRecord
from engine.api.protocol import EngineApi

CHUNK = 500
"""Records that are asked for at once."""
KEPT = 20_000
"""Records at most; what is older is in the file."""
_CHUNKS = 4
"""Followed at once. Where more has been written meanwhile, it begins at the newest again."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """A record, and where it stands among the others."""

    number: int  # the newest has the highest
    record: LogRecord


class LogTail:
    """Reads; what changed is taken once (`take`)."""

    def __init__(self) -> None:
        self.rows: deque[LogRow] = deque()
        self.path = ""
        self.older = False
        """Whether the file has something that is older than the first row."""
        self.lost = False
        """Whether it had to begin anew: what was shown before is no longer in the files."""
        self._start = self._end = ""
        self._came: list[LogRow] = []
        self._went: list[str] = []

    @property
    def may_grow_back(self) -> bool:
        """Whether older records can be had."""
        return self.older and len(self.rows) < KEPT

    def take(self) -> tuple[list[LogRow], list[str]]:
        """Hand over the rows that came, and the places of those that went, since the last call."""
        came, went = self._came, self._went
        self._came, self._went = [], []
        return came, went

    async def read(self, api: EngineApi, *, back: bool) -> None:
        """Read on; with `back` also what is before. Raises CcrError."""
        if self._end:
            await self._follow(api)
        else:
            self._begin(await api.log(limit=CHUNK))
        if back and self.may_grow_back:
            page = await api.log(before=self._start, limit=CHUNK)
            self._start, self.older = page.start, page.older
            number = self.rows[0].number if self.rows else 0
            count = len(page.records)
            rows = [LogRow(number - count + i, each) for i, each in enumerate(page.records)]
            self.rows.extendleft(reversed(rows))
            self._came += rows

    async def _follow(self, api: EngineApi) -> None:
        for _ in range(_CHUNKS):
            page = await api.log(after=self._end, limit=CHUNK)
            if page.lost:
                self._begin(page)
                self.lost = True
                return
            self._append(page)
            if not page.newer:
                return
        self._begin(await api.log(limit=CHUNK))

    def _begin(self, page: LogPage) -> None:
        self._went += [row.record.place for row in self.rows]
        self._came.clear()
        self.rows.clear()
        self.path, self._start, self.older = page.path, page.start, page.older
        self._append(page)

    def _append(self, page: LogPage) -> None:
        self._end = page.end
        number = self.rows[-1].number + 1 if self.rows else 0
        rows = [LogRow(number + i, each) for i, each in enumerate(page.records)]
        self.rows.extend(rows)
        self._came += rows
        while len(self.rows) > KEPT:
            self._went.append(self.rows.popleft().record.place)
            self._start, self.older = self.rows[0].record.place, True
