"""What is to be done so that mirrors are as their sources: for preview, acts and report alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.api.preview_snapshots import Action, ConfigChange, Conflict, ConflictKind, TopicPlan
from engine.config.flow_section import FlowConfig
from engine.errors import KafkaError
from engine.kafka.metadata import ClusterMetadata, TopicMetadata
from engine.kafka.topic_configs import TopicConfig
from engine.kafka.topics import NewTopic
from engine.replication.topics.config_rules import ConfigRules, Differences, Wanted
from engine.replication.topics.conflicts import Pair, conflicts


@dataclass(frozen=True, slots=True)
class Facts:
    """What both clusters say; topics by their source names unless a field says otherwise."""

    selected: Mapping[str, TopicMetadata]
    names: Mapping[str, str]  # of their mirrors
    target: ClusterMetadata
    source_configs: Mapping[str, TopicConfig]  # those that were asked for and told
    mirror_configs: Mapping[str, TopicConfig]  # likewise; by the mirror's name
    unreadable: Mapping[str, KafkaError]
    defaults: Mapping[str, str | None]  # of the target's brokers for topics; empty: not known
    agreed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    strangers: Mapping[str, int] = field(default_factory=dict)
    also_written: Mapping[str, str] = field(default_factory=dict)  # mirror's name to another flow


@dataclass(slots=True)
class Plan:
    """The plans by source topic, and the configs that are agreed on once they are carried out."""

    topics: dict[str, TopicPlan] = field(default_factory=dict)
    agreed: dict[str, dict[str, str]] = field(default_factory=dict)


class Planner:
    """Compares sources with mirrors as a flow's configuration wants them."""

    def __init__(self, config: FlowConfig) -> None:
        self._replicas = config.replication_factor
        self._syncs_configs = config.sync.configs
        self._rules = ConfigRules(config.configs)

    def plan(self, facts: Facts) -> Plan:
        """Plan every topic. Not on an event loop: it takes a while, and may raise TooSlowError."""
        out = Plan()
        for topic in facts.selected:
            out.topics[topic], agreed = self._plan(facts, topic)
            if topic in facts.source_configs:
                out.agreed[topic] = agreed
        return out

    def _plan(self, facts: Facts, topic: str) -> tuple[TopicPlan, dict[str, str]]:
        source, name = facts.selected[topic], facts.names[topic]
        mirror = facts.target.topics.get(name)
        there = len(mirror.partitions) if mirror else 0
        brokers = max(1, len(facts.target.brokers))
        wanted_replicas = self._replicas or source.replication_factor
        replicas = min(wanted_replicas, brokers)
        if mirror and there:
            replicas = mirror.replication_factor
        wanted, differences = self._configs(facts, topic, replicas, created=not there)
        pair = Pair(
            len(source.partitions),
            there,
            wanted_replicas,
            replicas,
            brokers,
            _effective(facts.source_configs.get(topic)),
            _afterwards(facts, name, differences.changes, created=not there),
            wanted.unknown,
            facts.strangers.get(topic, 0),
            facts.also_written.get(name, ""),
        )
        found = (*_unreadable(facts, topic, blocks=not there), *conflicts(pair))
        plan = TopicPlan(
            topic,
            name,
            _action(found, len(source.partitions), there, differences),
            len(source.partitions),
            there,
            replicas,
            tuple(differences.changes),
            tuple(differences.kept),
            found,
        )
        return plan, differences.agreed

    def _configs(
        self, facts: Facts, topic: str, replicas: int, *, created: bool
    ) -> tuple[Wanted, Differences]:
        """A mirror is always made with its configs; they are kept in step if that is wanted."""
        name = facts.names[topic]
        source, mirror = facts.source_configs.get(topic), facts.mirror_configs.get(name)
        if source is None or (mirror is None and not created):
            return Wanted({}), Differences()
        wanted = self._rules.wanted(name, source, replicas, facts.defaults)
        if created:
            return wanted, self._rules.differences(wanted, {}, {})
        if not self._syncs_configs or mirror is None:
            return wanted, Differences()
        agreed = facts.agreed.get(topic, {})
        return wanted, self._rules.differences(wanted, mirror.own_values, agreed)


def new_topic(plan: TopicPlan) -> NewTopic:
    """Return the topic that a plan creates."""
    configs = {each.name: each.after for each in plan.configs if each.after is not None}
    return NewTopic(plan.target_topic, plan.partitions, plan.replication_factor, configs)


def config_changes(plan: TopicPlan) -> dict[str, str | None]:
    """Return the configs that a plan changes, by name; None removes one."""
    return {each.name: each.after for each in plan.configs}


def _action(
    found: tuple[Conflict, ...], wanted: int, there: int, differences: Differences
) -> Action:
    if any(each.blocks for each in found):
        return Action.REFUSE
    if not there:
        return Action.CREATE
    if there < wanted:
        return Action.GROW
    return Action.CONFIGURE if differences.changes else Action.NONE


def _unreadable(facts: Facts, topic: str, *, blocks: bool) -> tuple[Conflict, ...]:
    error = facts.unreadable.get(topic)
    if error is None:
        return ()
    text = f"{error.operation} {error.object}: {error.cause}"
    return (Conflict(ConflictKind.UNREADABLE, text, error.next_step, blocks),)


def _effective(config: TopicConfig | None) -> Mapping[str, str]:
    return config.values if config else {}


def _afterwards(
    facts: Facts, name: str, changes: list[ConfigChange], *, created: bool
) -> dict[str, str]:
    """Return a mirror's effective configs after the changes, as far as they are known."""
    config = None if created else facts.mirror_configs.get(name)
    if config is None and not created:
        return {}
    defaults = {name: value for name, value in facts.defaults.items() if value is not None}
    values = dict(config.values) if config else defaults
    for change in changes:
        after = defaults.get(change.name) if change.after is None else change.after
        values.pop(change.name, None)
        if after is not None:
            values[change.name] = after
    return values
