"""Keeps the configs of mirrors in step with their sources' (KIP-339)."""

from __future__ import annotations

import time

from engine.api.preview_snapshots import KeptConfig, TopicPlan
from engine.api.snapshots import OutOfStep
from engine.errors import KafkaError
from engine.kafka.metadata import ClusterMetadata
from engine.replication.identical.identity import topics_being_aligned
from engine.replication.sync.syncer import Outcome, SyncContext
from engine.replication.topics.agreed import NAME, AgreedConfigs
from engine.replication.topics.mirrors import Mirrors

_FIRST_LOOK_S = 0.5
_LONG_S = 1.0  # a round that takes longer is made more rarely:
_REST = 20  # times as long it rests; ten thousand topics tell some 20 MB on either side


class ConfigSync:
    """A flow's configs syncer."""

    name = NAME

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self.interval = _FIRST_LOOK_S  # until there are mirrors to compare
        self._mirrors = Mirrors(context.flow, context.config, context.source, context.target)
        self._agreed = AgreedConfigs(context.record, context.remember)

    async def sync_once(self) -> Outcome:
        """Compare all mirrors that there are, change what is to be changed."""
        context, began = self._context, time.monotonic()
        names = {key[0]: p.target_topic for key, p in context.board.partitions.items()}
        if not names:
            return Outcome()
        self.interval = context.config.configs.interval
        aligned_now = topics_being_aligned(context.board.partitions.values())
        names = {topic: name for topic, name in names.items() if name not in aligned_now}
        source = await context.source.metadata()
        target = await context.target.metadata(names.values())
        there = _mirrored(names, source, target)
        selected = {topic: source.topics[topic] for topic in there}
        agreed = self._agreed.values
        facts = await self._mirrors.facts(selected, names, target, there, agreed=agreed)
        plan = await self._mirrors.plan(facts)
        changing = [each for each in plan.topics.values() if each.configs]
        refused = await self._mirrors.configure(changing)
        await self._agreed.note(
            {topic: plan.agreed[topic] for topic in plan.agreed if topic not in refused}
        )
        outcome = Outcome(sum(len(each.configs) for each in changing if each.topic not in refused))
        for each in plan.topics.values():
            outcome.left += left_of(each, refused.get(each.topic))
        took = time.monotonic() - began
        if took > _LONG_S:
            self.interval = max(self.interval, _REST * took)
        return outcome


def left_of(plan: TopicPlan, refused: KafkaError | None) -> list[OutOfStep]:
    """Return what is not as on the source once a plan was carried out, and why."""
    subject = f"topic {plan.target_topic}"
    left = [
        OutOfStep(f"{subject}, {each.name}", kept_text(each), _HOW_TO_UNDO) for each in plan.kept
    ]
    left += [OutOfStep(subject, each.text, each.next_step) for each in plan.conflicts]
    if refused is not None:
        names = ", ".join(each.name for each in plan.configs)
        left.append(OutOfStep(f"{subject}, {names}", refused.cause, refused.next_step))
    return left


_HOW_TO_UNDO = "configs.overwrite undoes it; configs.pinned or configs.exclude makes it right"


def kept_text(kept: KeptConfig) -> str:
    """Say what somebody set on a mirror, and what its source has."""
    here = "was removed there" if kept.value is None else f"was set to {kept.value} there"
    source = "has none" if kept.wanted is None else f"has {kept.wanted}"
    return f"{here}, the source {source}: left alone"


def _mirrored(names: dict[str, str], source: ClusterMetadata, target: ClusterMetadata) -> list[str]:
    """Return the topics that are there on both sides."""
    return [
        topic
        for topic, name in names.items()
        if topic in source.topics
        and (mirror := target.topics.get(name)) is not None
        and mirror.partitions
    ]
