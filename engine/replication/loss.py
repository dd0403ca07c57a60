"""What would be lost if the source vanished now: counted from what is on the board anyway.

One pass over the partitions, with nothing asked of anybody. Partitions that are stopped or wait
count like any other, and those without a position count whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from engine.api.loss_snapshots import PartitionLoss, TopicLoss
from engine.api.snapshots import PartitionState
from engine.kafka.fetch import TopicPartition
from engine.replication.board import Board
from engine.replication.partition import MirrorPartition

_AT_WORK = (PartitionState.RUNNING, PartitionState.STARTING, PartitionState.STANDBY)
SeenAt = Callable[[MirrorPartition], float]


@dataclass(slots=True)
class TopicTally:
    """One topic, counted."""

    topic: str
    records: int = 0  # that would be lost
    seconds: float | None = None  # age of the oldest
    losing: int = 0  # partitions
    halted: int = 0  # of those
    unknown: int = 0  # partitions whose source end was never seen
    left_out: bool = False
    mirrored_records: int = 0  # measured so far
    mirrored_bytes: int = 0
    records_per_second: float = 0.0
    bytes_per_second: float = 0.0
    measured_bytes: float = (
        0.0  # of the records that partitions with a mean of their own would lose
    )
    unmeasured: int = 0  # records of the other partitions

    def add(self, partition: MirrorPartition, records: int, now: float) -> None:
        """Count a partition that would lose records."""
        self.records += records
        self.losing += 1
        self.halted += partition.state not in _AT_WORK
        self.left_out |= partition.history.left_out > 0
        age = partition.lag_seconds(now)
        if age is not None and (self.seconds is None or age > self.seconds):
            self.seconds = age
        measures = partition.measures
        if measures.bytes_total:
            self.measured_bytes += records * measures.bytes_total / measures.records_total
        else:
            self.unmeasured += records

    def mean_bytes(self, on_disk: Mapping[str, float]) -> float | None:
        """Return the bytes of a record, as measured or else as the source's disks have it."""
        if self.mirrored_bytes:
            return self.mirrored_bytes / self.mirrored_records
        return on_disk.get(self.topic)

    def bytes(self, on_disk: Mapping[str, float]) -> float | None:
        """Estimate the bytes that would be lost; None when nothing tells."""
        if not self.unmeasured:
            return self.measured_bytes
        mean = self.mean_bytes(on_disk)
        return None if mean is None else self.measured_bytes + self.unmeasured * mean


class Brought:
    """The records that other flows brought to the source: those it may lose, for others have them.

    Known as of the other flows' boards; where one of them is behind, less is known.
    """

    def __init__(self, inbound: Iterable[Board]) -> None:
        """`inbound` are the boards of the flows into the source whose records are left out."""
        self._inbound = tuple(inbound)

    def count(self, key: TopicPartition, first: int, end: int) -> int:
        """Count them among the source's offsets from `first` up to `end`."""
        found = 0
        for board in self._inbound:
            mirror = board.partitions.get(key)
            if mirror is not None:
                found += mirror.offset_map.standing(first, end)
        return found


NOTHING_BROUGHT = Brought(())


def lost_records(partition: MirrorPartition, brought: Brought = NOTHING_BROUGHT) -> int | None:
    """Return the source offsets that are not mirrored; None while the source's end is not known."""
    measures = partition.measures
    if measures.source_end is None:
        return None
    first = partition.acked.source if partition.positioned else measures.source_start
    lost = max(0, measures.source_end - first)
    return max(0, lost - brought.count(partition.key, first, measures.source_end)) if lost else 0


def tally(
    partitions: Iterable[MirrorPartition], now: float, brought: Brought = NOTHING_BROUGHT
) -> dict[str, TopicTally]:
    """Count every topic, `now` in seconds since the epoch."""
    topics: dict[str, TopicTally] = {}
    for partition in partitions:
        topic = topics.get(partition.topic)
        if topic is None:
            topic = topics[partition.topic] = TopicTally(partition.topic)
        measures = partition.measures
        if measures.records_total:
            topic.mirrored_records += measures.records_total
            topic.mirrored_bytes += measures.bytes_total
            topic.records_per_second += measures.rate.records_per_second
            topic.bytes_per_second += measures.rate.bytes_per_second
        end = measures.source_end
        if partition.positioned and end == partition.acked.source:
            continue  # most of them, most of the time
        records = lost_records(partition, brought)
        if records is None:
            topic.unknown += 1
        elif records:
            topic.add(partition, records, now)
    return topics


@dataclass(frozen=True, slots=True)
class Total:
    """All topics together."""

    records: int
    bytes: float | None
    seconds: float | None


def total(topics: Iterable[TopicTally], on_disk: Mapping[str, float]) -> Total:
    """Sum up; bytes are None where one topic's are, as less than all would be misleading."""
    records, size, seconds = 0, 0.0, 0.0
    sized, aged = True, False
    for topic in topics:
        if not topic.records:
            continue
        records += topic.records
        estimate = topic.bytes(on_disk)
        sized = sized and estimate is not None
        size += estimate or 0.0
        if topic.seconds is not None:
            aged, seconds = True, max(seconds, topic.seconds)
    return Total(records, size if sized else None, seconds if aged or not records else None)


def topic_loss(topic: TopicTally, on_disk: Mapping[str, float]) -> TopicLoss:
    """Return a topic as it is shown."""
    return TopicLoss(
        topic.topic,
        topic.records,
        whole(topic.bytes(on_disk)),
        topic.seconds,
        topic.losing,
        topic.halted,
        topic.left_out,
    )


def partition_loss(
    partition: MirrorPartition,
    mean_bytes: float | None,
    now: float,
    looked_at: float,
    brought: Brought = NOTHING_BROUGHT,
) -> PartitionLoss:
    """Return a partition as it is shown; `mean_bytes` is its topic's."""
    measures = partition.measures
    records = lost_records(partition, brought)
    if measures.bytes_total:
        mean_bytes = measures.bytes_total / measures.records_total
    size = None if records is None or mean_bytes is None else records * mean_bytes
    return PartitionLoss(
        partition.topic,
        partition.partition,
        partition.state,
        measures.source_end,
        partition.acked.source if partition.positioned else None,
        records,
        0 if records == 0 else whole(size),
        0.0 if records == 0 else partition.lag_seconds(now),
        looked_at,
    )


def whole(number: float | None) -> int | None:
    """Round what may be unknown."""
    return None if number is None else round(number)
