"""RunbooksApi in memory: plans as they are set, runs that the test moves on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace

from engine.api.loss_snapshots import LossSnapshot
from engine.api.runbook_snapshots import (
    Plan,
    Run,
    RunFinding,
    RunKind,
    RunOptions,
    RunsPage,
    RunState,
    Step,
    StepName,
    StepState,
)
from engine.api.snapshots import CommandResult

FENCE = Step(
    StepName.FENCE, "Fence producers on primary: max.message.bytes=78 on every topic",
    "lifts the fence; everything is as it was before", 120,
)  # fmt: skip
STAND = Step(StepName.STAND, "Wait until nothing is written on primary any more", "", 600)
DRAIN = Step(StepName.DRAIN, "Drain: wait until dr has every record", "", 600)
STOP = Step(StepName.STOP, "Stop mirroring; what is in flight is acknowledged", "mirrors on", 30)
PROMOTE = Step(
    StepName.PROMOTE, "Promote: record on dr that primary is no longer mirrored", "", 30, True
)
CUT_OVER = Step(StepName.CUT_OVER, "Tell what clients set to use dr", "", 65)
STEPS = {
    RunKind.PROMOTE: (FENCE, STAND, DRAIN, STOP, PROMOTE, CUT_OVER),
    RunKind.FAILOVER: (STOP, PROMOTE, CUT_OVER),
    RunKind.FAILBACK: (Step(StepName.FIND, "Find what primary has that never arrived", "", 60),),
    RunKind.REHEARSAL: (FENCE, STAND, DRAIN),
}
CLIENTS = RunFinding(
    StepName.CUT_OVER, False, "ccr does not move clients: switch.cut_over is not set",
    "Move them when the run is done; it tells what they set",
)  # fmt: skip
STUCK = RunFinding(
    StepName.DRAIN, True, "orders.eu/1 is stopped: the target refused a batch",
    "Raise max.message.bytes of orders.eu on dr, then retry the partition",
)  # fmt: skip
Asked = Callable[..., Awaitable[None]]


def _chosen(options: RunOptions) -> list[str]:
    return [f"{name}={value}" for name, value in asdict(options).items() if value is not None]


def a_run(kind: RunKind, state: RunState, began: float, **values: object) -> Run:
    """Return a run that has every step behind it."""
    steps = tuple(replace(each, state=StepState.DONE, began=began, ended=began + 1)
                  for each in STEPS[kind])  # fmt: skip
    run = Run(
        f"20261123-{int(began) % 1_000_000:06}-beef", kind, "primary-to-dr", "primary", "dr",
        state, began, began + 42, "bob, ssh from 10.0.0.9", "dr-host-2", "0.1.0", RunOptions(),
        steps,
    )  # fmt: skip
    return replace(run, **values)  # type: ignore[arg-type]


class ScriptedRunbooks:
    """One flow's."""

    def __init__(
        self, asked: Asked, loss: Callable[[str, str | None, float], LossSnapshot], now: float
    ) -> None:
        self._asked = asked
        self._loss = loss
        self._now = now
        self.findings: dict[RunKind, tuple[RunFinding, ...]] = {}
        self.run: Run | None = None
        self.ended: tuple[Run, ...] = ()
        self.answered = asyncio.Event()
        """Plans wait for it while it is not set."""
        self.answered.set()

    def loss_now(self, flow: str) -> LossSnapshot:
        """Return what would be lost now."""
        return self._loss(flow, None, self._now)

    async def plan(self, flow: str, kind: RunKind, options: RunOptions) -> Plan:
        await self._asked("plan", flow, kind.value, *_chosen(options))
        await self.answered.wait()
        loss = self.loss_now(flow) if kind is RunKind.FAILOVER else None
        findings = self.findings.get(kind, (CLIENTS,))
        return Plan(kind, flow, "primary", "dr", self._now, STEPS[kind], findings, loss, "d1gest")

    async def runs(self, flow: str) -> RunsPage:
        await self._asked("runs", flow)
        return RunsPage(flow, (*((self.run,) if self.run is not None else ()), *self.ended))

    async def start(
        self, flow: str, kind: RunKind, options: RunOptions, digest: str
    ) -> CommandResult:
        await self._asked("start", flow, kind.value, digest, *_chosen(options))
        self.run = Run(
            "20261123-010203-abcd", kind, flow, "primary", "dr", RunState.RUNNING, self._now, 0.0,
            "alice, ccr", "dr-host-1", "0.1.0", options, STEPS[kind],
        )  # fmt: skip
        return CommandResult(True, self.run.id)

    async def abort(self, flow: str) -> CommandResult:
        await self._asked("abort", flow)
        self.change(state=RunState.UNDOING)
        return CommandResult(True, "it is being undone")

    async def go_on(self, flow: str) -> CommandResult:
        await self._asked("go_on", flow)
        self.change(state=RunState.RUNNING)
        return CommandResult(True, "it goes on")

    async def confirm(self, flow: str) -> CommandResult:
        await self._asked("confirm", flow)
        return CommandResult(True, "confirmed")

    def change(self, **values: object) -> None:
        """Move the run on."""
        assert self.run is not None
        self.run = replace(self.run, **values)  # type: ignore[arg-type]

    def step(self, name: StepName, state: StepState, **values: object) -> None:
        """Move one step on."""
        assert self.run is not None
        steps = tuple(
            replace(each, state=state, **values) if each.name is name else each  # type: ignore[arg-type]
            for each in self.run.steps
        )
        self.run = replace(self.run, steps=steps)
