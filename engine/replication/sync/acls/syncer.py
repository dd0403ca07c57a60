"""Keeps the target's ACLs in step.

What is about to be created is remembered before, what was deleted is forgotten after: after a crash
in between, nothing of ours is taken for somebody else's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from engine.api.snapshots import OutOfStep, Severity
from engine.errors import KafkaError
from engine.kafka import acls
from engine.kafka.acl_bindings import AclBinding, Permission
from engine.kafka.acls import NoAuthorizerError
from engine.replication.board import Board
from engine.replication.sync.acls.looking import AclLook
from engine.replication.sync.acls.memory import SYNCER, Memory, changes, remembered
from engine.replication.sync.acls.plan import AclPlan
from engine.replication.sync.acls.wanted import overrides
from engine.replication.sync.syncer import Outcome, SyncContext

SOON_S = 1.0  # after the flow began, or got another mirror


class AclSyncer:
    """One flow's."""

    name = SYNCER

    def __init__(self, context: SyncContext) -> None:
        self.interval = SOON_S
        self._context = context
        self._look = AclLook(context.config, context.source, context.target)
        self._memory = remembered(context.record)
        self._mirrors: Mapping[str, str] = {}

    def close(self) -> None:
        """Let go of the connections."""
        self._look.close()

    async def sync_once(self) -> Outcome:
        """Compare and act.

        Raises ConnectError, KafkaError, TooSlowError and SupersededError.
        """
        try:
            plan = await self._plan()
        except NoAuthorizerError as error:
            self.interval = self._context.config.acls.interval
            next_step = "Set sync.acls: false, or give the cluster an authorizer"
            return Outcome(left=[OutOfStep(f"cluster {error.object}", error.cause, next_step)])
        return await self._carry_out(plan)

    async def _plan(self) -> AclPlan:
        metadata = await self._context.source.metadata()
        mirrors = {
            topic: mirror
            for topic, mirror in standing_mirrors(self._context.board).items()
            if topic in metadata.topics
        }
        if mirrors != self._mirrors:
            self._mirrors, self.interval = mirrors, SOON_S
        else:
            self.interval = min(self.interval * 2, self._context.config.acls.interval)
        return await self._look.plan(mirrors, metadata, self._memory)

    async def _carry_out(self, plan: AclPlan) -> Outcome:
        after = plan.after
        await self._remember(Memory(after.created | plan.remove, after.withheld, after.not_carried))
        refused = await self._act(plan)
        kept = plan.remove & refused.keys()
        await self._remember(
            Memory((after.created - refused.keys()) | kept, after.withheld, after.not_carried)
        )
        done = (plan.create.keys() | plan.remove) - refused.keys()
        self._tell(plan, done)
        for error in refused.values():
            if error.next_step:  # nothing can be created or deleted at all
                raise error
        return Outcome(len(done), [*plan.problems, *_refusals(refused)])

    async def _act(self, plan: AclPlan) -> dict[AclBinding, KafkaError]:
        """Delete and create, so that at no moment an ALLOW stands without its DENY."""
        target = self._context.target
        refused = await acls.delete_acls(target, _only(plan.remove, Permission.ALLOW))
        refused |= await acls.create_acls(target, _only(plan.create, Permission.DENY))
        denied = {deny: error for deny, error in refused.items() if deny in plan.create}
        allowed = []
        for allow in _only(plan.create, Permission.ALLOW):
            why = next((error for deny, error in denied.items() if overrides(deny, allow)), None)
            if why is None:
                allowed.append(allow)
            else:
                refused[allow] = why
        refused |= await acls.create_acls(target, allowed)
        refused |= await acls.delete_acls(target, _only(plan.remove, Permission.DENY))
        return refused

    async def _remember(self, memory: Memory) -> None:
        entries = await asyncio.to_thread(changes, self._memory, memory)
        if entries:
            await self._context.remember(entries)
        for key, value in entries:
            self._context.record.fold(key, value, 0)  # what previews look at
        self._memory = memory

    def _tell(self, plan: AclPlan, done: Iterable[AclBinding]) -> None:
        created = sum(1 for binding in done if binding in plan.create)
        removed = sum(1 for binding in done if binding in plan.remove)
        if created or removed:
            text = f"{created} created, {removed} removed on {self._context.target.name}"
            self._context.events.emit(Severity.INFO, f"{self._context.flow}/{SYNCER}", text)


def standing_mirrors(board: Board) -> dict[str, str]:
    """Return target names by source topic, of topics whose partitions all have a position.

    A mirror that is still being made ready (`offsets: identical` writes fillers before) gets its
    first ACLs after that.
    """
    mirrors: dict[str, str] = {}
    unready = set()
    for partition in board.partitions.values():
        mirrors[partition.topic] = partition.target_topic
        if not partition.positioned:
            unready.add(partition.topic)
    return {topic: mirror for topic, mirror in mirrors.items() if topic not in unready}


def _only(bindings: Iterable[AclBinding], permission: Permission) -> list[AclBinding]:
    return sorted(binding for binding in bindings if binding.permission == permission)


def _refusals(refused: Mapping[AclBinding, KafkaError]) -> list[OutOfStep]:
    return [
        OutOfStep(str(binding.pattern), f"{error.operation} {error.object}: {error.cause}")
        for binding, error in sorted(refused.items())
    ]
