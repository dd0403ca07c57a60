"""Carries one run out: step by step, journaled before and behind each; or undoes it."""

from __future__ import annotations

import asyncio
import logging
import time

from engine.api.runbook_snapshots import Run, RunState, Step, StepName, StepState
from engine.api.snapshots import Reason, Severity
from engine.errors import CcrError, ConnectError, KafkaError, RefusedError
from engine.kafka.connection import ConnectionLostError
from engine.replication.backoff import Backoff
from engine.replication.state_log import SupersededError
from engine.runbook.ledger import Ledger, StepTelling
from engine.runbook.sequences import sequence
from engine.runbook.situation import Situation
from engine.runbook.steps.base import Action

log = logging.getLogger(__name__)

UNDO_TRY_S = 120.0
INSIST_S = 10.0  # a broker that has just come back, or moves leaders


class Runner:
    """One run, in the hands of the engine that owns the flow."""

    def __init__(self, situation: Situation, ledger: Ledger) -> None:
        self.ledger = ledger
        self._actions: dict[StepName, Action] = {a.name: a for a in sequence(situation)}
        self._task: asyncio.Task[None] | None = None
        self._acting: asyncio.Task[CcrError | None] | None = None

    @property
    def run(self) -> Run:
        """The run as it is now."""
        return self.ledger.run

    # life

    def start(self) -> None:
        """Begin, or go on with what another engine began."""
        self._task = asyncio.create_task(self._run(), name=f"run {self.run.id}")

    def is_crossed(self) -> bool:
        """Whether the run, as an engine has left it, is behind the point of no return."""
        under_way = [step for step in self.run.steps if step.state is not StepState.PENDING]
        return self.run.crossed or any(self._actions[step.name].is_crossed() for step in under_way)

    @property
    def working(self) -> bool:
        """Whether it is at it."""
        return self._task is not None and not self._task.done()

    async def ended(self) -> None:
        """Wait until it has ended, one way or the other."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Let go, with no chance to do anything more: the journal says how to go on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def abort(self) -> bool:
        """Undo everything; returns False when that is under way.

        Raises RefusedError when it has ended, and behind the point of no return.
        """
        run = self.run
        if run.state.ended:
            raise RefusedError("aborting run", run.id, f"it is {run.state}")
        if run.crossed or any(s.crosses and s.state is not StepState.PENDING for s in run.steps):
            raise RefusedError(
                "aborting run",
                run.id,
                "it is behind the point of no return",
                "Let it go on; the way back is a switch in the other direction",
            )
        if run.state is RunState.UNDOING:
            return False
        self.ledger.change(state=RunState.UNDOING, reason=Reason("aborted by an operator"))
        if self._acting is not None:
            self._acting.cancel()
        return True

    async def _run(self) -> None:
        try:
            if self.run.state is not RunState.UNDOING:
                await self._forward()
            if self.run.state is RunState.UNDOING:
                await self._backward()
        except (CcrError, ConnectionLostError) as error:
            log.warning("run %s: let go: %s", self.run.id, error)
            self.ledger.tell(Severity.ERROR, f"goes on where the flow is owned: {error}")
        except Exception as error:
            log.exception("run %s failed", self.run.id)
            self.ledger.tell(Severity.ERROR, f"internal error: {type(error).__name__}: {error}")

    # forward

    async def _forward(self) -> None:
        self.ledger.change(state=RunState.RUNNING, reason=None)
        await self.ledger.write()
        self.ledger.tell(Severity.WARNING, f"is carried out, asked for by {self.run.by}")
        for step in self.run.steps:
            if step.state is StepState.DONE:
                continue
            error = await self._act(step.name)
            if error is not None:
                await self._failed(step, error)
            if self.run.state is not RunState.RUNNING:
                return
        self.ledger.change(state=RunState.DONE, ended=time.time())
        await self.ledger.write()
        self.ledger.tell(Severity.WARNING, f"done after {self.run.ended - self.run.began:.1f} s")

    async def _act(self, name: StepName) -> CcrError | None:
        """Let a step act, within its time; return why it failed."""
        action = self._actions[name]
        self.ledger.change_step(
            name, state=StepState.RUNNING, began=time.time(), reason=None, evidence=()
        )
        await self.ledger.write()
        self._acting = asyncio.ensure_future(self._within(action))
        try:
            await asyncio.wait([self._acting])
        finally:
            acting, self._acting = self._acting, None
            acting.cancel()  # when this run itself is cancelled
        if self.run.state is not RunState.RUNNING:
            return None  # aborted meanwhile
        error = acting.result()
        if error is None:
            crossed = self.run.crossed or action.crosses
            self.ledger.change(crossed=crossed)
            self.ledger.change_step(name, state=StepState.DONE, ended=time.time(), waits_for="")
            await self.ledger.write()
        return error

    async def _within(self, action: Action) -> CcrError | None:
        seconds = action.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._insist(action)
        except TimeoutError:
            waits = self.ledger.step_of(action.name).waits_for
            cause = f"not within {seconds:.0f} s" + (f"; it waited for {waits}" if waits else "")
            return CcrError("carrying out", action.title, cause)
        except SupersededError:
            raise
        except CcrError as error:
            return error
        except ConnectionLostError as error:
            return ConnectError("carrying out", action.title, str(error))
        except Exception as error:
            log.exception("run %s, step %s", self.run.id, action.name)
            cause = f"internal error: {type(error).__name__}: {error}"
            return CcrError("carrying out", action.title, cause, "Please report it with the log")
        return None

    async def _insist(self, action: Action) -> None:
        """Let it act; again, for a while, where the same may work in a moment (a leader moves)."""
        until = time.monotonic() + INSIST_S
        backoff = Backoff(0.2, 2.0)
        while True:
            telling = StepTelling(self.ledger, action.name)
            try:
                await action.act(telling)
            except (KafkaError, ConnectionLostError) as error:
                passing = isinstance(error, ConnectionLostError) or error.retriable
                if not passing or time.monotonic() > until:
                    raise
                log.info("run %s, step %s is tried again: %s", self.run.id, action.name, error)
                self.ledger.change_step(action.name, evidence=())
                telling.waits_for(f"another try, after: {error}")
                await backoff.sleep()
            else:
                return

    async def _failed(self, step: Step, error: CcrError) -> None:
        reason = Reason(f"{error.operation} {error.object}: {error.cause}", error.next_step)
        self.ledger.change_step(step.name, state=StepState.FAILED, ended=time.time(), reason=reason)
        # What was not answered has been found out once this is written.
        await self.ledger.write()
        if self.run.crossed or self._actions[step.name].is_crossed():
            self.ledger.change(state=RunState.FAILED, reason=reason, crossed=True)
            self.ledger.tell(Severity.ERROR, f"stopped: {reason.text}", "Then resume it")
        else:
            self.ledger.change(state=RunState.UNDOING, reason=reason)
            self.ledger.tell(Severity.ERROR, f"is undone: {reason.text}", error.next_step)
        await self.ledger.write()

    # backward

    async def _backward(self) -> None:
        await self.ledger.write()
        for step in reversed(self.run.steps):
            if step.state not in (StepState.PENDING, StepState.UNDONE):
                await self._undo(step.name)
        self.ledger.change(state=RunState.UNDONE, ended=time.time())
        await self.ledger.write()
        self.ledger.tell(Severity.WARNING, "is undone: everything is as it was before")

    async def _undo(self, name: StepName) -> None:
        """Undo a step, however long that takes: a fence must not stay up unnoticed."""
        action = self._actions[name]
        backoff = Backoff(0.5, 10.0)
        self.ledger.change_step(name, state=StepState.UNDOING)
        while True:
            try:
                async with asyncio.timeout(max(action.timeout_seconds, UNDO_TRY_S)):
                    await action.undo(StepTelling(self.ledger, name))
            except SupersededError:
                raise
            except (CcrError, ConnectionLostError, TimeoutError) as error:
                await self._undo_failed(action, str(error) or "it took too long")
                await backoff.sleep()
            else:
                self.ledger.change_step(
                    name, state=StepState.UNDONE, ended=time.time(), waits_for=""
                )
                await self.ledger.write()
                return

    async def _undo_failed(self, action: Action, why: str) -> None:
        reason = Reason(f"undoing it fails, and is tried again: {why}")
        if self.ledger.step_of(action.name).reason != reason:
            self.ledger.change_step(action.name, reason=reason)
            self.ledger.tell(Severity.ERROR, f"{action.undoing or action.title}: {reason.text}")
            await self.ledger.write()
