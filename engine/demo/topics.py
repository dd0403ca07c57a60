"""Topics of the demo's clusters, made and looked up with aiokafka alone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError as AioKafkaError
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from aiokafka.partitioner import murmur2

from engine.errors import ConnectError, KafkaError

CLIENT_ID = "ccr-demo"


async def create_topics(
    bootstrap_servers: str,
    partitions: Mapping[str, int],
    configs: Mapping[str, str] | None = None,
) -> None:
    """Create topics by name with their number of partitions; those that exist stay as they are.

    Raises ConnectError, KafkaError.
    """
    wanted = [
        NewTopic(name, count, 1, topic_configs=dict(configs or {}))
        for name, count in partitions.items()
    ]
    async with _admin(bootstrap_servers) as admin:
        answer = await admin.create_topics(wanted)
    for name, code, *rest in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise KafkaError(
                "creating topic", name, rest[0] if rest and rest[0] else error.__name__
            )


async def partition_counts(bootstrap_servers: str, topics: Collection[str]) -> dict[str, int]:
    """Return how many partitions each topic has, 0 where there is no such topic.

    Raises ConnectError, KafkaError.
    """
    async with _admin(bootstrap_servers) as admin:
        found = await admin.describe_topics(list(topics))
    counts = dict.fromkeys(topics, 0)
    for topic in found:
        error = for_code(topic["error_code"])
        if error is UnknownTopicOrPartitionError:
            continue
        if topic["error_code"]:
            raise KafkaError("looking up topic", topic["topic"], error.__name__, retriable=True)
        counts[topic["topic"]] = len(topic["partitions"])
    return counts


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's own clients choose for a key."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


@contextlib.asynccontextmanager
async def _admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, client_id=CLIENT_ID)
    try:
        await admin.start()
        yield admin
    except (AioKafkaError, OSError) as error:
        raise ConnectError(
            "asking", bootstrap_servers, str(error) or type(error).__name__, "Is the cluster up?"
        ) from error
    finally:
        await admin.close()
