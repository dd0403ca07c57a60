"""What the console knows: the last snapshot, how old it is, and whether the engine answers.

Only `app.CcrApp`'s message handlers change it. `now` is always a reading of `time.monotonic`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from engine.api.snapshots import EngineSnapshot, Event, FlowSnapshot, FlowState

STALE_AFTER = 5.0
"""Seconds after which what is on the screen is called stale."""
EVENTS_KEPT = 1000


class ConsoleMode(StrEnum):
    """Whose engine the console looks at."""

    ATTACHED = "attached"  # a service's; it goes on without the console
    EMBEDDED = "embedded"  # a child process of the console; ends with it


class Environment(StrEnum):
    """The most serious environment of the clusters in sight."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"


@dataclass(frozen=True, slots=True)
class LinkFailure:
    """The engine does not answer."""

    what: str
    next_step: str
    since: float  # monotonic
    attempts: int

    def __str__(self) -> str:
        return f"{self.what.rstrip('.')}. {self.next_step}".rstrip()


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event of one engine; ids start again with a new engine."""

    engine_id: str
    event: Event


@dataclass(slots=True)
class ConsoleState:
    """Everything the screens draw from, but the partitions."""

    mode: ConsoleMode
    config_name: str
    snapshot: EngineSnapshot | None = None
    received_at: float | None = None  # monotonic
    failure: LinkFailure | None = None
    events: deque[EventRow] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))

    def answered(self, snapshot: EngineSnapshot, now: float) -> None:
        """Take in an answer: the engine is there."""
        self.snapshot = snapshot
        self.received_at = now
        self.failure = None

    def failed(self, what: str, next_step: str, now: float) -> None:
        """Take in that the engine did not answer; the last data stays."""
        attempts = self.failure.attempts + 1 if self.failure else 1
        since = self.failure.since if self.failure else now
        self.failure = LinkFailure(what, next_step, since, attempts)

    def happened(self, engine_id: str, events: Iterable[Event]) -> None:
        """Take in new events, oldest first; an engine that starts again tells known ones, too."""
        known = {(row.event.id, row.event.at) for row in self.events}
        self.events.extend(
            EventRow(engine_id, event) for event in events if (event.id, event.at) not in known
        )

    def age(self, now: float) -> float | None:
        """Return seconds since the engine's last answer; None before the first."""
        return None if self.received_at is None else max(0.0, now - self.received_at)

    def lost_for(self, now: float) -> float | None:
        """Return seconds since the engine stopped to answer; None while it does."""
        return None if self.failure is None else max(0.0, now - self.failure.since)

    def stale(self, now: float) -> bool:
        """Tell whether what is on the screen may no longer be true."""
        age = self.age(now)
        return self.failure is not None or (age is not None and age >= STALE_AFTER)

    def observed_ago(self, observed_at: float, now: float) -> float | None:
        """Return the age in seconds of something the engine saw at `observed_at` (its clock)."""
        age = self.age(now)
        if self.snapshot is None or age is None or not observed_at:
            return None
        return max(0.0, self.snapshot.taken_at - observed_at) + age

    def flow(self, name: str | None) -> FlowSnapshot | None:
        """Return a flow by name."""
        flows = self.snapshot.flows if self.snapshot else ()
        return next((flow for flow in flows if flow.name == name), None)

    def watched_flows(self) -> tuple[FlowSnapshot, ...]:
        """Return the flows that another engine runs while this one stands by."""
        flows = self.snapshot.flows if self.snapshot else ()
        return tuple(
            f for f in flows if f.state is FlowState.STANDBY and f.owner and not f.owned_here
        )

    @property
    def observer(self) -> bool:
        """Tell whether every flow is run by another engine."""
        flows = self.snapshot.flows if self.snapshot else ()
        return bool(flows) and len(self.watched_flows()) == len(flows)

    @property
    def read_only(self) -> bool:
        """Tell whether the engine refuses every act."""
        return self.snapshot is not None and self.snapshot.read_only

    def read_only_target(self, flow: FlowSnapshot) -> bool:
        """Tell whether the flow writes to a cluster that the configuration has as read-only."""
        clusters = self.snapshot.clusters if self.snapshot else ()
        return any(each.name == flow.target and each.read_only for each in clusters)

    def environment(self, flow: FlowSnapshot | None = None) -> Environment | None:
        """Return the most serious environment of a flow's clusters, or of all; None if unknown."""
        if self.snapshot is None:
            return None
        names = None if flow is None else {flow.source, flow.target}
        found = {c.environment for c in self.snapshot.clusters if names is None or c.name in names}
        return next(
            (environment for environment in Environment if environment.value in found), None
        )

    def owned_flows(self) -> tuple[FlowSnapshot, ...]:
        """Return the flows that the engine in sight runs: they end with it."""
        return tuple(f for f in (self.snapshot.flows if self.snapshot else ()) if f.owned_here)
