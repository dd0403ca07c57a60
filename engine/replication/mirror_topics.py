"""Creating mirror topics, and giving them new partitions when the source gets some."""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import KafkaError
from engine.kafka import codes
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.metadata import ClusterMetadata, TopicMetadata
from engine.kafka.topics import NewTopic, create_topics, described_configs, grow_topics

# Set for one cluster's brokers or machines; meaningless or harmful on another.
_NOT_COPIED = frozenset(
    {
        "follower.replication.throttled.replicas",
        "leader.replication.throttled.replicas",
        "message.timestamp.difference.max.ms",
        "message.timestamp.before.max.ms",
        "message.timestamp.after.max.ms",
        "min.insync.replicas",
        "unclean.leader.election.enable",
        "remote.storage.enable",
    }
)


class MirrorTopics:
    """Keeps the target's topics able to take what the source has."""

    def __init__(self, source: Cluster, target: Cluster, replication_factor: int | None) -> None:
        self._source = source
        self._target = target
        self._replication_factor = replication_factor

    async def ensure(
        self,
        selected: Mapping[str, TopicMetadata],
        names: Mapping[str, str],
        target: ClusterMetadata,
    ) -> dict[str, KafkaError]:
        """Create what is missing and grow what is too small.

        `names` maps source to target names. Returns what was refused, by source name.
        """
        missing = [
            topic
            for topic in selected
            if names[topic] not in target.topics or not target.topics[names[topic]].partitions
        ]
        grow = {
            names[topic]: len(selected[topic].partitions)
            for topic in selected
            if topic not in missing
            and len(target.topics[names[topic]].partitions) < len(selected[topic].partitions)
        }
        refused = {
            names[topic]: self._hidden(names[topic])
            for topic in missing
            if (known := target.topics.get(names[topic])) and known.error in codes.AUTHORIZATION
        }
        missing = [topic for topic in missing if names[topic] not in refused]
        if missing:
            plan, unreadable = await self._plan(missing, selected, names, len(target.brokers))
            refused |= unreadable
            refused |= await create_topics(self._target, plan)
        refused |= await grow_topics(self._target, grow)
        sources = {names[topic]: topic for topic in selected}
        return {sources[name]: error for name, error in refused.items()}

    async def _plan(
        self,
        missing: list[str],
        selected: Mapping[str, TopicMetadata],
        names: Mapping[str, str],
        brokers: int,
    ) -> tuple[list[NewTopic], dict[str, KafkaError]]:
        """Return the topics to create, and by target name why others cannot be.

        Without the source's configs a compacted topic would become one that forgets.
        """
        configs, unreadable = await described_configs(self._source, missing)
        plan = []
        for topic, config in configs.items():
            own = {key: config.values[key] for key in config.own - _NOT_COPIED}
            factor = self._replication_factor or selected[topic].replication_factor
            plan.append(
                NewTopic(
                    names[topic], len(selected[topic].partitions), min(factor, max(1, brokers)), own
                )
            )
        return plan, {names[topic]: error for topic, error in unreadable.items()}

    def _hidden(self, name: str) -> KafkaError:
        return KafkaError(
            "looking for topic",
            f"{name} on cluster {self._target.name}",
            codes.name(Code.TOPIC_AUTHORIZATION_FAILED),
            f"Grant READ and WRITE on topic {name}, which lets it be seen too",
        )
