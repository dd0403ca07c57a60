"""Producers of every kind that write on and on, whatever becomes of it; and a fence's source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError as AiokafkaError

from engine.config.cluster_section import ClusterConfig
from engine.kafka.cluster import Cluster
from engine.kafka.topic_configs import alter_configs, described_configs
from engine.runbook.fences import Fence, MaxMessageBytesChoice, make_fence
from engine.runbook.findings import Severity
from engine.sandbox import Listener, Sandbox
from tests.kafka.engines import read, until, until_async
from tests.secured import USERS

KINDS: Mapping[str, Mapping[str, Any]] = {
    "acks-0": {"acks": 0},
    "acks-1": {"acks": 1},
    "acks-all": {"acks": "all"},
    "idempotent": {"enable_idempotence": True},
    "transactional": {"transactional_id": ""},  # of its own
}
SIZE = "max.message.bytes"
PAUSE_S = 0.01  # between two records: the pace of a producer


@dataclass
class Writer:
    """One producer of a kind, writing to one partition; made anew when it can do no more."""

    kind: str
    topic: str
    partition: int
    client: Mapping[str, Any]
    written: int = 0
    accepted: list[bytes] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @property
    def attempts(self) -> int:
        """How often it tried."""
        return len(self.accepted) + len(self.refusals)

    async def run(self) -> None:
        """Write until cancelled."""
        settings = dict(KINDS[self.kind])
        if self.kind == "transactional":
            settings["transactional_id"] = f"{self.topic}-writer"
        while True:
            producer = AIOKafkaProducer(**self.client, **settings)
            try:
                await producer.start()
                while True:
                    await self._one(producer)
                    await asyncio.sleep(PAUSE_S)
            except AiokafkaError as error:
                self.refusals.append(type(error).__name__)
                await asyncio.sleep(PAUSE_S)
            finally:
                await producer.stop()

    async def _one(self, producer: AIOKafkaProducer) -> None:
        self.written += 1
        value = f"{self.kind} wrote record {self.written}".encode()
        if self.kind != "transactional":
            await producer.send_and_wait(self.topic, value, partition=self.partition)
        else:
            async with producer.transaction():
                await producer.send_and_wait(self.topic, value, partition=self.partition)
        self.accepted.append(value)


@asynccontextmanager
async def writing(topic: str, client: Mapping[str, Any]) -> AsyncIterator[list[Writer]]:
    """Have one producer of every kind write, each to a partition of its own."""
    writers = [Writer(kind, topic, number, client) for number, kind in enumerate(KINDS)]
    tasks = [asyncio.create_task(writer.run(), name=writer.kind) for writer in writers]
    try:
        await until(lambda: all(len(each.accepted) > 2 for each in writers), "all have written")
        yield writers
        assert not [task for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def tried_again(writers: list[Writer], times: int = 5) -> None:
    """Wait until each has tried to write so often again."""
    before = {each.kind: each.attempts for each in writers}
    for each in writers:
        wanted = before[each.kind] + times
        await until(lambda each=each, wanted=wanted: each.attempts > wanted, f"{each.kind} tries")  # type: ignore[misc]


async def content(sandbox: Sandbox, topic: str) -> dict[int, list[tuple[int, bytes | None]]]:
    """Return all that can be read, committed or not: offset and value, by partition."""
    records: list[ConsumerRecord[bytes, bytes]] = await read(
        sandbox, "east", topic, committed=False
    )
    found: dict[int, list[tuple[int, bytes | None]]] = {}
    for record in records:
        found.setdefault(record.partition, []).append((record.offset, record.value))
    return found


@asynccontextmanager
async def source(sandbox: Sandbox, **settings: Any) -> AsyncIterator[Cluster]:
    """Reach the source as ccr does."""
    servers = sandbox.bootstrap("east").split(",")
    made = Cluster("east", ClusterConfig(bootstrap_servers=servers, **settings))
    try:
        yield made
    finally:
        await made.close()


def as_user(sandbox: Sandbox, user: str) -> dict[str, Any]:
    """Return what a producer or consumer of aiokafka needs to log in as a user."""
    return {
        "bootstrap_servers": sandbox.bootstrap("east", Listener.SASL),
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": user,
        "sasl_plain_password": USERS[user],
    }


async def nobody(text: str) -> None:
    """Answer a manual fence where there is none."""
    raise AssertionError(f"asked: {text}")


def size_fence(at: Cluster, *topics: str) -> Fence:
    return make_fence(MaxMessageBytesChoice(), at, "flow", topics, nobody)


async def set_on(sandbox: Sandbox, topics: Iterable[str]) -> dict[str, str | None]:
    """What is set on topics themselves, by another client than ours."""
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap("east"))
    await admin.start()
    try:
        found: dict[str, str | None] = {}
        for topic in topics:
            resource = ConfigResource(ConfigResourceType.TOPIC, topic)
            for answer in await admin.describe_configs([resource]):
                (_error, _text, _kind, _name, entries) = answer.resources[0]
                own = {name: value for name, value, _ro, kind, *_ in entries if kind == 1}
                found[topic] = own.get(SIZE)
        return found
    finally:
        await admin.close()


async def put(at: Cluster, topic: str, value: str | None) -> None:
    assert await alter_configs(at, {topic: {SIZE: value}}) == {}

    async def known() -> bool:
        configs, _ = await described_configs(at, [topic], [SIZE])
        return configs[topic].own_values.get(SIZE) == value

    await until_async(known, "the broker knows it")


async def described(at: Cluster, *topics: str) -> None:
    """Wait until the broker knows topics that were just made."""

    async def known() -> bool:
        return not (await described_configs(at, topics, [SIZE]))[1]

    await until_async(known, "the broker knows the topics")


def stops(findings: Iterable[Any]) -> list[str]:
    return [each.text for each in findings if each.severity is Severity.STOP]


async def delete(sandbox: Sandbox, *topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap("east"))
    await admin.start()
    await admin.delete_topics(list(topics))
    await admin.close()


class Counting(Cluster):
    """Counts the requests it sends, by their kind."""

    def __init__(self, like: Cluster) -> None:
        super().__init__(like.name, like.config)
        self.sent: dict[str, int] = {}

    async def request(self, request: Any, node: int | None = None) -> Any:
        """Count it."""
        name = type(request).__name__.strip("_")
        self.sent[name] = self.sent.get(name, 0) + 1
        return await super().request(request, node)


@asynccontextmanager
async def counting(like: Cluster) -> AsyncIterator[Counting]:
    at = Counting(like)
    try:
        yield at
    finally:
        await at.close()
