"""Runbooks as they are planned, shown, journaled and reported; plain values.

A run's journal is its `Run`, written again at every change (docs/state.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine.api.loss_snapshots import LossSnapshot
from engine.api.snapshots import Reason


class RunKind(StrEnum):
    """Which runbook."""

    PROMOTE = "promote"  # planned: drained, nothing is lost
    FAILOVER = "failover"  # now, with what is lost shown beforehand
    REHEARSAL = "rehearsal"  # a planned switch of throw-away topics
    FAILBACK = "failback"  # the old source is back: settle what never arrived, copy the delta back


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    UNDOING = "undoing"  # a step failed, an operator aborted, or its engine died
    DONE = "done"
    UNDONE = "undone"  # as if it had never been
    FAILED = "failed"  # behind the point of no return, or what was done cannot be undone: resume it

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self in (RunState.DONE, RunState.UNDONE)


class StepState(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


class StepName(StrEnum):
    """The steps there are, as journals call them."""

    FENCE = "fence"
    STAND = "stand"
    DRAIN = "drain"
    STOP = "stop"
    VERIFY = "verify"
    TAIL = "tail"
    GROUPS = "groups"
    PROMOTE = "promote"
    GRANT = "grant"
    CUT_OVER = "cut-over"
    LIFT = "lift"
    REVERSE = "reverse"
    MAKE = "make"
    CLEAN = "clean"
    FIND = "find"
    EXPORT = "export"
    SETTLE = "settle"
    WAY_BACK = "way-back"
    CATCH_UP = "catch-up"
    PASS_OVER = "pass-over"  # noqa: S105  (no password)


@dataclass(frozen=True, slots=True)
class RunFinding:
    """Something that an operator has to know before a run."""

    step: StepName | None  # the step that it concerns
    stops: bool  # the run is refused while it stands
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What an operator chooses for one run; None: as the flow's `switch` section has it."""

    fence: str | None = None
    reverse: bool | None = None
    verify: str | None = None
    mode: str | None = None  # failback: reinject, keep-aside (None, too) or discard


@dataclass(frozen=True, slots=True)
class Step:
    """One step, planned or under way."""

    name: StepName
    title: str
    undo: str  # what undoing it does; empty: there is nothing to undo
    timeout_seconds: float
    crosses: bool = False  # behind it there is no way back
    state: StepState = StepState.PENDING
    began: float = 0.0
    ended: float = 0.0
    waits_for: str = ""
    evidence: tuple[str, ...] = ()
    reason: Reason | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    """What it takes to go on with it or to undo it; journaled before the step acts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, computed from what is there now."""

    kind: RunKind
    flow: str
    source: str
    target: str
    made_at: float
    steps: tuple[Step, ...]
    findings: tuple[RunFinding, ...]
    loss: LossSnapshot | None  # what would be lost now; with `promote` nothing is
    digest: str  # of the steps and what stops them; what was looked at is what is run

    @property
    def refused(self) -> bool:
        """Whether it cannot be run as things are."""
        return any(finding.stops for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Run:
    """One run, under way or ended."""

    id: str
    kind: RunKind
    flow: str
    source: str
    target: str
    state: RunState
    began: float
    ended: float
    by: str  # user, and where from
    host: str  # of the engine that carries it out
    version: str
    options: RunOptions
    steps: tuple[Step, ...]
    crossed: bool = False  # behind the point of no return: only forward
    reason: Reason | None = None  # why it is being undone, or what it waits for
    loss: LossSnapshot | None = None  # as it was shown before
    interrupted: int = 0  # how often another engine had to go on with it


@dataclass(frozen=True, slots=True)
class RunsPage:
    """The runs of a flow that its state topic remembers, newest first."""

    flow: str
    runs: tuple[Run, ...]
