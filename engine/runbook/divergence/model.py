"""What a failover left behind: which records stand on one side only, and what became of them.

All of it is plain data: `DIVERGENCE.dump_json` and `.validate_json` (and those of the others) are
how a journal keeps it. Offsets are half open, [first, end). "Source" and "target" are the flow's:
the source is the old primary that has come back, the target was promoted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import TypeAdapter

from engine.config.flow_section import FlowConfig
from engine.kafka.cluster import Cluster
from engine.kafka.fetch import TopicPartition
from engine.replication.state_records import Entry

Remember = Callable[[Iterable[Entry]], Awaitable[None]]
"""Writes to the flow's state topic and folds it into its record: `Flow.remember`."""


@dataclass(frozen=True, slots=True)
class Sides:
    """A flow, and its two clusters."""

    flow: str
    config: FlowConfig
    source: Cluster
    target: Cluster


class Standing(StrEnum):
    """What a source partition is to its mirror, now that it has come back."""

    ARRIVED = "arrived"  # all that it has is on the target
    DIVERGED = "diverged"  # it has records that never arrived
    FORKED = "forked"  # it lost records that did arrive; it may have others in their place
    REBUILT = "rebuilt"  # it is another topic than the one that was mirrored, or there is none
    UNTOLD = "untold"  # see `reason`; nothing may be done with it until that is settled


@dataclass(frozen=True, slots=True)
class PartitionDivergence:
    """One partition. What never arrived is [first, end) of the source, but for what is left out."""

    topic: str
    partition: int
    target_topic: str
    standing: Standing
    first: int = 0
    """First source offset that never arrived."""
    end: int = 0
    """End of the source's log when it was looked at (of its committed records, if the flow's)."""
    records: int = 0
    """That never arrived. Aborted transactions, and what other flows brought, are not counted."""
    bytes: int = 0
    """As they stand in the source's log: batches, compressed; of cut ones their share."""
    left_out: int = 0
    """Records in between that other flows brought to the source: they are no loss."""
    first_ms: int | None = None
    """Oldest timestamp of those records, in ms since 1970; None when there are none."""
    last_ms: int | None = None
    gone: int = 0
    """Source offsets before `first` that retention deleted before they had arrived: lost."""
    mirrored_to: int = 0
    """Target offset behind the last record that came from the source: there the two diverged."""
    lost_from: int | None = None
    """Target offset of the first record that the source lost again; up to `mirrored_to` they have
    to be copied back, though they came from there. None: it lost none."""
    strangers_from: int = 0
    """First target offset, behind the flow's first record, that is not the flow's: `mirrored_to`
    unless others wrote into the mirror before it was promoted."""
    own_records: int = 0
    """Of the target's own, from `mirrored_to` to `own_end`."""
    own_bytes: int = 0
    own_end: int = 0
    rewritten_keys: int | None = 0
    """Keys of those records that the target's own have, too: re-injected, the older value comes
    last. None: too many records to tell."""
    source_id: str = ""
    """Topic id, hex; empty when there is no such topic."""
    reason: str = ""
    """Why it cannot be told, or what is special."""
    retriable: bool = False
    """Whether what cannot be told now may be told later without anybody's help."""

    @property
    def key(self) -> TopicPartition:
        """Topic and partition on the source."""
        return self.topic, self.partition


@dataclass(frozen=True, slots=True)
class Divergence:
    """All partitions of a flow, as they were found; every later step goes by it."""

    flow: str
    source: str
    target: str
    at: float
    """Seconds since the epoch."""
    rebuilt: bool
    """The old source is another cluster than the one that was mirrored: it was set up anew."""
    partitions: tuple[PartitionDivergence, ...]

    @property
    def records(self) -> int:
        """Records that never arrived."""
        return sum(partition.records for partition in self.partitions)

    @property
    def bytes(self) -> int:
        """Their bytes in the source's log."""
        return sum(partition.bytes for partition in self.partitions)

    @property
    def diverged(self) -> tuple[PartitionDivergence, ...]:
        """The partitions that have such records."""
        return tuple(partition for partition in self.partitions if partition.records)

    @property
    def untold(self) -> tuple[PartitionDivergence, ...]:
        """The partitions of which it cannot be told."""
        return tuple(each for each in self.partitions if each.standing is Standing.UNTOLD)


class Mode(StrEnum):
    """What becomes of the records that never arrived."""

    REINJECT = "reinject"  # appended to the new primary, behind what it has
    KEEP_ASIDE = "keep-aside"  # exported, and nothing else
    DISCARD = "discard"  # not even that


@dataclass(frozen=True, slots=True)
class Exported:
    """Where the records were exported to."""

    place: str
    """A file's path, or `topic X on cluster Y`."""
    records: int
    sha256: str = ""
    """Of the file."""
    already: int = 0
    """So many of them stood there before: an earlier try's."""


@dataclass(frozen=True, slots=True)
class SettledPartition:
    """What became of one partition's records."""

    topic: str
    partition: int
    records: int
    """That never arrived, as found."""
    reinjected: int = 0
    ranges: tuple[tuple[int, int, int], ...] = ()
    """Where they stand now: source offset, target offset, records."""
    skipped: tuple[int, int] | None = None
    """Source offsets that the flow will never mirror: kept aside, or discarded."""
    lost: int = 0
    """So many of those that were found were gone before they could be re-injected (retention)."""
    reason: str = ""
    """Why it is not done; empty when it is. To be called again then."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of all."""

    mode: Mode
    partitions: tuple[SettledPartition, ...]

    @property
    def failed(self) -> tuple[SettledPartition, ...]:
        """Those that are not done."""
        return tuple(partition for partition in self.partitions if partition.reason)


@dataclass(frozen=True, slots=True)
class PartitionWayBack:
    """Where the reverse flow begins with one partition, and what is to be expected of it.

    Here the flow's target is what is read, and its source what is written to.
    """

    topic: str
    partition: int
    read_from: int
    """Offset on the new primary."""
    append_at: int
    """Offset on the old one: the end of its log."""
    whole_from: int = 0
    whole_to: int = 0
    """Between these offsets of the new primary everything is copied, whoever wrote it: the old one
    has it no more. Elsewhere, what came from the old one is left out. Both 0: there is no such."""
    records: int = 0
    """To be copied, as far as the new primary's log went when it was counted."""
    bytes: int = 0
    counted_to: int = 0
    """Offset on the new primary."""
    aside: int = 0
    """Records that stand in the old one's log and nowhere else, and stay there."""
    begun: bool = False
    """The reverse flow has a position of its own, `read_from`: it goes on from there."""
    full: bool = False
    """Everything is copied: the old cluster's topic was empty, made anew, or is yet to be made."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """All partitions, for the flow from the new primary to the old one."""

    flow: str
    """The reverse flow."""
    partitions: tuple[PartitionWayBack, ...]

    @property
    def records(self) -> int:
        """Records to be copied back."""
        return sum(partition.records for partition in self.partitions)

    @property
    def bytes(self) -> int:
        """Their bytes in the new primary's log."""
        return sum(partition.bytes for partition in self.partitions)


@dataclass(frozen=True, slots=True)
class Late:
    """What somebody wrote to the old primary while it was already copied back to."""

    topic: str
    partition: int
    first: int
    """First offset on the old primary; [first, end) has them, and what the reverse flow brought."""
    end: int
    records: int


DIVERGENCE: TypeAdapter[Divergence] = TypeAdapter(Divergence)
SETTLEMENT: TypeAdapter[Settlement] = TypeAdapter(Settlement)
WAY_BACK: TypeAdapter[WayBack] = TypeAdapter(WayBack)
