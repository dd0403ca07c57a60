"""Both clusters' logs at one moment, for all partitions of a flow: where they begin and end."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field

from engine.errors import KafkaError
from engine.kafka import fetch, fetch_by_id
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.codes import Code
from engine.kafka.connection import ConnectionLostError
from engine.kafka.fetch import Position, TopicPartition
from engine.kafka.metadata import NO_LEADER, NO_TOPIC_ID, ClusterMetadata
from engine.replication.backoff import Backoff
from engine.replication.positions import StartPolicy
from engine.replication.state_records import FlowRecord
from engine.replication.topics.selection import TopicSelector
from engine.replication.verify.policies import compacting
from engine.runbook.divergence.model import Sides

ANSWER_TIMEOUT_S = 20.0
MISSING_TRIES, MISSING_S = 3, 0.5  # before a topic is taken to be gone; each time twice as long


@dataclass(frozen=True, slots=True)
class Log:
    """One partition on one cluster; offsets are None while its leader does not answer."""

    there: bool
    low: int | None = None
    high: int | None = None
    stable: int | None = None
    """Of the source: where committed records end; where a transaction is open, before `high`."""
    compacts: bool = True
    """What may not be asked for is taken for compacted: silence is no proof of a loss."""

    @property
    def answers(self) -> bool:
        """Whether its offsets are known."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True, slots=True)
class Logs:
    """All that was asked for at once."""

    source: ClusterMetadata
    target: ClusterMetadata
    keys: tuple[TopicPartition, ...]
    """Partitions of the source: selected now, or mirrored before."""
    names: Mapping[str, str]
    """Target topic by source topic."""
    sources: Mapping[TopicPartition, Log] = field(default_factory=dict)
    targets: Mapping[TopicPartition, Log] = field(default_factory=dict)
    """By the source's key."""
    begins: Mapping[TopicPartition, int] = field(default_factory=dict)
    """Where partitions begin by the flow's start policy that were never mirrored."""

    def target_key(self, key: TopicPartition) -> TopicPartition:
        """Return a partition's topic and number on the target."""
        return self.names[key[0]], key[1]


async def look(sides: Sides, record: FlowRecord, gone: Set[str] = frozenset()) -> Logs:
    """Ask both clusters; `gone` are topics that the source is known to have no more.

    Raises ConnectError, KafkaError and TooSlowError.
    """
    mirrored = {topic for topic, _ in record.checkpoints}
    source = await _described(sides.source, None, mirrored - gone)
    selector = TopicSelector(sides.config)
    selected = await selector.select(source.topics.values())
    keys = {(name, number) for name in selected for number in selected[name].partitions}
    new = keys - record.checkpoints.keys()
    keys |= record.checkpoints.keys()
    names = {topic: selector.target_name(topic) for topic, _ in keys}
    target = await _described(sides.target, names.values(), {names[topic] for topic in mirrored})
    mirrors = {key: (names[key[0]], key[1]) for key in keys}
    policy = StartPolicy(sides.config, sides.source, sides.target)
    begins, _ = await policy.starts(sorted(new), source, first_time=False)
    sources = await partition_logs(sides.source, source, keys, stable=True)
    targets = await partition_logs(sides.target, target, mirrors.values(), stable=False)
    return Logs(
        source,
        target,
        tuple(sorted(keys)),
        names,
        sources,
        {key: targets[mirror] for key, mirror in mirrors.items()},
        begins,
    )


async def _described(
    cluster: Cluster, topics: Collection[str] | None, known: Set[str]
) -> ClusterMetadata:
    """Describe topics, or all. A broker that has just started may not know all of them yet."""
    backoff = Backoff(MISSING_S)
    metadata = await cluster.metadata(topics)
    for _ in range(MISSING_TRIES):
        if all(_has(metadata, topic) for topic in known):
            break
        await backoff.sleep()
        metadata = await cluster.metadata(topics)
    return metadata


async def partition_logs(
    cluster: Cluster, metadata: ClusterMetadata, keys: Collection[TopicPartition], *, stable: bool
) -> dict[TopicPartition, Log]:
    """Return where partitions begin and end, with the last `stable` offsets where asked for.

    Raises ConnectError and KafkaError.
    """
    there = [key for key in keys if _is_there(metadata, key)]
    low = await cluster.list_offsets(dict.fromkeys(there, EARLIEST), metadata)
    last = await cluster.list_offsets(
        dict.fromkeys(there if stable else [], LATEST), metadata, isolation=fetch.READ_COMMITTED
    )
    # Last of all: what is appended meanwhile is then beyond what is looked at, never before it.
    high = await cluster.list_offsets(dict.fromkeys(there, LATEST), metadata)
    compacts = await compacting(cluster, {topic for topic, _ in there})
    return {
        key: Log(
            _is_there(metadata, key),
            low.get(key),
            high.get(key),
            last.get(key),
            compacts.get(key[0], True),
        )
        for key in keys
    }


def _is_there(metadata: ClusterMetadata, key: TopicPartition) -> bool:
    """Whether a cluster has a partition; one that it may not describe is taken to be there."""
    if not _has(metadata, key[0]):
        return False
    topic = metadata.topics[key[0]]
    return bool(topic.error) or key[1] in topic.partitions


def _has(metadata: ClusterMetadata, topic: str) -> bool:
    known = metadata.topics.get(topic)
    return known is not None and known.error != Code.UNKNOWN_TOPIC_OR_PARTITION


async def diverging(
    cluster: Cluster, metadata: ClusterMetadata, positions: Mapping[TopicPartition, Position]
) -> dict[TopicPartition, int]:
    """Return where the logs of partitions end that read on from a position's leader epoch.

    Those whose leader has the same history up to the position are left out, and those whose leader
    is too old to tell (before Kafka 3.1). Raises ConnectError and KafkaError.
    """
    by_leader: dict[int, dict[TopicPartition, Position]] = {}
    for key, position in positions.items():
        node = metadata.leader(*key)
        if node != NO_LEADER and metadata.topic_id(key[0]) != NO_TOPIC_ID and position.epoch >= 0:
            by_leader.setdefault(node, {})[key] = position
    found: dict[TopicPartition, int] = {}
    for node, asked in by_leader.items():
        found |= await _ask(cluster, metadata, node, asked)
    return found


async def _ask(
    cluster: Cluster, metadata: ClusterMetadata, node: int, asked: Mapping[TopicPartition, Position]
) -> dict[TopicPartition, int]:
    connection = await cluster.data_connection(node)
    try:
        if not connection.supports(fetch.API_KEY, fetch_by_id.VERSION):
            return {}
        ids = {topic: metadata.topic_id(topic) for topic, _ in asked}
        body = fetch_by_id.request_body(
            asked,
            [],
            ids,
            session=(fetch.NO_SESSION, fetch.FINAL_EPOCH),
            isolation=fetch.READ_UNCOMMITTED,
            max_wait_ms=0,
            max_bytes=1,
            partition_max_bytes=1,
        )
        frame = await connection.send(fetch.API_KEY, fetch_by_id.VERSION, [body], ANSWER_TIMEOUT_S)
        names = {topic_id: topic for topic, topic_id in ids.items()}
        response = fetch_by_id.parse_response(frame, names)
    except (ConnectionLostError, struct.error, IndexError) as error:
        raise KafkaError(
            "comparing leader epochs on cluster", cluster.name, str(error), retriable=True
        ) from error
    finally:
        connection.abort("done")
    return {
        (data.topic, data.partition): data.diverging.end_offset
        for data in response.partitions
        if data.diverging is not None
        and data.diverging.end_offset < asked[data.topic, data.partition].offset
    }
