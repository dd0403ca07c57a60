"""What a flow would do with its source's topics, and why: selection, plan and preview.

The plan of a topic is made once and serves all: `ccr preview` shows it, the syncer carries it out,
its report tells what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.api.acl_snapshots import AclPreview
from engine.api.offsets_snapshots import AlignmentPreview


class Rule(StrEnum):
    """What decided about a topic."""

    INCLUDE = "include"
    EXCLUDE = "exclude"
    INTERNAL = "internal"  # Kafka's, Connect's or ours, and not named to the letter
    HEARTBEATS = "mm2.heartbeats"  # taken whatever include and exclude say
    LOOP = "loop"  # it came from the target: taking it would send it round and round
    NO_MATCH = "no match"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a topic is taken, and the rule that decided."""

    taken: bool
    rule: Rule
    pattern: str = ""  # the regex that matched
    number: int = 0  # its place in its list, from 1


@dataclass(frozen=True, slots=True)
class SelectionSnapshot:
    """What regexes select: every topic of the source, in the order of their names."""

    flow: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    taken: int
    decisions: tuple[Decision, ...]
    topics: tuple[tuple[str, int, int], ...]  # name, partitions, index of its decision
    looked_at: float  # when the source was asked for its topics
    seconds: float  # how long deciding took
    prefix: str = ""  # what the names of mirrors begin with, before the source topic's


class Action(StrEnum):
    """What is to be done for a mirror; the first that applies."""

    REFUSE = "refuse"  # a conflict that nothing can be mirrored with
    CREATE = "create"
    GROW = "grow"  # add partitions
    CONFIGURE = "configure"
    NONE = "in step"
    KEEP = "keep"  # the source topic is gone; the mirror stays
    DELETE = "delete"  # the source topic is gone, and sync.deletions


class ValueFrom(StrEnum):
    """Where the value of a config comes from."""

    SOURCE = "source"
    PINNED = "pinned"
    CAPPED = "capped"  # the source's, as far as the mirror's replicas go


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """A config to be set on a mirror, or to be removed so that the brokers' default counts."""

    name: str
    before: str | None  # None: not set on the mirror
    after: str | None
    origin: ValueFrom


@dataclass(frozen=True, slots=True)
class KeptConfig:
    """A config that somebody set on the mirror itself, which is left as it is."""

    name: str
    value: str | None  # None: removed there
    wanted: str | None  # what the source has; None: not set there


class ConflictKind(StrEnum):
    """What a mirror cannot have as its source has it."""

    PARTITIONS = "partitions"
    CLEANUP_POLICY = "cleanup policy"
    MAX_MESSAGE_BYTES = "max.message.bytes"
    UNKNOWN_CONFIG = "unknown config"
    REPLICATION_FACTOR = "replication factor"
    NOT_OURS = "not ours"
    ALSO_WRITTEN = "also written"
    LOOP = "loop"
    UNREADABLE = "unreadable"
    REFUSED = "refused"  # by the target's brokers, asked beforehand


@dataclass(frozen=True, slots=True)
class Conflict:
    """One of them, in words."""

    kind: ConflictKind
    text: str
    next_step: str = ""
    blocks: bool = False  # the topic is not mirrored (or not changed) because of it


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What is to be done so that one mirror is as its source."""

    topic: str
    target_topic: str
    action: Action
    partitions: int  # the source's; 0 when it is gone
    mirror_partitions: int  # 0: not there
    replication_factor: int  # the mirror's, or what it is created with
    configs: tuple[ConfigChange, ...] = ()
    kept: tuple[KeptConfig, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    @property
    def blocked(self) -> Conflict | None:
        """Why nothing can be done, if that is so."""
        return next((each for each in self.conflicts if each.blocks), None)


@dataclass(frozen=True, slots=True)
class TopicSize:
    """How large a source topic is; None: not known."""

    bytes: int | None  # on disk, one replica
    records: int | None  # offsets between start and end; markers and compacted ones count
    records_per_second: float | None


@dataclass(frozen=True, slots=True)
class TopicPreview:
    """One topic of the source; or one that is there no more, whose mirror is."""

    topic: str
    partitions: int
    decision: Decision
    size: TopicSize
    plan: TopicPlan | None  # None: not taken


@dataclass(frozen=True, slots=True)
class PreviewSnapshot:
    """Everything that a flow would do with topics, in the order of their names."""

    flow: str
    source: str
    target: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    topics: tuple[TopicPreview, ...]
    notes: tuple[str, ...]  # what could not be looked at, and what to grant for it
    taken_at: float
    seconds: float  # how long looking took
    acls: AclPreview | None = None  # with sync.acls: true
    alignment: AlignmentPreview | None = None  # with offsets: identical
