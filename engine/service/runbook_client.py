"""RunbooksApi over the control socket."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from engine.api.runbook_snapshots import Plan, RunKind, RunOptions, RunsPage
from engine.api.snapshots import CommandResult
from engine.service.runbook_codec import OPTIONS, PLAN, RUNS
from engine.service.wire import Wire


class RemoteRunbooks:
    """Implements RunbooksApi; see there for the methods and what they raise."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def plan(self, flow: str, kind: RunKind, options: RunOptions) -> Plan:
        """Return what a run would do."""
        return await self._wire.ask(f"{_path(flow)}/plan", _body(kind, options), PLAN)

    async def runs(self, flow: str) -> RunsPage:
        """Return the flow's runs."""
        return await self._wire.get(_path(flow), RUNS)

    async def start(
        self, flow: str, kind: RunKind, options: RunOptions, digest: str
    ) -> CommandResult:
        """Begin a run."""
        body = {**_body(kind, options), "digest": digest}
        return await self._wire.post(f"starting {kind} of flow", flow, f"{_path(flow)}/start", body)

    async def abort(self, flow: str) -> CommandResult:
        """Undo the run."""
        return await self._command("aborting the run of flow", flow, "abort")

    async def go_on(self, flow: str) -> CommandResult:
        """Try the step again at which a run stopped."""
        return await self._command("going on with the run of flow", flow, "go-on")

    async def confirm(self, flow: str) -> CommandResult:
        """Say that what the run asks for is done."""
        return await self._command("confirming a step of flow", flow, "confirm")

    async def _command(self, operation: str, flow: str, verb: str) -> CommandResult:
        return await self._wire.post(operation, flow, f"{_path(flow)}/{verb}", {})


def _body(kind: RunKind, options: RunOptions) -> dict[str, Any]:
    return {"kind": kind.value, "options": OPTIONS.dump_python(options, mode="json")}


def _path(flow: str) -> str:
    return f"/v1/runbooks/{quote(flow, safe='')}"
