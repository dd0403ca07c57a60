"""Which new partitions begin at once, which are to be aligned first, and at which offset."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from engine.kafka.fetch import TopicPartition
from engine.replication.identical.entries import Goal, goal_entry, goals
from engine.replication.partition import MirrorPartition
from engine.replication.positions import Beginning
from engine.replication.state_records import Entry, FlowRecord
from engine.replication.troubles import Began


class Decision(NamedTuple):
    """What is done with new partitions."""

    begin: dict[MirrorPartition, Began]
    align: dict[MirrorPartition, int]  # the offset at which the mirror shall begin


class Beginnings:
    """One flow's. What was decided for a partition once holds until it begins."""

    def __init__(
        self, record: FlowRecord, remember: Callable[[Iterable[Entry]], Awaitable[None]]
    ) -> None:
        """`remember` appends to the state topic."""
        self._goals = goals(record)
        self._remember = remember
        self._strange: dict[TopicPartition, str] = {}  # why a mirror cannot be aligned
        self._aimed: set[MirrorPartition] = set()

    def decide(self, found: Mapping[MirrorPartition, Beginning]) -> Decision:
        """Decide about new partitions, which have no position yet."""
        begin: dict[MirrorPartition, Began] = {}
        align: dict[MirrorPartition, int] = {}
        for partition, at in found.items():
            goal = self._goals.get(partition.key)
            # The source may have lost some since the goal was set.
            start = at.source if goal is None else max(goal.start, at.source_low)
            if goal is not None:
                self._aimed.add(partition)
            strange = self._strange.get(partition.key)
            there = start == at.target and (goal is None or at.target_low == at.target)
            if strange is not None:
                begin[partition] = Began(start, at.target, strange)
            elif there:
                begin[partition] = Began(start, at.target)
            elif goal is not None or at.target == 0:
                align[partition] = start
            else:
                begin[partition] = Began(start, at.target, _held(at.target))
        return Decision(begin, align)

    def goal(self, partition: MirrorPartition) -> Goal:
        """Return what was decided for a partition that is to be aligned."""
        return self._goals[partition.key]

    async def aim(self, starts: Mapping[MirrorPartition, int]) -> None:
        """Put on record at which offsets mirrors shall begin, where that is new."""
        changed = {
            partition.key: Goal(start) if known is None else replace(known, start=start)
            for partition, start in starts.items()
            if (known := self._goals.get(partition.key)) is None or known.start != start
        }
        if changed:
            await self._remember([goal_entry(key, goal) for key, goal in changed.items()])
            self._goals |= changed

    async def fills(self, partition: MirrorPartition, producer_id: int) -> None:
        """Put on record whose fillers a partition is going to hold."""
        goal = replace(self._goals[partition.key], filled_by=producer_id)
        await self._remember([goal_entry(partition.key, goal)])
        self._goals[partition.key] = goal

    def give_up(self, partition: MirrorPartition, why: str) -> None:
        """The mirror holds what is not ours: it begins behind that."""
        self._strange[partition.key] = f"the mirror was not fresh: {why}"

    async def tidy(self) -> None:
        """Forget about partitions that have begun: their checkpoints stand."""
        reached = [partition for partition in self._aimed if partition.positioned]
        if reached:
            await self._remember([goal_entry(partition.key, None) for partition in reached])
        for partition in reached:
            self._aimed.remove(partition)
            self._goals.pop(partition.key, None)
            self._strange.pop(partition.key, None)


def _held(end: int) -> str:
    return f"the mirror was not fresh: it had held {end} record{'s' * (end != 1)} before"
