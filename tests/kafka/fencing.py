"""Producers of every kind that write on and on, whatever becomes of it; and a fence's source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError as AiokafkaError

from engine.config.cluster_section import ClusterConfig
from engine.kafka.cluster import Cluster
from engine.sandbox import Listener, Sandbox
from tests.kafka.engines import read, until
from tests.secured import USERS

KINDS: Mapping[str, Mapping[str, Any]] = {
    "acks-0": {"acks": 0},
    "acks-1": {"acks": 1},
    "acks-all": {"acks": "all"},
    "idempotent": {"enable_idempotence": True},
    "transactional": {"transactional_id": ""},  # of its own
}
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
