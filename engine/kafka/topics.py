"""Topics of a cluster: create, grow, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from aiokafka.protocol.admin import (
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteTopicsRequest,
)

from engine.errors import KafkaError
from engine.kafka import codes
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code

TIMEOUT_MS = 20_000
CONTROLLER_RECORDS = 5_000
"""In one request; a KRaft controller refuses more than 10,000 (POLICY_VIOLATION)."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic to create."""

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str] = field(default_factory=dict)


async def create_topics(
    cluster: Cluster, topics: Iterable[NewTopic], *, validate_only: bool = False
) -> dict[str, KafkaError]:
    """Create topics; return what was refused, by name. A topic that exists already is no error.

    `validate_only`: create none, only ask whether they could be.
    """
    refused: dict[str, KafkaError] = {}
    for share in shares(topics, lambda topic: 1 + topic.partitions + len(topic.configs)):
        refused |= await _create(cluster, share, validate_only=validate_only)
    return refused


async def _create(
    cluster: Cluster, topics: list[NewTopic], *, validate_only: bool
) -> dict[str, KafkaError]:
    wanted: list[tuple[object, ...]] = [
        (topic.name, topic.partitions, topic.replication_factor, [], list(topic.configs.items()))
        for topic in topics
    ]
    controller = (await cluster.metadata([])).controller
    response = await cluster.request(
        CreateTopicsRequest(wanted, TIMEOUT_MS, validate_only=validate_only), controller
    )
    return {
        name: KafkaError(
            "creating topic",
            f"{name} on cluster {cluster.name}",
            codes.words(error, message),
            f"Grant CREATE on topic {name}" if error in codes.AUTHORIZATION else "",
            retriable=error in codes.RETRIABLE,
        )
        for name, error, message in response.topic_errors
        if error not in (Code.NONE, Code.TOPIC_ALREADY_EXISTS)
    }


async def grow_topics(cluster: Cluster, counts: Mapping[str, int]) -> dict[str, KafkaError]:
    """Raise topics' partition counts to `counts`; return what was refused, by name."""
    refused: dict[str, KafkaError] = {}
    for share in shares(counts.items(), lambda item: item[1]):
        refused |= await _grow(cluster, dict(share))
    return refused


async def _grow(cluster: Cluster, counts: Mapping[str, int]) -> dict[str, KafkaError]:
    controller = (await cluster.metadata([])).controller
    wanted = [(name, (count, None)) for name, count in counts.items()]
    response = await cluster.request(CreatePartitionsRequest(wanted, TIMEOUT_MS, False), controller)
    return {
        name: KafkaError(
            "adding partitions to topic",
            f"{name} on cluster {cluster.name}",
            codes.words(error, message),
            f"Grant ALTER on topic {name}" if error in codes.AUTHORIZATION else "",
            retriable=error in codes.RETRIABLE,
        )
        for name, error, message in response.topic_errors
        if error != Code.NONE
    }


async def delete_topics(cluster: Cluster, topics: Iterable[str]) -> dict[str, KafkaError]:
    """Delete topics with all that they hold; return what was refused, by name."""
    controller = (await cluster.metadata([])).controller
    response = await cluster.request(DeleteTopicsRequest(list(topics), TIMEOUT_MS), controller)
    return {
        name: KafkaError(
            "deleting topic",
            f"{name} on cluster {cluster.name}",
            codes.name(error),
            f"Grant DELETE on topic {name}" if error in codes.AUTHORIZATION else "",
            retriable=error in codes.RETRIABLE,
        )
        for name, error in response.topic_error_codes
        if error not in (Code.NONE, Code.UNKNOWN_TOPIC_OR_PARTITION)
    }


def shares(wanted: Iterable[_T], records: Callable[[_T], int]) -> Iterator[list[_T]]:
    """Divide what is wanted so that a controller takes each share at once, in the same order.

    `records` says how many metadata records it takes to write one; one that takes more than
    CONTROLLER_RECORDS by itself is a share of its own, for the controller to judge.
    """
    share: list[_T] = []
    used = 0
    for one in wanted:
        if share and used + records(one) > CONTROLLER_RECORDS:
            yield share
            share, used = [], 0
        share.append(one)
        used += records(one)
    if share:
        yield share
