"""An engine in this process on the sandbox's clusters, for tests that look inside it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from engine.api.local import LocalEngineApi
from engine.api.snapshots import EngineMode
from engine.config.model import Config
from engine.engine import Engine
from engine.replication.flow import Flow
from engine.replication.offset_map import OffsetMap
from engine.sandbox import Sandbox

FLOW = "flow"
FreshTopic = Callable[[str], str]
POLL_S = 0.05


async def until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait for a condition; fails naming it."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(POLL_S)


async def until_async(
    condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 60.0
) -> None:
    """Wait for a condition that has to be asked for; fails naming it."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(POLL_S)


@dataclass
class Running:
    """A running engine with one flow from east to west."""

    engine: Engine
    api: LocalEngineApi
    name: str

    @property
    def flow(self) -> Flow:
        """The flow."""
        return self.engine.flow(self.name)

    def offset_map(self, topic: str, partition: int) -> OffsetMap:
        """Return a partition's offset map."""
        return self.flow.board.partitions[topic, partition].offset_map

    async def in_step(self, **ends: int) -> None:
        """Wait until topics are mirrored up to offsets, topic → sum over partitions."""
        for topic, end in ends.items():
            await self.mirrored(topic, end)

    async def mirrored(self, topic: str, end: int) -> None:
        """Wait until the sum of mirrored source offsets of a topic reaches `end`."""

        def reached() -> bool:
            rows = [p for p in self.flow.board.partitions.values() if p.topic == topic]
            return bool(rows) and sum(p.acked.source for p in rows if p.positioned) >= end

        await until(reached, f"{topic} mirrored up to {end} in all")


@asynccontextmanager
async def running(
    sandbox: Sandbox,
    include: list[str],
    *,
    name: str | None = None,
    clusters: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Run a flow over the topics that match `include`; on its clusters' plain listeners.

    `clusters` are sections of a configuration to reach them in another way.
    """
    name = name or f"{FLOW}-{uuid.uuid4().hex[:8]}"
    config = Config.model_validate(
        {
            "version": 1,
            "clusters": clusters
            or {
                cluster: {"bootstrap_servers": sandbox.bootstrap(cluster).split(",")}
                for cluster in ("east", "west")
            },
            "flows": {
                name: {
                    "source": "east",
                    "target": "west",
                    "topics": {"include": include},
                    "topic_refresh": "500ms",
                    **settings,
                }
            },
        }
    )
    engine = Engine(config, config_path="test", mode=EngineMode.SERVICE)
    await engine.start()
    try:
        yield Running(engine, LocalEngineApi(engine), name)
    finally:
        await engine.stop(10)


async def create(
    sandbox: Sandbox, topic: str, partitions: int = 1, *, cluster: str = "east", **configs: str
) -> None:
    """Create a topic, on the source unless told; underscores in config names stand for dots."""
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap(cluster))
    await admin.start()
    named = {key.replace("_", "."): value for key, value in configs.items()}
    await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=named)])
    await admin.close()


async def grow(sandbox: Sandbox, topic: str, partitions: int) -> None:
    """Give a source topic more partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap("east"))
    await admin.start()
    await admin.create_partitions({topic: NewPartitions(partitions)})
    await admin.close()


@asynccontextmanager
async def producer(
    sandbox: Sandbox, cluster: str = "east", **settings: Any
) -> AsyncIterator[AIOKafkaProducer]:
    """Produce with aiokafka."""
    made = AIOKafkaProducer(bootstrap_servers=sandbox.bootstrap(cluster), **settings)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def read(
    sandbox: Sandbox, cluster: str, topic: str, *, committed: bool = True
) -> list[ConsumerRecord[bytes, bytes]]:
    """Read a whole topic with aiokafka, partition by partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=sandbox.bootstrap(cluster),
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        metadata = await consumer._client.fetch_all_metadata()
        partitions = [
            TopicPartition(topic, p) for p in sorted(metadata.partitions_for_topic(topic) or ())
        ]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        records = []
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                batch = await consumer.getmany(partition, timeout_ms=200)
                records += batch.get(partition, [])
        return records
    finally:
        await consumer.stop()
