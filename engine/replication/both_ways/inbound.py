"""Which flows write into a cluster: as their state topics there say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from engine.config.flow_section import Rename
from engine.errors import ConnectError, KafkaError
from engine.kafka import codes
from engine.kafka import records as r
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.metadata import ClusterMetadata
from engine.replication.state_records import FlowRecord, Promotion, decode_value
from engine.replication.verify.reading import Reader

_STATE_TOPIC = re.compile(r"ccr\.(?P<flow>.+)(?<!\.quarantine)(?<!\.sample)\.internal")
_KEYS = (b"identity", b"flow", b"promotion")
_CHECKPOINT = b"partition/"
_LOG_END = 2**62


@dataclass(frozen=True, slots=True)
class InboundFlow:
    """A flow whose target the cluster is."""

    name: str
    producer_id: int
    source: str  # the cluster that it reads, as its configuration calls it; "" while not known
    source_id: str  # Kafka's own id of that cluster; "" while not known
    renames: bool  # its mirrors have other names than its topics
    topics: frozenset[str]  # that it has checkpoints of, as far as was read
    promotion: Promotion | None = None  # as far as was read


class _StateTopic:
    """What was read of one."""

    def __init__(self, topic_id: UUID) -> None:
        self.topic_id = topic_id
        self.offset = 0
        self.record = FlowRecord()
        self.topics: set[str] = set()

    def flow(self, name: str) -> InboundFlow | None:
        identity, ends = self.record.identity, self.record.ends
        if identity is None:
            return None
        topics = frozenset(self.topics)
        if ends is None:
            return InboundFlow(name, identity.producer_id, "", "", False, topics)
        renames = ends.rename != Rename.IDENTITY.value
        source = ends.source, ends.source_id
        return InboundFlow(
            name, identity.producer_id, *source, renames, topics, self.record.promotion
        )

    @property
    def complete(self) -> bool:
        return self.record.identity is not None and self.record.ends is not None


class InboundFlows:
    """Reads of each state topic no more than it takes to know whose flow it is."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._reader = Reader(cluster)
        self._topics: dict[str, _StateTopic] = {}  # by flow
        self.unreadable: dict[str, str] = {}  # by flow: why its state topic cannot be read

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()

    @property
    def flows(self) -> list[InboundFlow]:
        """Those that are known, by name."""
        found = (topic.flow(name) for name, topic in sorted(self._topics.items()))
        return [flow for flow in found if flow is not None]

    async def look(self, metadata: ClusterMetadata, *, anew: bool = False) -> None:
        """Read the state topics that `metadata` has and that are not known yet, or all `anew`."""
        names = state_topics(metadata)
        self._topics = {flow: topic for flow, topic in self._topics.items() if flow in names}
        self.unreadable.clear()
        for flow, name in names.items():
            topic_id = metadata.topic_id(name)
            topic = self._topics.get(flow)
            if topic is None or topic.topic_id != topic_id or anew:
                topic = self._topics[flow] = _StateTopic(topic_id)
            if topic.complete:
                continue
            try:
                await self._read(name, topic)
            except (ConnectError, KafkaError) as error:
                self.unreadable[flow] = str(error)
                if isinstance(error, KafkaError) and error.cause == codes.name(
                    Code.OFFSET_OUT_OF_RANGE
                ):
                    del self._topics[flow]  # another topic of that name

    async def _read(self, name: str, topic: _StateTopic) -> None:
        async for header, view in self._reader.batches(
            (name, 0), topic.offset, _LOG_END, committed=False
        ):
            topic.offset = header.next_offset
            for record in r.decode(view):
                key, value = r.key_and_value(record)
                if key is None:
                    continue
                if key.startswith(_CHECKPOINT):
                    topic.topics.add(key[len(_CHECKPOINT) :].rpartition(b"/")[0].decode())
                elif key in _KEYS:
                    self._fold(name, topic, key, value, header.base_offset)

    def _fold(
        self, name: str, topic: _StateTopic, key: bytes, value: bytes | None, offset: int
    ) -> None:
        try:
            topic.record.fold(key.decode(), decode_value(value), 0)
        except (ValueError, KeyError, TypeError) as error:
            raise KafkaError(
                "reading",
                f"{name} at offset {offset} on cluster {self._cluster.name}",
                f"it is not a record of ccr ({type(error).__name__}: {error})",
                "Something else wrote into the state topic; see docs/state.md",
            ) from error


def state_topics(metadata: ClusterMetadata) -> dict[str, str]:
    """Return the state topics of a cluster by flow."""
    found = {name: _STATE_TOPIC.fullmatch(name) for name in metadata.topics}
    return {match["flow"]: name for name, match in sorted(found.items()) if match}
