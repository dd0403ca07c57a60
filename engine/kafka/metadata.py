"""A cluster's brokers, topics and leaders at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NO_LEADER = -1


@dataclass(frozen=True, slots=True)
class PartitionMetadata:
    """Leader (NO_LEADER while there is none) and replica counts."""

    leader: int
    replicas: int
    in_sync: int
    error: int


@dataclass(frozen=True, slots=True)
class TopicMetadata:
    """One topic; `error` is set when the broker could not describe it."""

    name: str
    internal: bool
    error: int
    partitions: dict[int, PartitionMetadata]

    @property
    def replication_factor(self) -> int:
        """Replicas of the first partition; 0 when there is none."""
        return next((partition.replicas for partition in self.partitions.values()), 0)


@dataclass(frozen=True, slots=True)
class ClusterMetadata:
    """Brokers by node id, topics by name."""

    cluster_id: str
    controller: int
    brokers: dict[int, tuple[str, int]] = field(default_factory=dict)
    topics: dict[str, TopicMetadata] = field(default_factory=dict)

    def leader(self, topic: str, partition: int) -> int:
        """Node id of a partition's leader, or NO_LEADER."""
        known = self.topics.get(topic)
        found = known.partitions.get(partition) if known else None
        return found.leader if found and found.leader in self.brokers else NO_LEADER


def from_response(response: Any) -> ClusterMetadata:
    """Take aiokafka's MetadataResponse (v2 or later) apart."""
    topics = {}
    for error, topic, internal, partitions in response.topics:
        topics[topic] = TopicMetadata(
            topic,
            internal,
            error,
            {
                p[1]: PartitionMetadata(p[2], len(p[3]), len(p[4]), p[0])
                for p in sorted(partitions, key=lambda p: p[1])
            },
        )
    return ClusterMetadata(
        response.cluster_id or "",
        response.controller_id,
        {broker[0]: (broker[1], broker[2]) for broker in response.brokers},
        topics,
    )
