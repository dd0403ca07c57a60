"""The fence: producers are kept from writing to the source; raised, proven tight, and lifted."""

from __future__ import annotations

from typing import ClassVar

from engine.api.runbook_snapshots import RunFinding, StepName
from engine.config.switch_section import FenceKind, SwitchConfig
from engine.printable import plural
from engine.runbook.fences import (
    RECORD,
    AclChoice,
    Ask,
    CommandChoice,
    Done,
    Fence,
    FenceChoice,
    ManualChoice,
    MaxMessageBytesChoice,
)
from engine.runbook.fences.making import make_fence, recorded_fence
from engine.runbook.findings import Finding, Severity
from engine.runbook.standing import standing
from engine.runbook.standing_words import in_the_way, waited_for
from engine.runbook.steps.base import Action, StepFailedError, Telling

QUIET_S = 3.0
"""So long all logs have to stand still: longer than the retries of Kafka's own clients pause."""
NAMED = 5


class RaiseFence(Action):
    """Keeps producers out; what was before is journaled first."""

    name: ClassVar = StepName.FENCE

    @property
    def title(self) -> str:
        """What it does."""
        words = {
            FenceKind.MAX_MESSAGE_BYTES: "max.message.bytes=78 on every topic",
            FenceKind.ACL: "DENY WRITE on every topic",
            FenceKind.COMMAND: "your command",
            FenceKind.MANUAL: "by hand",
        }
        kind = self.situation.switch.fence
        return f"Fence producers on {self.situation.config.source}: {words[kind]}"

    @property
    def undoing(self) -> str:
        """What undoing it does."""
        return "lifts the fence; everything is as it was before"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take; a person has longer."""
        return 3600.0 if self.situation.switch.fence is FenceKind.MANUAL else 120.0

    async def examine(self) -> list[RunFinding]:
        """Find what would stop the fence."""
        found = [self._worded(each) for each in await self._fence(_nobody_answers).examine()]
        return found + self._carried_on()

    def _carried_on(self) -> list[RunFinding]:
        """Find flows that would carry the fence's DENY to yet another cluster."""
        if self.situation.switch.fence is not FenceKind.ACL:
            return []
        source = self.situation.config.source
        return [
            self.stop(
                f"flow {name} carries ACLs from {source} to {flow.target}: this fence, too",
                "Set its sync.acls to false meanwhile, or choose another fence",
            )
            for name, flow in self.situation.engine.config.flows.items()
            if name != self.situation.flow_name and flow.source == source and flow.sync.acls
        ]

    def _worded(self, finding: Finding) -> RunFinding:
        stops = finding.severity is Severity.STOP
        return RunFinding(self.name, stops, finding.text, finding.next_step)

    def _fence(self, ask: Ask) -> Fence:
        situation = self.situation
        choice = choice_of(situation.switch, situation.config.source)
        topics = situation.topics()
        return make_fence(choice, situation.source, situation.flow_name, topics, ask)

    async def act(self, telling: Telling) -> None:
        """Raise it."""
        self.situation.flow.mirroring.in_step.leave_settings(True)
        kept = telling.kept.get("fence")
        if kept is None:
            fence = self._fence(telling.ask)
            record = await fence.record()
            await telling.keep(fence=RECORD.dump_python(record, mode="json"))
        else:
            record = RECORD.validate_python(kept)
            fence = recorded_fence(record, self.situation.source, telling.ask)
        telling.waits_for("the fence to be raised")
        tell_done(await fence.raise_up(record), telling)
        evidence = await fence.stands(record, self.situation.topics())
        telling.found(evidence.text)
        if evidence.stands is False:
            raise StepFailedError(
                "fencing", self.situation.config.source,
                f"it does not stand on {', '.join(evidence.open_topics[:NAMED])}",
            )  # fmt: skip

    async def undo(self, telling: Telling) -> None:
        """Lift it, as far as it was raised."""
        await lift(self, telling)
        flow = self.situation.flow
        if flow.owned_here and flow.record.promotion is None:
            flow.mirroring.in_step.leave_settings(False)


class LiftFence(Action):
    """Lifts the fence behind the promotion: the way back has to write where producers may not."""

    name: ClassVar = StepName.LIFT

    @property
    def title(self) -> str:
        """What it does."""
        return f"Lift the fence on {self.situation.config.source}"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take; a person has longer."""
        return 3600.0 if self.situation.switch.fence is FenceKind.MANUAL else 120.0

    async def act(self, telling: Telling) -> None:
        """Lift it."""
        await lift(self, telling)


async def lift(action: Action, telling: Telling) -> None:
    """Lift what the fence's step has journaled; nothing when it has journaled nothing."""
    kept = telling.kept_by(StepName.FENCE).get("fence")
    if kept is None:
        return
    record = RECORD.validate_python(kept)
    telling.waits_for("the fence to be lifted")
    fence = recorded_fence(record, action.situation.engine.clusters[record.source], telling.ask)
    tell_done(await fence.lift(record), telling)


class Stand(Action):
    """Proves the fence: the logs' ends stand still, and no transaction is open."""

    name: ClassVar = StepName.STAND

    @property
    def title(self) -> str:
        """What it does."""
        return f"Wait until nothing is written on {self.situation.config.source} any more"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return self.situation.switch.drain_timeout

    async def act(self, telling: Telling) -> None:
        """Watch."""
        telling.waits_for(f"all ends to stand still for {QUIET_S:.0f} s")
        seen = await standing(
            self.situation.source,
            self.situation.topics(),
            quiet_s=QUIET_S,
            timeout_s=self.timeout_seconds,
            tell=telling.waits_for,
        )
        if not seen.tight:
            telling.found(*(each.text for each in in_the_way(seen)))
            raise StepFailedError(
                "waiting for producers on",
                self.situation.config.source,
                waited_for(seen),
                "Stop it; the fence is lifted now",
            )
        telling.found(
            f"{plural(len(seen.ends), 'partition')} stand still for {seen.quiet_s:.0f} s, "
            "all of it stable"
        )


def choice_of(switch: SwitchConfig, source: str) -> FenceChoice:
    """Return the fence that a flow's `switch` section chooses."""
    match switch.fence:
        case FenceKind.ACL:
            return AclChoice(principals=tuple(switch.fence_principals))
        case FenceKind.COMMAND:
            return CommandChoice(
                raise_command=switch.fence_raise or "",
                lift_command=switch.fence_lift or "",
                timeout_s=switch.fence_timeout,
            )
        case FenceKind.MANUAL:
            return ManualChoice(
                raise_by=f"Stop every producer of the flow's topics on {source}",
                lift_by=f"Producers may write on {source} again",
            )
        case FenceKind.MAX_MESSAGE_BYTES:
            return MaxMessageBytesChoice()


def tell_done(done: Done, telling: Telling) -> None:
    """Put on record what a fence did."""
    telling.found(done.text, *(each.text for each in done.findings))
    if done.output:
        telling.found(f"it printed: {done.output.strip()[-500:]}")


async def _nobody_answers(text: str) -> None:
    raise StepFailedError("asking the operator", "", "nobody is asked while a plan is made")
