"""What the engine tells of consumer groups: where they stand on both sides.

Offsets are Kafka's: a committed offset names the record to read next. Counts of records are exact
where the offset map is; among its oldest, folded runs they are the most that there may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.api.snapshots import Reason


class GroupState(StrEnum):
    """How a group's offsets on the target stand to those on the source."""

    IN_STEP = "in step"
    BEHIND = "behind"  # the target's are to follow; see the partitions' reasons
    AHEAD = "ahead"  # the target's are past the source's: left, unless groups.rewind
    ACTIVE = "active on target"  # it reads there: left alone
    SHARE = "share group"  # KIP-932: has no offsets that could be translated
    GONE = "gone from source"  # what it committed on the target is left
    FAILED = "failed"  # a broker refuses; see the reason


@dataclass(frozen=True, slots=True)
class GroupPartitionSnapshot:
    """One group on one source partition and its mirror."""

    topic: str
    partition: int
    target_topic: str
    source_offset: int | None  # committed on the source; None: the group is gone from there
    metadata: str  # of that commit
    translated: int | None  # target offset with the same next record; None: nothing is mirrored yet
    target_offset: int | None  # committed on the target; None: nothing is
    again: int | None  # records it would read again, were it moved now; None: not known
    ahead: int  # records it would miss, were it moved now, though they are on the target
    lost: int | None  # source offsets that it has not read and that are not on the target
    why: str  # it is out of step; empty when it is in step


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """One consumer group, with the partitions of the flow that it has committed for."""

    name: str
    kind: str  # classic, consumer (KIP-848), share, streams; empty: the brokers know no kinds yet
    state: GroupState
    reason: Reason | None
    source_state: str  # Kafka's word: Stable, Empty, …; empty: it is not there
    target_state: str  # likewise
    again: int | None  # sums over its partitions; None: not known for one of them
    ahead: int
    lost: int | None
    partitions: tuple[GroupPartitionSnapshot, ...]


@dataclass(frozen=True, slots=True)
class GroupsPage:
    """A flow's groups as they were at the last look at both clusters."""

    flow: str
    commits: bool  # whether an engine commits them: this one, unless it only looks
    looked_at: float  # 0.0: not yet
    seconds: float  # how long looking and committing took
    reason: Reason | None  # why the last look failed
    groups: tuple[GroupSnapshot, ...]
