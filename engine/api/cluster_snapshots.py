"""What is known of clusters, and what testing a connection found.

Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.api.snapshots import Reason, SecretSnapshot


class Reach(StrEnum):
    """What became of the last look at a cluster."""

    UNTRIED = "untried"
    REACHED = "reached"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class ClusterListing:
    """One cluster of the configuration, as it was last seen and as it is connected to."""

    name: str
    bootstrap_servers: tuple[str, ...]
    environment: str
    read_only: bool
    reach: Reach
    reason: Reason | None  # why it is away
    since: float  # how long it is so; 0.0: not known
    observed_at: float  # when it answered last; 0.0: never
    kafka: str = ""  # the release it is at least, by what it speaks; empty: not known
    cluster_id: str = ""
    brokers: int = 0
    controller: int | None = None  # node id; None: not known, or KRaft, where brokers do not say
    latency: float | None = None  # seconds that a metadata request took: the median of the last
    latency_last: float | None = None  # and the last one
    protocol: str = ""  # security_protocol
    mechanism: str = ""
    user: str = ""
    secrets: tuple[SecretSnapshot, ...] = ()
    source_of: tuple[str, ...] = ()  # flows
    target_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterList:
    """All clusters of the configuration, in its order."""

    taken_at: float
    clusters: tuple[ClusterListing, ...]


@dataclass(frozen=True, slots=True)
class BrokerRow:
    """One broker; `bytes` is what its log folders hold, None where that is not told."""

    id: int
    address: str  # as it advertises itself
    rack: str
    leads: int  # partitions
    problem: Reason | None  # why it cannot be connected to
    bytes: int | None
    controller: bool


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One topic; `bytes` is of one copy of it, None where that is not told."""

    name: str
    internal: bool
    partitions: int
    replication_factor: int
    under_replicated: int  # partitions with fewer replicas in sync than there are
    offline: int  # partitions without a leader
    bytes: int | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One consumer group; `members` is None where they were not told."""

    name: str
    state: str  # as the brokers say: Stable, Empty, …
    kind: str  # classic, consumer, share, streams; empty: not told
    members: int | None
    coordinator: int


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """One client quota that may concern us."""

    user: str | None  # None: whatever the user; empty: the default of all users
    client_id: str | None
    key: str  # producer_byte_rate, consumer_byte_rate, request_percentage, …
    value: float


@dataclass(frozen=True, slots=True)
class Quorum:
    """The controllers of a KRaft cluster."""

    leader: int
    epoch: int
    voters: tuple[int, ...]
    observers: tuple[int, ...]


class Section(StrEnum):
    """A part of what is told of a cluster."""

    BROKERS = "brokers"
    SIZES = "sizes"
    TOPICS = "topics"
    GROUPS = "groups"
    MEMBERS = "members"
    QUOTAS = "quotas"
    QUORUM = "quorum"


@dataclass(frozen=True, slots=True)
class Untold:
    """A part that could not be had, and why."""

    section: Section
    reason: Reason


@dataclass(frozen=True, slots=True)
class ClusterDetail:
    """What a cluster tells of itself; what it does not is in `untold`."""

    name: str
    taken_at: float
    cluster_id: str = ""
    kafka: str = ""
    controller: int | None = None
    quorum: Quorum | None = None
    brokers: tuple[BrokerRow, ...] = ()
    topics: tuple[TopicRow, ...] = ()
    groups: tuple[GroupRow, ...] = ()
    quotas: tuple[QuotaRow, ...] = ()
    untold: tuple[Untold, ...] = ()

    def why_not(self, section: Section) -> Reason | None:
        """Return why a part is missing; None when it is there."""
        return next((each.reason for each in self.untold if each.section is section), None)


class StepName(StrEnum):
    """A step of testing a connection, in order."""

    PREPARE = "prepare"
    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    KAFKA = "kafka"
    LOGIN = "login"
    METADATA = "metadata"
    BROKERS = "brokers"
    PERMISSIONS = "permissions"


class StepState(StrEnum):
    """How far a step is."""

    WAITING = "waiting"
    RUNNING = "running"
    OK = "ok"
    DOUBTFUL = "doubtful"  # it works, but something about it may be wrong
    FAILED = "failed"
    SKIPPED = "not needed"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class TestStep:
    """One step, what it saw, and if it failed why and what to do."""

    __test__ = False  # pytest's: this is no test

    name: StepName
    state: StepState = StepState.WAITING
    seconds: float | None = None
    seen: tuple[str, ...] = ()
    problem: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionTest:
    """A test of a connection, under way or done."""

    id: int
    cluster: str
    started_at: float
    done: bool
    steps: tuple[TestStep, ...]

    @property
    def failed(self) -> TestStep | None:
        """The step that failed, if one did."""
        return next((step for step in self.steps if step.state is StepState.FAILED), None)
