"""The brokers and the data that all runs share, and the ways to reach them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks import payloads
from benchmarks.link import HOST, free_port, link
from engine.config.cluster_section import ClusterConfig
from engine.kafka.cluster import LATEST, Cluster
from engine.sandbox import ClusterSpec, JavaKit, Listener, Sandbox, Security

# Full JIT and a heap that does not limit: the brokers must not be what is measured.
BROKER = ClusterSpec(heap="1g", jvm_options=("-XX:+UseSerialGC",), security=Security(tls=True))
MANY_PARTITIONS = {"log.index.size.max.bytes": "65536"}
MANY_PARTITIONS_HEAP = "2g"
ROUND_TRIP_MS = 100
TOPICS_AT_ONCE = 20
SERVED_TIMEOUT_S = 180.0
PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"


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
    json: bool = False
    """Values are JSON of about `size` bytes that compresses as such does, else they do not."""


class Route(StrEnum):
    """How a replicator reaches the clusters."""

    NEAR = "near"
    TLS = "tls"  # both
    FAR_SOURCE = "far source"  # a round trip of ROUND_TRIP_MS
    FAR_TARGET = "far target"


@dataclass(frozen=True)
class Ends:
    """The bootstrap servers that a replicator is given; `ca` when both are spoken to by TLS."""

    source: str
    target: str
    ca: Path | None = None


class Stage:
    """Two one-broker clusters."""

    def __init__(self, sandbox: Sandbox, folder: Path, proxies: dict[str, int]) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.source = sandbox.bootstrap("east")
        self.target = sandbox.bootstrap("west")
        self._proxies = proxies

    @property
    def java(self) -> JavaKit:
        """How to run Kafka's own programs."""
        return self.sandbox.java

    def ends(self, route: Route) -> Ends:
        """Return the addresses of a route."""
        east, west = (f"{HOST}:{self._proxies[name]}" for name in ("east", "west"))
        if route == Route.TLS:
            return Ends(
                self.sandbox.bootstrap("east", Listener.TLS),
                self.sandbox.bootstrap("west", Listener.TLS),
                self.sandbox.authority.file,
            )
        return Ends(
            east if route == Route.FAR_SOURCE else self.source,
            west if route == Route.FAR_TARGET else self.target,
        )

    async def create(self, topic: str, partitions: int, *, on_target: bool = False) -> None:
        """Create a topic and wait until it can be used."""
        servers = self.target if on_target else self.source
        async with _admin(servers) as admin:
            await admin.create_topics([NewTopic(topic, partitions, 1)])
        await _served(servers, [topic], partitions)

    async def create_many(self, prefix: str, topics: int, partitions: int) -> None:
        """Create `topics` source topics, some at a time."""
        names = [f"{prefix}{number:04}" for number in range(topics)]
        async with _admin(self.source) as admin:
            for at in range(0, topics, TOPICS_AT_ONCE):
                await admin.create_topics(
                    [NewTopic(name, partitions, 1) for name in names[at : at + TOPICS_AT_ONCE]]
                )
        await _served(self.source, names, topics * partitions)

    async def fill(self, data: Data) -> None:
        """Create and fill a source topic."""
        await self.create(data.topic, data.partitions)
        done = await self.java.run(
            PERFORMANCE, self._performance(data, "-1"), heap="1g", timeout_seconds=900
        )
        if done.returncode:
            raise SystemExit(f"ProducerPerformance failed: {done.stderr[-500:]}")

    @asynccontextmanager
    async def load(self, data: Data, records_per_second: int) -> AsyncIterator[None]:
        """Produce at a steady rate into a topic that is there; ends with the block."""
        with (self.folder / f"{data.topic}.load.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self.java.command(PERFORMANCE, self._performance(data, str(records_per_second))),
                stdout=log,
                stderr=log,
                env=self.java.environment(),
            )
        try:
            yield
            if process.returncode is not None:
                raise SystemExit("the load ended before the measurement did")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def _performance(self, data: Data, throughput: str) -> list[str]:
        content = ["--record-size", str(data.size)]
        if data.json:
            content = ["--payload-file", str(payloads.write(self.folder))]
        return [
            *("--topic", data.topic),
            *("--num-records", str(data.records)),
            *content,
            *("--throughput", throughput, "--producer-props"),
            f"bootstrap.servers={self.source}",
            f"compression.type={data.codec}",
            f"batch.size={data.batch_bytes}",
            f"linger.ms={data.linger_ms}",
            "acks=1",
        ]

    async def mirrored(self, topic: str, partitions: int) -> None:
        """Wait until a target topic can be read."""
        await _served(self.target, [topic], partitions)

    async def drop(self, *topics: str) -> None:
        """Delete target topics, so that runs do not fill the disk."""
        async with _admin(self.target) as admin:
            await admin.delete_topics(list(topics))

    async def drop_all(self, prefix: str) -> None:
        """Delete the target topics with a prefix."""
        async with _admin(self.target) as admin:
            names = [name for name in await admin.list_topics() if name.startswith(prefix)]
            for at in range(0, len(names), TOPICS_AT_ONCE):
                await admin.delete_topics(names[at : at + TOPICS_AT_ONCE])

    @asynccontextmanager
    async def watch_target(
        self, topic: str, require_alive: Callable[[], None]
    ) -> AsyncIterator[Watch]:
        """Look at a target topic's end offsets while the replicator lives."""
        servers = self.target.split(",")
        cluster = Cluster("west", ClusterConfig(bootstrap_servers=servers))
        try:
            yield Watch(cluster, topic, require_alive)
        finally:
            await cluster.close()


