"""What a look at the topics of a fenced source tells: do they stand still, and who moves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.kafka.fetch import TopicPartition


@dataclass(frozen=True, slots=True)
class Writer:
    """A producer that a broker holds for a partition (DescribeProducers)."""

    producer_id: int
    epoch: int
    last_sequence: int
    """-1: none since it began."""
    last_write_ms: int
    """Timestamp of the last record it wrote, in ms since 1970; -1 when the broker has none."""


@dataclass(frozen=True, slots=True)
class Moving:
    """A partition that records were appended to within the quiet time."""

    topic: str
    partition: int
    began: int
    """Where its log ended at the first look."""
    end: int
    """Where it ends now."""
    moved_s_ago: float
    writers: tuple[Writer, ...]
    """Those that wrote since the first look, youngest write first. None while it moves: a producer
    without idempotence, or nobody may tell (`Standing.not_told`)."""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that holds partitions' last stable offsets."""

    producer_id: int
    epoch: int
    partitions: Mapping[TopicPartition, int]
    """Where it begins, by partition, of those that are watched."""
    last_write_ms: int
    """Timestamp of the last record it wrote there, in ms since 1970; -1 when not told."""
    transactional_id: str | None = None
    """None: no coordinator tells (an old broker, no DESCRIBE on it, or a hanging transaction)."""
    state: str | None = None
    """In the coordinator's words: Ongoing, PrepareCommit, PrepareAbort, …"""
    age_s: float | None = None
    """Since it began, by the coordinator's clock and ours; None when no coordinator tells."""
    timeout_s: float | None = None
    """At this age its coordinator aborts it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One look at all partitions, with what was seen since the first."""

    tight: bool
    """No partition got a record for `quiet_s`, and all are stable: nobody writes, or can commit
    what he wrote. Markers do not count: whose transactions are refused aborts them, again and
    again."""
    ends: Mapping[TopicPartition, int]
    """Where each log ends on its leader: the offset the next record would get."""
    stable: Mapping[TopicPartition, int]
    """The last stable offsets: what consumers of committed records may read up to."""
    quiet_s: float
    stood_s: float
    """How long ago the youngest record was appended, or how long that was watched for."""
    elapsed_s: float
    moving: tuple[Moving, ...] = ()
    transactions: tuple[OpenTransaction, ...] = ()
    """Oldest first."""
    behind: tuple[TopicPartition, ...] = ()
    """Not all is stable although no transaction is open: its replicas are behind."""
    unanswered: tuple[TopicPartition, ...] = ()
    """They have no leader, or it does not answer."""
    unseen: tuple[str, ...] = ()
    """Topics that are not there, or that we may not DESCRIBE."""
    not_told: str = ""
    """Why producers or transactions could not be named, with what to do."""
