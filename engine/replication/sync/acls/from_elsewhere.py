"""What flows of ccr created on a cluster: it came from another one, and is not carried on.

Without that, two flows that carry ACLs both ways would give each other back what was revoked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from engine.errors import KafkaError
from engine.kafka import records as r
from engine.kafka.acl_bindings import AclBinding
from engine.kafka.cluster import Cluster
from engine.kafka.metadata import ClusterMetadata
from engine.replication.both_ways.inbound import state_topics
from engine.replication.state_records import FlowRecord, decode_value
from engine.replication.sync.acls.memory import SYNCER, remembered
from engine.replication.verify.reading import Reader

_KEYS = f"sync/{SYNCER}/".encode()
_LOG_END = 2**62


@dataclass(slots=True)
class _StateTopic:
    topic_id: UUID
    offset: int = 0
    record: FlowRecord = field(default_factory=FlowRecord)


class FromElsewhere:
    """Reads the state topics of a cluster, each record once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._reader = Reader(cluster)
        self._topics: dict[str, _StateTopic] = {}

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()

    async def created(self, metadata: ClusterMetadata) -> frozenset[AclBinding]:
        """Return the bindings that flows created on the cluster.

        Raises ConnectError, and KafkaError when a state topic is to be seen but not to be read.
        """
        found: set[AclBinding] = set()
        known, self._topics = self._topics, {}
        for name in state_topics(metadata).values():
            topic = known.get(name)
            if topic is None or topic.topic_id != metadata.topic_id(name):
                topic = _StateTopic(metadata.topic_id(name))
            await self._read(name, topic)
            self._topics[name] = topic
            found |= remembered(topic.record).created
        return frozenset(found)

    async def _read(self, name: str, topic: _StateTopic) -> None:
        batches = self._reader.batches((name, 0), topic.offset, _LOG_END, committed=False)
        async for header, view in batches:
            for record in r.decode(view):
                key, value = r.key_and_value(record)
                if key is not None and key.startswith(_KEYS):
                    self._fold(name, topic, key, value)
            topic.offset = header.next_offset

    def _fold(self, name: str, topic: _StateTopic, key: bytes, value: bytes | None) -> None:
        try:
            topic.record.fold(key.decode(), decode_value(value), 0)
        except ValueError as error:
            raise KafkaError(
                "reading",
                f"{name} on cluster {self._cluster.name}",
                f"{key.decode(errors='replace')} is not a record of ccr ({error})",
                "Something else wrote into the state topic; see docs/state.md",
            ) from error
