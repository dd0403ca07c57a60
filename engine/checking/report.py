"""What a check found. Times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_MOST_NAMES = 5  # of topics in a line


class Grant(StrEnum):
    """Whether we are allowed to do something."""

    GRANTED = "granted"
    MISSING = "missing"
    UNKNOWN = "unknown"  # nobody tells; `note` says why


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not work: what, and what to do."""

    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """One broker of a cluster, connected to under the address that it advertises."""

    id: int
    address: str
    problem: Problem | None
    certificate_expires_at: float | None  # None: no TLS, or not reached


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """One cluster."""

    name: str
    bootstrap_servers: tuple[str, ...]
    problem: Problem | None  # why it cannot be connected to
    kafka: str  # the release it is at least, by what it speaks; empty: not reached
    login: str  # who we log in as; empty: nobody in particular
    certificate: str  # subject of our client certificate; empty: none
    certificate_expires_at: float | None
    brokers: tuple[BrokerReport, ...] = ()

    @property
    def reachable(self) -> bool:
        """Whether it answers, with all of its brokers."""
        return self.problem is None and all(broker.problem is None for broker in self.brokers)


@dataclass(frozen=True, slots=True)
class Permission:
    """One operation on topics of a cluster (or on the cluster itself: no topics) for a feature."""

    cluster: str
    operation: str  # as kafka-acls spells it
    topics: tuple[str, ...]
    purpose: str
    grant: Grant
    note: str = ""
    transactional_ids: tuple[str, ...] = ()  # it is about these instead

    def __str__(self) -> str:
        """Say it in a line."""
        names = ", ".join(self.topics[:_MOST_NAMES])
        more = len(self.topics) - _MOST_NAMES
        where = f"on topic {names}" if names else "on the cluster"
        if more > 0:
            where += f" and {more} more"
        if self.transactional_ids:
            where = f"on transactional id {', '.join(self.transactional_ids)}"
        note = f" ({self.note})" if self.note else ""
        return (
            f"{self.grant}: {self.operation} {where}, cluster {self.cluster}, "
            f"to {self.purpose}{note}"
        )


@dataclass(frozen=True, slots=True)
class FlowReport:
    """What a flow needs on both of its clusters."""

    name: str
    source: str
    target: str
    topics: int  # selected on the source
    permissions: tuple[Permission, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def missing(self) -> tuple[Permission, ...]:
        """The permissions that are certainly missing."""
        return tuple(each for each in self.permissions if each.grant is Grant.MISSING)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All that was checked."""

    checked_at: float
    clusters: tuple[ClusterReport, ...]
    flows: tuple[FlowReport, ...]
