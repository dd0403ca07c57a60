"""RunbooksApi on an engine in this process."""

from __future__ import annotations

from collections.abc import Callable

from engine.api.protocol import FlowsApi
from engine.api.runbook_snapshots import Plan, RunKind, RunOptions, RunsPage
from engine.api.snapshots import CommandResult
from engine.audit.caller import caller
from engine.errors import RefusedError
from engine.runbook.desk import Desk


class LocalRunbooksApi:
    """See engine.api.runbook_protocol."""

    def __init__(self, desk: Desk, flows: FlowsApi, may_change: Callable[[str, str], None]) -> None:
        """`may_change` raises RefusedError for an operation on a flow that may not be changed."""
        self._desk = desk
        self._flows = flows
        self._may_change = may_change

    async def plan(self, flow: str, kind: RunKind, options: RunOptions) -> Plan:
        """Return what a run would do."""
        loss = await self._flows.loss(flow) if kind is RunKind.FAILOVER else None
        return await self._desk.plan(flow, kind, options, loss)

    async def runs(self, flow: str) -> RunsPage:
        """Return the flow's runs."""
        return self._desk.runs(flow)

    async def start(
        self, flow: str, kind: RunKind, options: RunOptions, digest: str
    ) -> CommandResult:
        """Begin a run."""
        self._may_change(f"starting {kind} of flow", flow)
        plan = await self.plan(flow, kind, options)
        if plan.refused:
            first = next(finding for finding in plan.findings if finding.stops)
            raise RefusedError(f"starting {kind} of flow", flow, first.text, first.next_step)
        if plan.digest != digest:
            raise RefusedError(
                f"starting {kind} of flow",
                flow,
                "what it would do is no longer what was shown",
                "Look at the plan again",
            )
        who = caller()
        by = f"{who.user}, {who.told}" if who.told else who.user
        if kind is RunKind.REHEARSAL:
            return CommandResult(True, self._desk.rehearse(flow, options, plan, by))
        run = await self._desk.start(flow, kind, options, plan, by)
        return CommandResult(True, run)

    async def abort(self, flow: str) -> CommandResult:
        """Undo the run."""
        self._may_change("aborting the run of flow", flow)
        changed = self._desk.runner(flow, "aborting the run of flow").abort()
        return CommandResult(changed, "it is being undone" if changed else "already_undoing")

    async def go_on(self, flow: str) -> CommandResult:
        """Try the step again at which a run stopped."""
        self._may_change("going on with the run of flow", flow)
        changed = self._desk.go_on(flow)
        return CommandResult(changed, "it goes on" if changed else "already_running")

    async def confirm(self, flow: str) -> CommandResult:
        """Say that what the run asks for is done."""
        self._may_change("confirming a step of flow", flow)
        ledger = self._desk.runner(flow, "confirming a step of flow").ledger
        changed = ledger.confirm()
        return CommandResult(changed, "confirmed" if changed else "nothing_asked")
