"""A run as it goes: its one record, changed here alone, journaled and told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from engine.api.runbook_snapshots import Run, Step, StepName
from engine.api.snapshots import Severity
from engine.errors import ConnectError, KafkaError
from engine.kafka.connection import ConnectionLostError
from engine.replication.backoff import Backoff
from engine.replication.state_log import SupersededError
from engine.runbook.journal import Journal
from engine.runbook.situation import Situation

log = logging.getLogger(__name__)


class Ledger:
    """Holds one run."""

    def __init__(self, situation: Situation, run: Run, journal: Journal) -> None:
        self.run = run
        self._confirmed = asyncio.Event()  # the operator has done what he was asked for
        self._confirmed.set()
        self.changed: Callable[[Run], None] = lambda run: None
        self._situation = situation
        self._journal = journal

    def step_of(self, name: StepName) -> Step:
        """Return a step as it is now."""
        return next(step for step in self.run.steps if step.name is name)

    def change(self, **values: Any) -> None:
        """Change the run; `write` makes it last."""
        self.run = replace(self.run, **values)
        self.changed(self.run)

    def change_step(self, name: StepName, **values: Any) -> None:
        """Change a step; `write` makes it last."""
        steps = tuple(
            replace(step, **values) if step.name is name else step for step in self.run.steps
        )
        self.change(steps=steps)

    async def ask(self) -> None:
        """Wait until the operator confirms."""
        self._confirmed.clear()
        await self.write()
        await self._confirmed.wait()

    def confirm(self) -> bool:
        """Say that what the operator was asked for is done; False when nothing was."""
        asked = not self._confirmed.is_set()
        self._confirmed.set()
        return asked

    async def write(self) -> None:
        """Journal; a target that does not answer is waited for. Raises SupersededError."""
        backoff = Backoff(0.1, 2.0)
        while True:
            try:
                await self._journal.write(self._situation.flow, self.run)
            except SupersededError:
                raise
            except (KafkaError, ConnectError, ConnectionLostError) as error:
                log.warning("run %s: its journal cannot be written: %s", self.run.id, error)
                await backoff.sleep()
            else:
                return

    def tell(self, severity: Severity, text: str, next_step: str = "") -> None:
        """Emit an event about the run."""
        what = f"{self.run.kind} ({self.run.id})"
        self._situation.engine.events.emit(severity, self.run.flow, f"{what} {text}", next_step)


class StepTelling:
    """What a step says goes into the run; see engine.runbook.steps.base.Telling."""

    def __init__(self, ledger: Ledger, name: StepName) -> None:
        self._ledger = ledger
        self._name = name

    @property
    def run_id(self) -> str:
        """The run."""
        return self._ledger.run.id

    @property
    def by(self) -> str:
        """Who began it."""
        return self._ledger.run.by

    @property
    def kept(self) -> Mapping[str, Any]:
        """What this step keeps."""
        return self.kept_by(self._name)

    def kept_by(self, step: StepName) -> Mapping[str, Any]:
        """What another step keeps."""
        return next((each.kept for each in self._ledger.run.steps if each.name is step), {})

    async def keep(self, **values: Any) -> None:
        """Remember, journaled."""
        self._ledger.change_step(self._name, kept={**self.kept, **values})
        await self._ledger.write()

    def waits_for(self, text: str) -> None:
        """Say what is waited for."""
        self._ledger.change_step(self._name, waits_for=text)

    def found(self, *evidence: str) -> None:
        """Say what was seen."""
        before = self._ledger.step_of(self._name).evidence
        self._ledger.change_step(self._name, evidence=(*before, *evidence))

    async def ask(self, text: str) -> None:
        """Ask the operator."""
        self.waits_for(f"you: {text}; then: ccr runbook {self._ledger.run.flow} --confirm-step")
        await self._ledger.ask()
