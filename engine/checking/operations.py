"""What we are allowed to do with topics, as brokers tell it (KIP-430).

Numbers: `clients/src/main/java/org/apache/kafka/common/acl/AclOperation.java`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.checking.report import Grant, Permission
from engine.kafka import codes
from engine.kafka.codes import Code
from engine.kafka.metadata import NOT_ASKED, ClusterMetadata

_BITS = {
    "READ": 3,
    "WRITE": 4,
    "DELETE": 6,
    "ALTER": 7,
    "DESCRIBE": 8,
    "DESCRIBE_CONFIGS": 10,
    "ALTER_CONFIGS": 11,
}
NOT_THERE = "the topic is not there yet; brokers tell only of those that are"
NOT_TOLD = "the brokers do not tell"


@dataclass(slots=True)
class TopicNeeds:
    """Collects what is needed of a cluster's topics."""

    cluster: str
    metadata: ClusterMetadata
    permissions: list[Permission] = field(default_factory=list)

    def need(self, operation: str, topics: Iterable[str], purpose: str) -> None:
        """Note whether an operation is allowed on topics; one entry for each answer."""
        found: dict[tuple[Grant, str], list[str]] = {}
        for topic in topics:
            found.setdefault(self._grant(operation, topic), []).append(topic)
        self.permissions += [
            Permission(self.cluster, operation, tuple(sorted(names)), purpose, grant, note)
            for (grant, note), names in found.items()
        ]

    def lacking(self, topics: Iterable[str]) -> list[str]:
        """Return the topics that are not there, as far as we can see."""
        return [name for name in topics if not self._partitions(name)]

    def _partitions(self, name: str) -> int:
        known = self.metadata.topics.get(name)
        return len(known.partitions) if known else 0

    def _grant(self, operation: str, name: str) -> tuple[Grant, str]:
        topic = self.metadata.topics.get(name)
        if topic is not None and topic.error in codes.AUTHORIZATION:
            return Grant.MISSING, ""  # not even DESCRIBE, which all others imply
        if topic is None or topic.error != Code.NONE:
            return Grant.UNKNOWN, NOT_THERE
        if topic.operations in (NOT_ASKED, 0):
            return Grant.UNKNOWN, NOT_TOLD
        allowed = topic.operations >> _BITS[operation] & 1
        return (Grant.GRANTED if allowed else Grant.MISSING), ""
