"""What the engine tells: immutable snapshots, the same for console, control socket and JSON.

Times are seconds since the epoch (float) on the host that runs the engine unless a field says
otherwise. Offsets are Kafka's: `source_end` and `mirrored_to` name the next offset, not the last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from engine.api.both_ways_snapshots import ConflictsSnapshot, InboundFlowSnapshot
from engine.api.offsets_snapshots import OffsetsSnapshot, OffsetsTotals
from engine.api.retention_snapshots import FlowOvertaking, Overtaking
from engine.config.secrets import SecretState


class FlowState(StrEnum):
    """Where a flow stands. Every state but `running` comes with a reason."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"  # a cluster is away or refuses; retried by itself
    PAUSED = "paused"  # by an operator; survives restarts
    STANDBY = "standby"  # another engine owns the flow; this one watches
    DRAINING = "draining"  # shutting down: what is in flight is being acknowledged
    STOPPED = "stopped"  # not run by anyone, or stopped for a reason that needs an operator
    PROMOTED = "promoted"  # its mirrors are the primary now: this direction is refused, by all


class PartitionState(StrEnum):
    """Where one partition of a flow stands."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    STANDBY = "standby"
    STOPPED = "stopped"  # alone; the other partitions go on. `ccr retry` after the cause is gone


class Trend(StrEnum):
    """What lag does, as a word; the console adds a symbol."""

    IN_STEP = "in step"
    DRAINING = "draining"
    GROWING = "growing"
    STALLED = "stalled"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How loud an event is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class EngineMode(StrEnum):
    """How the engine that answers is run."""

    SERVICE = "service"  # ccr --no-ui
    EMBEDDED = "embedded"  # a child of the console; ends with it
    ONE_SHOT = "one-shot"  # ccr status / ccr lag reading the clusters by themselves


class SkipKind(StrEnum):
    """Why source offsets would be left out."""

    GAP = "gap"  # the source has deleted them
    POISON = "poison"  # they cannot be mirrored; they go to the quarantine topic


@dataclass(frozen=True, slots=True)
class Skips:
    """What accepting leaves out of the mirror: source offsets `first` to `end` - 1."""

    kind: SkipKind
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not running: what happened and what to do."""

    text: str
    next_step: str = ""
    since: float = 0.0
    retriable: bool = True
    acceptable: bool = False  # an operator can accept it: ccr retry --accept
    skips: Skips | None = None  # what is left out then; None: nothing, or `text` says what


@dataclass(frozen=True, slots=True)
class SkippedRange:
    """Source offsets `first` to `end` - 1, which were left out for good, and why."""

    first: int
    end: int
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class PartitionSnapshot:
    """One source partition and its mirror."""

    flow: str
    topic: str
    partition: int
    target_topic: str
    state: PartitionState
    reason: Reason | None
    source_end: int | None  # end of what a read_committed reader can see; None: not known yet
    mirrored_to: int | None  # next source offset to be acknowledged by the target
    target_end: int | None  # next target offset after our last acknowledged record
    lag_records: int | None
    lag_seconds: float | None  # age of the oldest record that is not mirrored yet; 0.0 when in step
    records_per_second: float
    bytes_per_second: float
    trend: Trend
    observed_at: float  # when source_end was last seen
    version: int = 0  # grows with every change; ask for partitions(since=version)
    skipped: tuple[SkippedRange, ...] = ()  # the newest of them
    skipped_records: int = 0  # source offsets left out, in all
    quarantined_records: int = 0
    foreign_records: int = 0  # in the mirror, between ours: somebody else writes there
    left_out_records: int = 0  # of the source: another flow mirrored them into it
    offsets: OffsetsSnapshot | None = None  # None: they are translated
    lag_records_per_second: float | None = None  # how fast lag changes; negative: it drains
    overtaken: Overtaking | None = None  # None: retention overtakes nothing as things go


@dataclass(frozen=True, slots=True)
class RatePoint:
    """One second of a flow's history, for sparklines."""

    at: float
    records_per_second: float
    bytes_per_second: float
    lag_records: int


@dataclass(frozen=True, slots=True)
class Owner:
    """The engine that holds a flow, as its state topic says."""

    engine_id: str
    host: str
    pid: int
    generation: int
    heartbeat_at: float  # broker's clock


@dataclass(frozen=True, slots=True)
class TopicLimit:
    """The rate that each topic has for itself whose whole source name matches; None: no limit."""

    topics: str  # regex
    bytes_per_second: int | None


@dataclass(frozen=True, slots=True)
class VerificationSnapshot:
    """What the engine's own verifier has compared since this engine owns the flow."""

    verify_bytes_per_second: int
    ranges: int
    compared: int  # records
    wrong: int  # records that differ, or that one side lacks without a good reason
    partitions_wrong: int
    last_wrong: str | None  # topic, partition, offsets, and what differs
    trouble: str | None  # why it does not get on
    compared_at: float  # 0.0: nothing yet


