"""The sandbox starts real Kafka, breaks it for real, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.sandbox import Sandbox

pytestmark = pytest.mark.kafka


async def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def consume(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        return [(await consumer.getone()).value for _ in range(count)]


async def create_topic(bootstrap: str, topic: str, replicas: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, replicas)])
    finally:
        await admin.close()


async def test_two_clusters_hold_their_own_records(
    sandbox: Sandbox, fresh_topic: Callable[[str], str]
) -> None:
    topic = fresh_topic("orders")
    for name in ("east", "west"):
        await create_topic(sandbox.bootstrap(name), topic)
        await produce(sandbox.bootstrap(name), topic, [f"from {name}".encode(), b"again"])
    for name in ("east", "west"):
        got = await consume(sandbox.bootstrap(name), topic, 2)
        assert got == [f"from {name}".encode(), b"again"]
