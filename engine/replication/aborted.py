"""Which batches of a record set are no data, or data of aborted transactions."""

from __future__ import annotations

from collections.abc import Sequence

from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.fetch import Aborted


class AbortedFilter:
    """Leaves out transaction markers, and the data of aborted transactions.

    As consumers do it: an aborted transaction begins at its first offset and ends at its producer's
    next marker (`CompletedFetch.java`).
    """

    __slots__ = ("_active", "_waiting")

    def __init__(self, aborted: Sequence[Aborted]) -> None:
        self._waiting = sorted(aborted, reverse=True)
        self._active: set[int] = set()

    def drops(self, header: r.Batch) -> bool:
        """Whether the batch is not for the target."""
        while self._waiting and self._waiting[-1].first_offset < header.next_offset:
            self._active.add(self._waiting.pop().producer_id)
        if header.is_control:
            self._active.discard(header.producer_id)
            return True
        return bool(
            self._active
            and header.attributes & b.TRANSACTIONAL
            and header.producer_id in self._active
        )
