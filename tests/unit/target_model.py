"""A target partition as a broker keeps it: appends by one idempotent producer, and by strangers.

After `ProducerAppendInfo.java` and `ProducerStateEntry.java`: an append is taken when its sequence
is the next one, answered with its old offset when it repeats one of the last five, refused
otherwise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from engine.kafka import records as r
from engine.kafka.codes import Code
from engine.replication.already_there import AlreadyThere
from engine.replication.pump import Append
from tests.unit import source_log as log
from tests.unit.source_log import Content

REMEMBERED_BATCHES = 5


class Row(NamedTuple):
    """A record; `number` counts ours from 0, and is None for a stranger's."""

    number: int | None
    content: Content


class TargetPartition:
    """The log and what the broker remembers of our producer."""

    def __init__(self, first_sequence: int = 0) -> None:
        self.rows: list[Row] = []
        self.count = 0  # records of ours
        self._first_sequence = first_sequence
        self._remembered: deque[tuple[int, int, int]] = deque(maxlen=REMEMBERED_BATCHES)

    def append(self, batch: Append) -> tuple[int, int]:
        """Append as a broker would; return (error, base offset)."""
        for sequence, count, offset in self._remembered:
            if (sequence, count) == (batch.sequence, batch.count):
                return Code.NONE, offset
        if batch.sequence != self.sequence:
            return Code.OUT_OF_ORDER_SEQUENCE_NUMBER, -1
        base = len(self.rows)
        self._remembered.append((batch.sequence, batch.count, base))
        for record in log.read(batch.payload):
            self.rows.append(Row(self.count, record.content()))
            self.count += 1
        return Code.NONE, base

    def stranger_appends(self, count: int) -> None:
        """Let another producer write."""
        self.rows += [Row(None, (0, b"stranger", None, ()))] * count

    @property
    def sequence(self) -> int:
        """The sequence that the broker expects next."""
        return (self._first_sequence + self.count) % 2**31

    def ours(self) -> list[Content]:
        """Return what we wrote."""
        return [row.content for row in self.rows if row.number is not None]

    def beyond(self, count: int, end: int) -> AlreadyThere:
        """Return what stands there beyond our first `count` records, from offset `end` on."""
        there = AlreadyThere(ranges_of(self._offsets_beyond(count)))
        if there.ranges:
            offset = sum(there.ranges[-1]) - 1
            timestamp, key, value, headers = self.rows[offset].content
            there.last = r.RawRecord(offset, timestamp, 0, r.body(key, value, headers))
            assert there.ranges[0][0] >= end
        return there

    def _offsets_beyond(self, count: int) -> list[int]:
        return [
            offset
            for offset, row in enumerate(self.rows)
            if row.number is not None and row.number >= count
        ]


def ranges_of(offsets: Iterable[int]) -> list[list[int]]:
    """Turn offsets into [first, count]."""
    ranges: list[list[int]] = []
    for offset in offsets:
        if ranges and sum(ranges[-1]) == offset:
            ranges[-1][1] += 1
        else:
            ranges.append([offset, 1])
    return ranges
