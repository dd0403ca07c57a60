"""The brokers and the data that all runs share."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.config.model import ClusterConfig
from engine.kafka.cluster import LATEST, Cluster
from engine.sandbox import ClusterSpec, JavaKit, Sandbox

# Full JIT and a heap that does not limit: the brokers must not be what is measured.
BROKER = ClusterSpec(heap="1g", jvm_options=("-XX:+UseSerialGC",))


@dataclass(frozen=True)
class Data:
    """What ProducerPerformance writes into a source topic."""

    topic: str
    records: int
    size: int
    codec: str
    batch_bytes: int
    linger_ms: int
    partitions: int = 6


class Stage:
    """Two one-broker clusters."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.source = sandbox.bootstrap("east")
        self.target = sandbox.bootstrap("west")

    @property
    def java(self) -> JavaKit:
        """How to run Kafka's own programs."""
        return self.sandbox.java

    async def create(self, topic: str, partitions: int) -> None:
        """Create a source topic."""
        async with _admin(self.source) as admin:
            await admin.create_topics([NewTopic(topic, partitions, 1)])

    async def fill(self, data: Data) -> None:
        """Create and fill a source topic."""
        await self.create(data.topic, data.partitions)
        done = await self.java.run(
            "org.apache.kafka.tools.ProducerPerformance",
            [
                *("--topic", data.topic),
                *("--num-records", str(data.records)),
                *("--record-size", str(data.size)),
                *("--throughput", "-1", "--producer-props"),
                f"bootstrap.servers={self.source}",
                f"compression.type={data.codec}",
                f"batch.size={data.batch_bytes}",
                f"linger.ms={data.linger_ms}",
                "acks=1",
            ],
            heap="1g",
            timeout_seconds=900,
        )
        if done.returncode:
            raise SystemExit(f"ProducerPerformance failed: {done.stderr[-500:]}")

    async def drop(self, topic: str) -> None:
        """Delete a target topic, so that runs do not fill the disk."""
        async with _admin(self.target) as admin:
            await admin.delete_topics([topic])

    @asynccontextmanager
    async def watch_target(self, topic: str) -> AsyncIterator[Watch]:
        """Look at a target topic's end offsets."""
        servers = self.target.split(",")
        cluster = Cluster("west", ClusterConfig(bootstrap_servers=servers))
        try:
            yield Watch(cluster, topic)
        finally:
            await cluster.close()


class Watch:
    """How many records a target topic holds."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic

    async def count(self) -> int:
        """Return the sum of the end offsets; 0 while there is no topic."""
        metadata = await self._cluster.metadata([self._topic])
        topic = metadata.topics.get(self._topic)
        if topic is None or topic.error:
            return 0
        wanted = {(self._topic, partition): LATEST for partition in topic.partitions}
        return sum((await self._cluster.list_offsets(wanted, metadata)).values())

    async def until(self, count: int, poll_seconds: float, timeout_seconds: float) -> None:
        """Wait until the topic holds `count` records."""
        async with asyncio.timeout(timeout_seconds):
            while await self.count() < count:  # noqa: ASYNC110  (a broker's state, not ours)
                await asyncio.sleep(poll_seconds)


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Set the stage and clear it."""
    with tempfile.TemporaryDirectory(prefix="ccr-bench-") as name:
        folder = Path(name)
        clusters = {"east": BROKER, "west": BROKER}
        async with Sandbox(folder / "sandbox", clusters, ephemeral=True) as sandbox:
            yield Stage(sandbox, folder)
