"""What would be lost if a flow's source vanished now, and what its groups would read again.

Records are source offsets that the target has not acknowledged, as the source's ends were last
seen: markers of transactions and the holes of compaction count, and what was written since does
not. Bytes are estimates: records times the mean that the flow measured on the wire or, where it has
measured nothing, that the source has on its disks.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.api.snapshots import PartitionState


@dataclass(frozen=True, slots=True)
class PartitionLoss:
    """One partition's."""

    topic: str
    partition: int
    state: PartitionState
    source_end: int | None  # None: never seen
    mirrored_to: int | None  # None: nothing is, all that the source has counts
    lost_records: int | None  # None: not known
    lost_bytes: int | None  # estimate; None: nothing tells
    lost_seconds: float | None  # age of the oldest record that would be lost; None: nothing tells
    looked_at: float  # when its source end was seen; 0.0: never


@dataclass(frozen=True, slots=True)
class TopicLoss:
    """One topic's; sums, and the worst partition's age."""

    topic: str
    lost_records: int
    lost_bytes: int | None
    lost_seconds: float | None
    partitions: int  # that would lose records
    partitions_halted: int  # of those: stopped, waiting or paused
    at_most: bool  # other flows' records are among them, which would not be lost


@dataclass(frozen=True, slots=True)
class GroupLoss:
    """What a consumer group would meet if its clients moved to the target now."""

    group: str
    again_records: int | None  # read again; None: not known
    lost_records: int | None  # that it has not read, and that are not on the target


@dataclass(frozen=True, slots=True)
class LossPoint:
    """What would have been lost at a time."""

    at: float
    lost_records: int
    lost_bytes: int | None
    lost_seconds: float | None


@dataclass(frozen=True, slots=True)
class LossSnapshot:
    """One flow's."""

    flow: str
    source: str
    target: str
    lost_records: int
    lost_bytes: int | None
    lost_seconds: float | None
    partitions: int  # of the flow
    partitions_unknown: int  # whose source end was never seen: not counted
    topics_losing: int
    topics: tuple[TopicLoss, ...]  # the worst of them, most records first
    looked_at: float  # when all source ends had been seen; 0.0: never
    taken_at: float
    at_least: bool  # the look is old: what was written since is not counted
    at_most: bool  # other flows' records are among them, which would not be lost
    source_trouble: str  # why the source is not seen at the moment; empty when it is
    listed: tuple[PartitionLoss, ...] = ()  # of the topic that was asked for
    groups: tuple[GroupLoss, ...] = ()  # most records read again first
    groups_looked_at: float = 0.0  # 0.0: not looked at
    again_records: int | None = None  # over all groups; None: not known
    worst: LossPoint | None = None  # of the last hour that this engine has seen
    written_per_second: float | None = None
    """Records a second that the source was written with in the minute before it was last seen;
    None: not known, or not wanted, as the look is fresh."""
    since_records: int | None = None
    """Estimate: what was written since the look, had it gone on so; None: as above."""
    since_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class HistorySnapshot:
    """The last hour of a flow, or of one of its topics, point by point, oldest first.

    A topic has points since it was among the worst, or was asked for.
    """

    flow: str
    topic: str | None
    step_seconds: float
    at: tuple[float, ...]
    lost_records: tuple[float, ...]
    lost_bytes: tuple[float | None, ...]
    lost_seconds: tuple[float | None, ...]
    records_per_second: tuple[float, ...]
    bytes_per_second: tuple[float, ...]
