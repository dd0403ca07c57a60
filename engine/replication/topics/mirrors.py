"""Reads what a plan of mirrors needs, and carries it out: create, add partitions, set configs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from itertools import islice

from engine.api.preview_snapshots import Action, TopicPlan
from engine.config.flow_section import FlowConfig
from engine.config.matching import TooSlowError
from engine.errors import CcrError, KafkaError
from engine.kafka import codes
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.metadata import ClusterMetadata, TopicMetadata
from engine.kafka.topic_configs import alter_configs, described_configs, topic_defaults
from engine.kafka.topics import create_topics, grow_topics
from engine.replication.state_records import state_topic
from engine.replication.topics.agreed import AgreedConfigs
from engine.replication.topics.plan import Facts, Plan, Planner, config_changes, new_topic


class Mirrors:
    """Keeps the target's topics able to take what the source has."""

    def __init__(self, flow: str, config: FlowConfig, source: Cluster, target: Cluster) -> None:
        self._flow = flow
        self._source = source
        self._target = target
        self._planner = Planner(config)

    # looking

    async def facts(
        self,
        selected: Mapping[str, TopicMetadata],
        names: Mapping[str, str],
        target: ClusterMetadata,
        configs_of: Collection[str],
        *,
        agreed: Mapping[str, Mapping[str, str]] | None = None,
        strangers: Mapping[str, int] | None = None,
        also_written: Mapping[str, str] | None = None,
    ) -> Facts:
        """Read the configs of some source topics and of their mirrors.

        Raises ConnectError and KafkaError; what is refused for one topic is in the facts.
        """
        there = {names[topic]: topic for topic in configs_of if _is_there(names[topic], target)}
        source_configs, unreadable = await described_configs(self._source, configs_of)
        mirror_configs, refused = await described_configs(self._target, there)
        unreadable |= {there[name]: error for name, error in refused.items()}
        for topic in configs_of:
            known = target.topics.get(names[topic])
            if known is not None and known.error in codes.AUTHORIZATION:
                unreadable[topic] = self._hidden(names[topic])
        return Facts(
            selected,
            names,
            target,
            source_configs,
            mirror_configs,
            unreadable,
            await self._defaults(mirror_configs, target),
            agreed or {},
            strangers or {},
            also_written or {},
        )

    async def _defaults(
        self, mirrors: Iterable[str], target: ClusterMetadata
    ) -> Mapping[str, str | None]:
        """Return what a topic of the target has that nothing is set on."""
        others = (name for name, topic in target.topics.items() if topic.partitions)
        candidates = [*islice(mirrors, 1), state_topic(self._flow), *islice(others, 1)]
        return await topic_defaults(self._target, candidates)

    def _hidden(self, name: str) -> KafkaError:
        return KafkaError(
            "looking for topic",
            f"{name} on cluster {self._target.name}",
            codes.name(Code.TOPIC_AUTHORIZATION_FAILED),
            f"Grant READ and WRITE on topic {name}, which lets it be seen too",
        )

    async def plan(self, facts: Facts) -> Plan:
        """Plan what the facts call for. Raises TooSlowError."""
        return await asyncio.to_thread(self._planner.plan, facts)

    # acting; each returns what was refused, by source topic

    async def ensure(
        self,
        lacking: Mapping[str, TopicMetadata],
        names: Mapping[str, str],
        target: ClusterMetadata,
        agreed: AgreedConfigs,
    ) -> dict[str, CcrError]:
        """Create mirrors that are missing, and add partitions to those that have too few.

        `agreed` takes in what mirrors are created with. Raises SupersededError too.
        """
        missing = [topic for topic in lacking if not _is_there(names[topic], target)]
        facts = await self.facts(lacking, names, target, missing)
        try:
            plan = await self.plan(facts)
        except TooSlowError as error:
            return dict.fromkeys(lacking, error)
        refused: dict[str, CcrError] = {}
        for topic, each in plan.topics.items():
            if each.action == Action.REFUSE:
                refused[topic] = facts.unreadable[topic]
        refused |= await self.create(plan.topics.values())
        await agreed.note(
            {
                topic: plan.agreed[topic]
                for topic, each in plan.topics.items()
                if each.action == Action.CREATE and topic not in refused
            }
        )
        refused |= await self.grow(plan.topics.values())
        return refused

    async def create(
        self, plans: Iterable[TopicPlan], *, validate_only: bool = False
    ) -> dict[str, KafkaError]:
        """Create the mirrors that are missing; `validate_only` asks whether they could be."""
        chosen = [plan for plan in plans if plan.action == Action.CREATE]
        refused = await create_topics(
            self._target, map(new_topic, chosen), validate_only=validate_only
        )
        return _by_source(refused, chosen)

    async def grow(self, plans: Iterable[TopicPlan]) -> dict[str, KafkaError]:
        """Add partitions."""
        chosen = [plan for plan in plans if plan.action == Action.GROW]
        counts = {plan.target_topic: plan.partitions for plan in chosen}
        return _by_source(await grow_topics(self._target, counts), chosen)

    async def configure(
        self, plans: Iterable[TopicPlan], *, validate_only: bool = False
    ) -> dict[str, KafkaError]:
        """Set and remove configs of mirrors that are there; `validate_only` only asks."""
        chosen = [plan for plan in plans if plan.mirror_partitions and plan.configs]
        changes = {plan.target_topic: config_changes(plan) for plan in chosen}
        refused = await alter_configs(self._target, changes, validate_only=validate_only)
        return _by_source(refused, chosen)


def _is_there(name: str, target: ClusterMetadata) -> bool:
    topic = target.topics.get(name)
    return topic is not None and bool(topic.partitions)


def _by_source(
    refused: Mapping[str, KafkaError], plans: Iterable[TopicPlan]
) -> dict[str, KafkaError]:
    sources = {plan.target_topic: plan.topic for plan in plans}
    return {sources[name]: error for name, error in refused.items()}
