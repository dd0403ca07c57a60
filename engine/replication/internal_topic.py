"""ccr's own topics on a cluster (state, quarantine): making them, and writing one batch to them.

They have one partition. What is read from them goes through `tail`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from engine.errors import KafkaError
from engine.kafka import codes, produce
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.connection import DataConnection
from engine.kafka.metadata import NO_LEADER
from engine.kafka.topics import NewTopic, create_topics
from engine.replication.backoff import Backoff

REPLICATION_FACTOR = 3  # where the cluster has as many brokers
LEADER_WAIT_S = 20.0
ANSWER_TIMEOUT_S = 15.0
_APPEND_TIMEOUT_MS = 10_000


async def ensure(cluster: Cluster, topic: str, configs: Mapping[str, str]) -> int:
    """Return the node that leads the topic, which is created where it is missing.

    Raises ConnectError, and KafkaError when it may not be described or created, or when it has no
    leader for LEADER_WAIT_S.
    """
    deadline = time.monotonic() + LEADER_WAIT_S
    backoff = Backoff(0.05, 1.0)
    while True:
        metadata = await cluster.metadata([topic])
        leader = metadata.leader(topic, 0)
        if leader != NO_LEADER:
            return leader
        known = metadata.topics.get(topic)
        if known is not None and known.error in codes.AUTHORIZATION:
            raise KafkaError(
                "opening",
                f"topic {topic} on cluster {cluster.name}",
                codes.name(known.error),
                "Grant READ and WRITE on it, and CREATE (docs/permissions.md)",
            )
        if known is None or known.error == Code.UNKNOWN_TOPIC_OR_PARTITION:
            factor = min(REPLICATION_FACTOR, max(1, len(metadata.brokers)))
            refused = await create_topics(cluster, [NewTopic(topic, 1, factor, dict(configs))])
            if topic in refused:
                raise refused[topic]
        if time.monotonic() > deadline:
            raise KafkaError(
                "waiting for topic",
                f"{topic} on cluster {cluster.name}",
                "it has no leader",
                "Check that cluster's brokers",
                retriable=True,
            )
        await backoff.sleep()


async def append(
    connection: DataConnection, topic: str, batch: bytearray, next_step: str = ""
) -> int:
    """Append one batch to partition 0 and return its base offset.

    Raises ConnectionLostError, and KafkaError (`retriable` as Kafka has it, and where the sequence
    was refused) whose next step is `next_step`.
    """
    version = next((v for v in produce.VERSIONS if connection.supports(produce.API_KEY, v)), 7)
    body = produce.request_body([(topic, 0, batch)], timeout_ms=_APPEND_TIMEOUT_MS)
    frame = await connection.send(produce.API_KEY, version, body, ANSWER_TIMEOUT_S)
    connection.throttled(produce.throttle_ms(frame))
    answer = produce.parse_response(frame, version)[0]
    if answer.error != Code.NONE:
        raise KafkaError(
            "writing to",
            topic,
            f"{codes.name(answer.error)} {answer.message}".strip(),
            next_step,
            retriable=answer.error in codes.RETRIABLE or answer.error in codes.SEQUENCE,
        )
    return answer.base_offset
