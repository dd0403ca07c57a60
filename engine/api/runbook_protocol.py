"""RunbooksApi: plans, runs, and what an operator may say to one that is under way."""

from __future__ import annotations

from typing import Protocol

from engine.api.runbook_snapshots import Plan, RunKind, RunOptions, RunsPage
from engine.api.snapshots import CommandResult


class RunbooksApi(Protocol):
    """Promotion and failover. A flow has one run at a time; it is carried out by its owner."""

    async def plan(self, flow: str, kind: RunKind, options: RunOptions) -> Plan:
        """Return what a run would do and everything that could stop it; changes nothing."""
        ...

    async def runs(self, flow: str) -> RunsPage:
        """Return the flow's runs, one that is under way as it is right now."""
        ...

    async def start(
        self, flow: str, kind: RunKind, options: RunOptions, digest: str
    ) -> CommandResult:
        """Begin a run; the text is its id.

        `digest` is that of the plan that was looked at: RefusedError when it would be another one
        by now, when something stops it, and while another run is under way. Takes the flow over
        where this engine does not own it.
        """
        ...

    async def abort(self, flow: str) -> CommandResult:
        """Undo the run; RefusedError behind the point of no return."""
        ...

    async def go_on(self, flow: str) -> CommandResult:
        """Try the step again at which a run stopped behind the point of no return."""
        ...

    async def confirm(self, flow: str) -> CommandResult:
        """Say that what the run asks the operator to do is done."""
        ...
