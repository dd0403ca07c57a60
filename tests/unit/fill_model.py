"""A target partition with its transaction coordinator, as aligning uses them; it can crash.

After `TransactionCoordinator.scala`: an InitProducerId aborts the transaction that is open, which
leaves a marker, and fences the former epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from engine.replication.identical.alignment import TooLargeError


class CrashedError(Exception):
    """The engine was killed, before or after a step was carried out."""


class Row(NamedTuple):
    """Some offsets of the log: fillers (or a marker), or a stranger's records."""

    first: int
    size: int  # offsets
    ours: bool


@dataclass
class Partition:
    """What survives the engine."""

    rows: list[Row] = field(default_factory=list)
    start: int = 0
    end: int = 0
    open: bool = False
    largest: int = 2**30

    def write(self, count: int, *, ours: bool) -> int:
        first = self.end
        self.rows.append(Row(first, count, ours))
        self.end += count
        return first

    @property
    def visible(self) -> int:
        """Offsets that hold something."""
        return self.end - self.start


@dataclass
class ModelLog:
    """One life of an engine that aligns; it dies at its step number `dies_at`."""

    partition: Partition
    dies_at: int | None = None
    dies_after: bool = False  # the step was carried out, its answer never came
    strangers: dict[int, int] = field(default_factory=dict)  # step → records written before it
    steps: int = 0

    def _step(self) -> bool:
        """Count a step; return whether to die after it."""
        self.steps += 1
        self.partition_writes()
        if self.steps != self.dies_at:
            return False
        if not self.dies_after:
            raise CrashedError
        return True

    def partition_writes(self) -> None:
        """Let strangers write, if they do now."""
        count = self.strangers.pop(self.steps, 0)
        if count:
            self.partition.write(count, ours=False)

    async def begin(self) -> None:
        died = self._step()
        if self.partition.open:
            self.partition.open = False
            self.partition.write(1, ours=True)
        if died:
            raise CrashedError

    async def bounds(self) -> tuple[int, int]:
        if self._step():
            raise CrashedError
        return self.partition.start, self.partition.end

    async def holds_only_ours(self, start: int, end: int) -> bool:
        if self._step():
            raise CrashedError
        return all(row.ours for row in self.partition.rows if start < row.first + row.size <= end)

    async def open(self) -> None:
        died = self._step()
        assert not self.partition.open
        self.partition.open = True
        if died:
            raise CrashedError

    async def append(self, count: int) -> int:
        died = self._step()
        assert self.partition.open
        if count > self.partition.largest:
            raise TooLargeError("appending", "fillers", "MESSAGE_TOO_LARGE")
        first = self.partition.write(count, ours=True)
        if died:
            raise CrashedError
        return first

    async def abort(self, end: int) -> int:
        died = self._step()
        assert self.partition.open
        self.partition.open = False
        self.partition.write(1, ours=True)
        if died:
            raise CrashedError
        assert self.partition.end >= end
        return self.partition.end

    async def delete(self, offset: int) -> None:
        died = self._step()
        assert offset <= self.partition.end
        self.partition.start = max(self.partition.start, offset)
        if died:
            raise CrashedError
