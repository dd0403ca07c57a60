"""The way back: a flow in the other direction, so that the old primary follows the new one."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from engine.api.local_config import LocalConfigApi
from engine.api.runbook_snapshots import RunFinding, StepName
from engine.config.editing.edits import Put
from engine.config.flow_section import Rename
from engine.replication.flow import Flow
from engine.runbook.situation import reversed_section
from engine.runbook.steps.base import Action, Telling

LOOK_S = 0.1


class Reverse(Action):
    """Adds the reverse flow to the configuration where there is none, and sees it run."""

    name: ClassVar = StepName.REVERSE

    @property
    def title(self) -> str:
        """What it does."""
        config = self.situation.config
        there = self.situation.flow_back
        if there:
            return f"See that {there} mirrors {config.target} to {config.source}"
        return f"Mirror {config.target} to {config.source}: new flow {self._name}"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return 120.0

    @property
    def _name(self) -> str:
        return self.situation.reverse.flow

    async def examine(self) -> list[RunFinding]:
        """Find what would keep it from being added."""
        in_part = self.situation.flows_in_part
        if in_part:
            return [
                self.stop(
                    f"flow {in_part[0]} mirrors some of these topics the other way, and not all",
                    "Have it take all of them or none; or choose --no-reverse",
                )
            ]
        if self.situation.flow_back:
            return self._of(self.situation.engine.flow(self.situation.flow_back or ""))
        if self.situation.config.rename is not Rename.IDENTITY:
            return [
                self.warn(
                    "topics have other names on the target: no flow back is made for them",
                    "Add one by hand, or choose --no-reverse",
                )
            ]
        document = await self._api().document()
        if document.why_read_only:
            return [
                self.stop(
                    f"the flow back cannot be written to {document.path}: {document.why_read_only}",
                    f"{document.what_to_do}; or choose --no-reverse",
                )
            ]
        if self._name in self.situation.engine.config.flows:
            return [self.stop(f"there is another flow named {self._name}", "Rename it")]
        return []

    def _of(self, back: Flow) -> list[RunFinding]:
        """Find what keeps a flow that is there from mirroring the other way."""
        if back.record.promotion is not None and not back.owned_here:
            return [
                self.stop(
                    f"flow {back.name} was promoted, and another engine owns it",
                    f"ccr take-over {back.name}",
                )
            ]
        return []

    def _api(self) -> LocalConfigApi:
        return LocalConfigApi(self.situation.engine, self.situation.reloader)

    async def act(self, telling: Telling) -> None:
        """Add it, unless it is there, and wait until it mirrors."""
        if self.situation.config.rename is not Rename.IDENTITY and not self.situation.flow_back:
            telling.found("no flow back: topics have other names on the target")
            return
        if not self.situation.flow_back:
            api = self._api()
            document = await api.document()
            section = reversed_section(self.situation.config)
            applied = await api.save([Put(("flows", self._name), section)], document.digest)
            telling.found(f"{document.path}: {applied.text}")
        name = self._name
        telling.waits_for(f"{name} to run")
        flow = self.situation.engine.flow(name)
        if flow.record.promotion is not None:
            run = flow.record.promotion.run
            await flow.withdraw_promotion()
            telling.found(f"{name} mirrors again: its promotion by run {run} is withdrawn")
        await self._runs(name)
        telling.found(f"{name} mirrors {self.situation.config.target} back")

    async def _runs(self, name: str) -> None:
        while True:
            flow = self.situation.engine.flow(name)
            if flow.owned_here and flow.record.promotion is None and flow.mirroring.refreshed_at:
                return
            await asyncio.sleep(LOOK_S)
