"""One side of a comparison: its batches one at a time, taken apart only when that is needed."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from engine.kafka import batch as b
from engine.kafka import records as r

Batches = AsyncIterator[tuple[r.Batch, memoryview]]


class Side:
    """The records from `start` up to, but not including, `end`."""

    def __init__(self, batches: Batches, start: int, end: int) -> None:
        self._batches = batches
        self._start = start
        self._end = end
        self._header: r.Batch | None = None
        self._view = memoryview(b"")
        self._records: deque[r.RawRecord] | None = None  # None: the batch is not taken apart
        self.reached = start  # first offset after the newest batch
        self.bytes_read = 0

    async def ready(self) -> bool:
        """Whether there is a record; reads on when the last batch is used up."""
        while not self._has_record():
            following = await anext(self._batches, None)
            if following is None:
                return False
            self._header, self._view = following
            self._records = None
            self.bytes_read += self._header.size
            self.reached = min(self._header.next_offset, self._end)
            if not self._is_whole(self._header):
                self._decode()
        return True

    def _has_record(self) -> bool:
        return self._header is not None and (self._records is None or bool(self._records))

    def _is_whole(self, header: r.Batch) -> bool:
        """Whether every offset of a batch has its record, and all are wanted."""
        dense = header.last_offset_delta == header.record_count - 1
        return dense and header.base_offset >= self._start and header.next_offset <= self._end

    def _decode(self) -> None:
        wanted = (each for each in r.decode(self._view) if self._start <= each.offset < self._end)
        self._records = deque(wanted)

    @property
    def header(self) -> r.Batch:
        """The header of the batch that is being read."""
        if self._header is None:
            raise RuntimeError("ask `ready` first")
        return self._header

    @property
    def whole(self) -> tuple[r.Batch, memoryview] | None:
        """The batch, when none of its records was taken and none is lacking."""
        return (self.header, self._view) if self._records is None else None

    @property
    def offset(self) -> int:
        """The next record's offset."""
        return self._records[0].offset if self._records else self.header.base_offset

    def peek(self) -> r.RawRecord:
        """Return the next record. Raises CorruptBatchError."""
        if self._records is None:
            self._decode()
        if not self._records:
            raise b.CorruptBatchError("the header counts records that are not there")
        return self._records[0]

    def take(self) -> None:
        """Pass over the next record."""
        self.peek()
        if self._records:
            self._records.popleft()

    def take_batch(self) -> None:
        """Pass over the whole batch."""
        self._records = deque()