class SyncState(StrEnum):
    """How a syncer gets on; each but IN_STEP has its reasons."""

    STARTING = "starting"
    IN_STEP = "in step"
    OUT_OF_STEP = "out of step"  # something is left, each with its reason
    FAILING = "failing"  # it cannot look or act at the moment; tried again


@dataclass(frozen=True, slots=True)
class OutOfStep:
    """One thing that is not as on the source, why, and what to do."""

    object: str  # e.g. topic orders, retention.ms
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class SyncSnapshot:
    """One of a flow's syncers: topic configs, ACLs, consumer groups, …"""

    name: str
    state: SyncState
    reason: Reason | None  # why it is failing
    changes: int  # made on the target since this engine owns the flow
    left: tuple[OutOfStep, ...]  # the first of them
    left_total: int
    looked_at: float  # when it last looked at everything; 0.0: not yet
    seconds: float  # how long that took


@dataclass(frozen=True, slots=True)
class RunBrief:
    """A flow's runbook that has not ended; engine.api.runbook_snapshots has all of it."""

    id: str
    kind: str  # promote, failover
    state: str  # running, undoing, failed
    step: str  # what is done just now
    began: float
    fenced: bool  # producers are, or may be, kept from writing to the source
    crossed: bool  # behind the point of no return
    why: str  # it is being undone, or has stopped


@dataclass(frozen=True, slots=True)
class RehearsalBrief:
    """A flow's last rehearsal of a planned switch."""

    id: str
    at: float  # when it ended
    seconds: float  # that the switch itself took
    good: bool


@dataclass(frozen=True, slots=True)
class FlowSnapshot:
    """One direction, source to target."""

    name: str
    source: str
    target: str
    state: FlowState
    reason: Reason | None
    owner: Owner | None
    owned_here: bool
    topics: int
    partitions: int
    partitions_stopped: int
    partitions_waiting: int
    lag_records: int | None  # None: not known yet
    lag_seconds: float | None  # the worst partition's
    records_per_second: float
    bytes_per_second: float
    records_total: int  # acknowledged by the target since this engine started
    bytes_total: int
    limit_bytes_per_second: int | None
    history: tuple[RatePoint, ...]  # oldest first, at most 120 points
    observed_at: float
    run: RunBrief | None = None
    rehearsed: RehearsalBrief | None = None  # None: never, as far as the state topic remembers
    topic_limits: tuple[TopicLimit, ...] = ()  # the first that matches a topic counts
    verification: VerificationSnapshot | None = None  # None: not verified by this engine
    syncs: tuple[SyncSnapshot, ...] = ()  # while this engine owns the flow
    inbound: tuple[InboundFlowSnapshot, ...] = ()  # likewise
    left_out_records: int = 0  # of the source: other flows mirrored them into it
    conflicts: ConflictsSnapshot | None = None  # None: not looked for by this engine
    offsets: OffsetsTotals | None = None  # None: they are translated
    overtaken: FlowOvertaking | None = None  # told by the engine that owns the flow


@dataclass(frozen=True, slots=True)
class SecretSnapshot:
    """A secret that a cluster needs: where it is, never what it is."""

    key: str  # in the cluster's section: sasl.password
    reference: str  # as configured: keyring:SERVICE/USER
    state: SecretState


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """A cluster as the engine sees it."""

    name: str
    bootstrap_servers: tuple[str, ...]
    environment: str
    reachable: bool
    reason: Reason | None
    brokers: int
    observed_at: float
    secrets: tuple[SecretSnapshot, ...] = ()
    read_only: bool = False
    """Flows into it take no commands."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, kept in a bounded ring and in the log."""

    id: int
    at: float
    severity: Severity
    subject: str  # flow, cluster, or flow/topic/partition
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """Everything but the partitions, which are asked for by flow."""

    version: str  # of ccr
    engine_id: str
    mode: EngineMode
    host: str
    pid: int
    config_path: str
    read_only: bool
    started_at: float
    taken_at: float
    clusters: tuple[ClusterSnapshot, ...] = ()
    flows: tuple[FlowSnapshot, ...] = ()
    last_event_id: int = 0


@dataclass(frozen=True, slots=True)
class PartitionsPage:
    """Partitions that changed after the version that was asked for (all of them for 0)."""

    flow: str
    version: int
    total: int
    partitions: tuple[PartitionSnapshot, ...] = field(default=())
    removed: tuple[tuple[str, int], ...] = field(
        default=()
    )  # (topic, partition) no longer selected


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A command's answer; `changed` is false when things were so already (`already_paused`)."""

    changed: bool
    text: str
