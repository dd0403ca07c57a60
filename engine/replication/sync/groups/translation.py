"""Where a group that committed an offset on the source goes on, on the target.

Only our own records count, in their order: between and behind them, other writers' may stand.

- an offset whose record was mirrored: where that one stands;
- one in a gap (compacted, a transaction's marker, an aborted or left out record), or before the
  first that was mirrored: where the next one that was mirrored stands;
- the end of what is mirrored: behind the last one, where the next one will stand or before it;
- one beyond that: likewise. What the group has read since is not on the target, so it is neither
  read again nor missed.

Among folded runs of the map the answer may be an earlier place, never a later one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from engine.kafka.fetch import TopicPartition
from engine.replication.both_ways.lower_bound import Bound
from engine.replication.both_ways.other_flows import OtherFlows
from engine.replication.partition import MirrorPartition

QUARANTINED = "quarantined"  # as engine.replication.repair words it


class Translator(Protocol):
    """How offsets of one partition are translated. Nothing here waits; the partition moves on."""

    def place(self, partition: MirrorPartition, commit: int) -> int:
        """Return the target offset from which on nothing that the group has not read is missed."""
        ...

    def again(self, partition: MirrorPartition, commit: int, target: int) -> int:
        """Count the records from `target` on that a group which committed `commit` has read."""
        ...

    def ahead(self, partition: MirrorPartition, commit: int, target: int) -> int:
        """Count the records before `target` that it has not read; 0 where that is not sure."""
        ...


class OneWay:
    """The mirror has this flow's records, in the source's order."""

    def place(self, partition: MirrorPartition, commit: int) -> int:
        """Return where the first record that the group has not read stands, or will."""
        found = partition.offset_map.to_target(commit)
        return partition.acked.target if found is None else found

    def again(self, partition: MirrorPartition, commit: int, target: int) -> int:
        """Count the records from `target` on that the group has read; mirrored ones only."""
        first = partition.offset_map.to_source(target)
        if first is None or first >= commit:
            return 0
        return partition.offset_map.count(first, commit)

    def ahead(self, partition: MirrorPartition, commit: int, target: int) -> int:
        """Count the records before `target` that it has not read, of those that are known."""
        first = partition.offset_map.to_source(target)
        end = partition.acked.source if first is None else first
        return sum(
            max(0, min(source + count, end) - max(source, commit))
            for source, _, count in partition.offset_map.reaching(commit, end)
        )


class BothWays:
    """Other flows write into the source, and others than this one into the mirror.

    Counts are the most that there may be. What was found a place for a commit once stays one: what
    was to come then comes behind it.
    """

    def __init__(self, others: OtherFlows) -> None:
        self._others = others
        self._ends: Mapping[TopicPartition, int] = {}
        self._before: dict[tuple[TopicPartition, int], int] = {}  # by partition and commit
        self._places: dict[tuple[TopicPartition, int], int] = {}

    def begin(self, ends: Mapping[TopicPartition, int]) -> None:
        """Begin a round, with the ends of the target's logs as they are now or were just now."""
        self._ends = ends
        self._before, self._places = self._places, {}

    def _bound(self, partition: MirrorPartition, commit: int) -> Bound:
        end = self._ends.get(partition.target_key, partition.acked.target)
        return self._others.translate(partition, commit, end)

    def place(self, partition: MirrorPartition, commit: int) -> int:
        """Return the first of the places where what the group has not read begins."""
        key = partition.key, commit
        found = self._bound(partition, commit).offset
        end = self._ends.get(partition.target_key, partition.acked.target)
        self._places[key] = place = min(max(found, self._before.get(key, 0)), max(end, found))
        return place

    def again(self, partition: MirrorPartition, commit: int, target: int) -> int:
        """Count the records from `target` on that the group has read already."""
        bound = self._bound(partition, commit)
        return bound.again + max(0, bound.offset - target)

    def ahead(self, partition: MirrorPartition, commit: int, target: int) -> int:
        """Count the records before `target` that it has not read."""
        return max(0, target - self.place(partition, commit))


def again_from_start(partition: MirrorPartition, commit: int) -> int:
    """Count what a group reads again that begins at the mirror's start."""
    return partition.offset_map.count(0, commit)


def not_on_target(partition: MirrorPartition, commit: int, *, from_start: bool) -> int | None:
    """Count the source offsets that a group has not read and that are not on the target.

    That is what is not mirrored yet, what was put into quarantine and, unless the flow mirrors
    `from_start`, what lay before its beginning. Offsets without a record count as well. None when
    the source's end is not known.
    """
    end = partition.measures.source_end
    if end is None:
        return None
    if not partition.positioned:
        return max(0, end - commit)
    lost = max(0, end - max(commit, partition.acked.source))
    if not from_start:
        first = next(partition.offset_map.runs(), None)
        began = partition.acked.source if first is None else first[0]
        lost += max(0, began - commit)
    for skipped in partition.history.skipped:
        if skipped.reason == QUARANTINED:
            lost += max(0, skipped.end - max(commit, skipped.first))
    return lost
