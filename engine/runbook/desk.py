"""The runs of one engine: begun here, or taken up where an engine has died in the middle of one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from engine import __version__
from engine.api.loss_snapshots import LossSnapshot
from engine.api.runbook_snapshots import Plan, Run, RunKind, RunOptions, RunsPage, RunState
from engine.api.snapshots import Reason, Severity
from engine.engine import Engine
from engine.errors import CcrError, RefusedError
from engine.kafka.connection import ConnectionLostError
from engine.reload.reloader import Reloader
from engine.replication.flow import Flow
from engine.runbook.journal import Journal, runs_of
from engine.runbook.ledger import Ledger
from engine.runbook.planning import make_plan
from engine.runbook.rehearsal import Rehearsal
from engine.runbook.runner import Runner
from engine.runbook.situation import Situation

log = logging.getLogger(__name__)

TAKE_OVER_S = 30.0
WATCH_S = 0.25


class Desk:
    """Begins runs, holds those under way, and takes up what was left."""

    def __init__(self, engine: Engine, reloader: Reloader, folder: Path | None) -> None:
        self._engine = engine
        self._reloader = reloader
        self._folder = folder
        self._journal = Journal(folder)
        self._runners: dict[str, Runner] = {}  # by flow
        self._beginning: set[str] = set()
        self._rehearsals: dict[str, Rehearsal] = {}  # by the real flow
        self._rehearsing: dict[str, asyncio.Task[None]] = {}
        self._ended = False

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Take up runs that were left, as soon as their flows are owned here."""
        watching = asyncio.create_task(self._watch(), name="runs")
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def end(self, deadline_seconds: float) -> None:
        """Undo what is under way, or finish it behind the point of no return.

        What takes longer than the deadline is left to the next engine. To be called before the
        engine stops.
        """
        self._ended = True
        working = [runner for runner in self._runners.values() if runner.working]
        for runner in working:
            with contextlib.suppress(RefusedError):  # behind the point of no return: it goes on
                runner.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_seconds):
                await asyncio.gather(*(runner.ended() for runner in working))
                await asyncio.gather(*self._rehearsing.values())
        for runner in working:
            await runner.stop()

    async def _watch(self) -> None:
        while not self._ended:
            for name, flow in list(self._engine.flows.items()):
                if flow.claimed.is_set() and flow.record.in_a_run and name not in self._beginning:
                    self._take_up(name, flow)
            await asyncio.sleep(WATCH_S)

    def _take_up(self, name: str, flow: Flow) -> None:
        """Go on with a run behind the point of no return; undo it before that."""
        runner = self._runners.get(name)
        if runner is not None and (runner.working or runner.run.state is RunState.FAILED):
            return
        run = next(each for each in runs_of(flow.record) if not each.state.ended)
        if run.state is RunState.FAILED:
            return  # an operator says when
        runner = self._carry(replace(run, interrupted=run.interrupted + 1))
        if runner.is_crossed():
            runner.ledger.change(crossed=True)
        elif run.state is RunState.RUNNING:
            died = Reason(f"the engine on {run.host} died or let go of it, so it is undone")
            runner.ledger.change(state=RunState.UNDOING, reason=died)
        log.warning("run %s of flow %s is taken up: %s", run.id, name, runner.run.state)
        runner.start()

    def _situation(self, flow: str, kind: RunKind, options: RunOptions) -> Situation:
        return Situation(self._engine, self._reloader, kind, flow, options, self._folder)

    def _carry(self, run: Run) -> Runner:
        situation = self._situation(run.flow, run.kind, run.options)
        runner = Runner(situation, Ledger(situation, run, self._journal))
        self._runners[run.flow] = runner
        return runner

    # what is asked for

    async def plan(
        self, flow: str, kind: RunKind, options: RunOptions, loss: LossSnapshot | None
    ) -> Plan:
        """Plan a run; `loss` is what would be lost now. Raises RefusedError."""
        situation = self._situation(flow, kind, options)
        return await make_plan(situation, loss)

    async def start(
        self, name: str, kind: RunKind, options: RunOptions, plan: Plan, by: str
    ) -> str:
        """Begin a run as planned; return its id. Raises RefusedError."""
        if name in self._beginning:
            raise RefusedError(f"starting {kind} of flow", name, "another one is beginning")
        self._beginning.add(name)
        try:
            await self._own(name, kind)
            run = self._begun(name, kind, options, plan, by)
            runner = self._carry(run)
            await runner.ledger.write()
            runner.start()
        finally:
            self._beginning.discard(name)
        return run.id

    def _begun(self, name: str, kind: RunKind, options: RunOptions, plan: Plan, by: str) -> Run:
        now = time.time()
        return Run(
            id=f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{uuid.uuid4().hex[:4]}",
            kind=kind,
            flow=name,
            source=plan.source,
            target=plan.target,
            state=RunState.RUNNING,
            began=now,
            ended=0.0,
            by=by,
            host=self._engine.identity.host,
            version=__version__,
            options=options,
            steps=plan.steps,
            loss=plan.loss,
        )

    def rehearse(self, name: str, options: RunOptions, plan: Plan, by: str) -> str:
        """Begin a rehearsal; return its run's id. Raises RefusedError."""
        if name in self._rehearsing:
            raise RefusedError("rehearsing flow", name, "a rehearsal is under way")

        async def begin(flow: str, kind: RunKind, chosen: RunOptions) -> str:
            inner = await self.plan(flow, kind, chosen, None)
            for finding in inner.findings:
                if finding.stops:
                    raise RefusedError("rehearsing flow", name, finding.text, finding.next_step)
            return await self.start(flow, kind, chosen, inner, by)

        def look(flow: str) -> Run | None:
            runner = self._runners.get(flow)
            return runner.run if runner else None

        run = self._begun(name, RunKind.REHEARSAL, options, plan, by)
        rehearsal = self._rehearsals[name] = Rehearsal(self._engine, run, begin, look)
        self._rehearsing[name] = asyncio.create_task(self._rehearsed(name, rehearsal))
        return run.id

    async def _rehearsed(self, name: str, rehearsal: Rehearsal) -> None:
        try:
            run = await rehearsal.carry_out()
            self._runners.pop(rehearsal.flow, None)
            flow = self._engine.flow(name)
            severity = Severity.INFO if run.state is RunState.DONE else Severity.WARNING
            self._engine.events.emit(severity, name, f"rehearsal ({run.id}) is {run.state}")
            if flow.claimed.is_set():
                await self._journal.write(flow, run)
        except (CcrError, ConnectionLostError) as error:
            log.warning("the rehearsal of flow %s is not on record: %s", name, error)
        except Exception:
            log.exception("the rehearsal of flow %s failed", name)
        finally:
            self._rehearsing.pop(name, None)

    async def _own(self, name: str, kind: RunKind) -> None:
        flow = self._engine.flow(name)
        if not flow.owned_here:
            flow.take_over()
        try:
            async with asyncio.timeout(TAKE_OVER_S):
                await flow.claimed.wait()
        except TimeoutError:
            state, reason = flow.state()
            raise RefusedError(
                f"starting {kind} of flow",
                name,
                f"it could not be taken over within {TAKE_OVER_S:.0f} s: it is {state}"
                + (f", {reason.text}" if reason else ""),
            ) from None
        if flow.record.in_a_run:
            raise RefusedError(
                f"starting {kind} of flow", name, "another run of it is under way",
                f"See ccr runbook {name}",
            )  # fmt: skip

    def runs(self, name: str) -> RunsPage:
        """Return a flow's runs, newest first; raises RefusedError."""
        runs = {run.id: run for run in runs_of(self._engine.flow(name).record)}
        rehearsal, runner = self._rehearsals.get(name), self._runners.get(name)
        if rehearsal is not None:
            runs[rehearsal.run.id] = rehearsal.run
        if runner is not None:
            runs[runner.run.id] = runner.run
        return RunsPage(name, tuple(sorted(runs.values(), key=lambda run: -run.began)))

    def runner(self, name: str, operation: str) -> Runner:
        """Return the run that is under way; raises RefusedError."""
        rehearsed = self._rehearsals[name].flow if name in self._rehearsing else ""
        runner = self._runners.get(rehearsed) or self._runners.get(name)
        if runner is None or not runner.working:
            raise RefusedError(operation, name, "no run of it is under way in this engine")
        return runner

    def go_on(self, name: str) -> bool:
        """Try the failed step of a run again; False when it is at it. Raises RefusedError."""
        runner = self._runners.get(name)
        if runner is not None and runner.working:
            return False
        flow = self._engine.flow(name)
        left = [run for run in self.runs(name).runs if run.state is RunState.FAILED]
        if not left or not flow.claimed.is_set():
            cause = "it has no run that stopped" if not left else "it is not owned here"
            raise RefusedError("going on with the run of flow", name, cause)
        self._carry(left[0]).start()
        return True
