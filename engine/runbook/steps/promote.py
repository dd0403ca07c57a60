"""The promotion: on record before anyone may write, then WRITE is granted."""

from __future__ import annotations

import time
from typing import ClassVar

from engine.api.runbook_snapshots import StepName
from engine.kafka import acls
from engine.printable import plural
from engine.replication.state_records import Promotion
from engine.replication.sync.acls.memory import Memory, changes, withheld
from engine.runbook.steps.base import Action, StepFailedError, Telling

NAMED = 5


class Promote(Action):
    """The point of no return: every engine refuses this direction from here on."""

    name: ClassVar = StepName.PROMOTE
    crosses: ClassVar = True

    @property
    def title(self) -> str:
        """What it does."""
        config = self.situation.config
        return f"Promote: record on {config.target} that {config.source} is no longer mirrored"

    async def act(self, telling: Telling) -> None:
        """Record it; the flow mirrors no more."""
        situation = self.situation
        promotion = situation.flow.record.promotion
        if promotion is None:
            telling.waits_for("the record in the state topic")
            await situation.flow.promote(
                Promotion(
                    telling.run_id,
                    time.time(),
                    telling.by,
                    situation.engine.identity.host,
                    situation.kind.value,
                )
            )
        telling.found(
            f"recorded in ccr.{situation.flow_name}.internal: no engine mirrors into "
            f"{plural(len(situation.mirrors()), 'topic')} any more"
        )

    def is_crossed(self) -> bool:
        """Whether it is on record."""
        return self.situation.flow.record.promotion is not None


class Grant(Action):
    """Grants what mirrors were kept from: WRITE, as the source's ACLs have it."""

    name: ClassVar = StepName.GRANT

    @property
    def title(self) -> str:
        """What it does."""
        config = self.situation.config
        return f"Grant WRITE on {config.target}, as {config.source} has it"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return 60.0

    async def act(self, telling: Telling) -> None:
        """Create the bindings that were withheld, and let go of those that ccr created."""
        situation = self.situation
        if not situation.config.sync.acls:
            telling.found("ACLs are not carried over by this flow (sync.acls is false)")
            return
        flow = situation.flow
        memory = withheld(flow.record, situation.mirrors())
        telling.waits_for(f"{len(memory.withheld)} ACLs to be created")
        refused = await acls.create_acls(situation.target, sorted(memory.withheld))
        if refused:
            binding, error = next(iter(refused.items()))
            raise StepFailedError(
                "granting",
                f"{binding.operation.name} on topic {binding.pattern.name} to {binding.principal}",
                f"{error.cause} ({len(refused)} of {len(memory.withheld)} ACLs were refused)",
                error.next_step,
            )
        telling.found(f"{len(memory.withheld)} ACLs granted that mirrors were kept from")
        for each in sorted(memory.not_carried)[:NAMED]:
            telling.found(
                f"not carried over, to be weighed: DENY {each.operation.name} on "
                f"{each.pattern.name} for {each.principal}"
            )
        # They are the cluster's own now: a flow back carries them like any other.
        await flow.remember(changes(memory, Memory()))
