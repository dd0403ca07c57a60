"""A stretch of a source that is mirrored whole, whoever wrote it: what a target has lost again.

A flow leaves out what its target's own flow had brought to the source: the target has it already.
After a failover that may be wrong: the old primary comes back without some of what it had sent, or
empty. Failback finds the stretch and keeps it in the state topic of the flow back, before that
begins: key `sync/failback/<topic>/<partition>`, value `{"first", "end"}`, source offsets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.kafka import batch as b
from engine.kafka import legacy
from engine.kafka import records as r
from engine.kafka.fetch import PartitionData, TopicPartition
from engine.replication.both_ways.marks import Inbound
from engine.replication.pump import Pump

if TYPE_CHECKING:  # they know partitions, which know this
    from engine.replication.state_records import Entry, FlowRecord

NAME = "failback"


@dataclass(frozen=True, slots=True)
class Whole:
    """The stretch [first, end); outside of it what the flows in `inbound` wrote is left out."""

    first: int
    end: int
    inbound: Inbound | None

    def prepare(self, pump: Pump, view: memoryview, data: PartitionData) -> PartitionData:
        """Set a pump's `inbound` for what comes next; return so much of it as that holds for.

        What is not returned comes again with the next fetch, which begins at the pump's position.
        """
        pump.inbound = self.inbound
        if pump.position >= self.end or data.start == data.end:
            return data
        if pump.position < self.first:
            begin = self._batch_with_first(view, data)
            if begin > data.start:
                return data._replace(end=begin)
            # Before `first`, the batch holds what the target still has, or nothing that is wanted.
            pump.position = self.first
        behind = _first_from(view, data, self.end)
        if behind == data.start:
            return data
        pump.inbound = None
        return data._replace(end=behind)

    def _batch_with_first(self, view: memoryview, data: PartitionData) -> int:
        """Return where the batch begins that reaches to `first` or behind it."""
        at = data.start
        while at + b.HEADER_SIZE <= data.end:
            size = b.size_at(view, at, data.end)
            base: int = b.PREFIX.unpack_from(view, at)[0]
            if base >= self.first or size <= 0:
                break
            old = legacy.is_legacy(view, at, data.end)
            if not old and r.read_header(view, at).next_offset > self.first:
                break
            at += size
        return min(at, data.end)


def _first_from(view: memoryview, data: PartitionData, offset: int) -> int:
    """Return where the first batch begins that begins at `offset` or behind it."""
    at = data.start
    while (size := b.size_at(view, at, data.end)) > 0 and at < data.end:
        if b.PREFIX.unpack_from(view, at)[0] >= offset:
            break
        at += size
    return min(at, data.end)


def whole_of(record: FlowRecord, key: TopicPartition, inbound: Inbound | None) -> Whole | None:
    """Return a partition's stretch, as the state topic has it; None where there is none."""
    value = record.synced.get(NAME, {}).get(f"{key[0]}/{key[1]}")
    return Whole(value["first"], value["end"], inbound) if value else None


def whole_entry(key: TopicPartition, first: int, end: int) -> Entry:
    """Encode a partition's stretch."""
    return f"sync/{NAME}/{key[0]}/{key[1]}", {"first": first, "end": end}