class Watch:
    """How many records a target topic holds."""

    def __init__(self, cluster: Cluster, topic: str, require_alive: Callable[[], None]) -> None:
        self._require_alive = require_alive
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
            while await self.count() < count:
                self._require_alive()
                await asyncio.sleep(poll_seconds)

    async def until_partitions(self, prefix: str, count: int, timeout_seconds: float) -> None:
        """Wait until the topics with a prefix have `count` partitions in all."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                topics = (await self._cluster.metadata()).topics.values()
                if sum(len(t.partitions) for t in topics if t.name.startswith(prefix)) >= count:
                    return
                self._require_alive()
                await asyncio.sleep(1)


async def _served(bootstrap: str, topics: list[str], partitions: int) -> None:
    """Wait until the leaders of so many partitions in all answer for them."""
    cluster = Cluster("benchmark", ClusterConfig(bootstrap_servers=bootstrap.split(",")))
    try:
        async with asyncio.timeout(SERVED_TIMEOUT_S):
            while True:
                metadata = await cluster.metadata(topics)
                wanted = {
                    (topic.name, number): LATEST
                    for topic in metadata.topics.values()
                    for number in topic.partitions
                }
                if len(await cluster.list_offsets(wanted, metadata)) == partitions:
                    return
                await asyncio.sleep(0.2)
    finally:
        await cluster.close()


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def stage(*, many_partitions: bool = False) -> AsyncIterator[Stage]:
    """Set the stage and clear it."""
    broker = BROKER
    if many_partitions:
        broker = replace(broker, properties=MANY_PARTITIONS, heap=MANY_PARTITIONS_HEAP)
    proxies = {name: free_port() for name in ("east", "west")}
    clusters = {name: replace(broker, proxies=(port,)) for name, port in proxies.items()}
    with tempfile.TemporaryDirectory(prefix="ccr-bench-") as name, ExitStack() as links:
        folder = Path(name)
        async with Sandbox(folder / "sandbox", clusters, ephemeral=True) as sandbox:
            for cluster, port in proxies.items():
                behind = sandbox.bootstrap(cluster, Listener.PROXIED).rpartition(":")[2]
                links.enter_context(link(port, int(behind), ROUND_TRIP_MS))
            yield Stage(sandbox, folder, proxies)
