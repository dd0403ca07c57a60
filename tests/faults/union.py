"""Clusters that mirror the same topics to each other, writers on each, and what must be everywhere.

Every cluster has a site: an engine process that runs the flows into it. Each record says who wrote
it and which it is; so what stands on a cluster is the union, or one can say what is wrong.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import yaml
from aiokafka import AIOKafkaProducer

from engine.api.snapshots import FlowState
from engine.config.cluster_section import ClusterConfig
from engine.kafka.cluster import LATEST, Cluster
from engine.sandbox import Sandbox
from tests.faults.rig import MOST_MEMORY, EngineProcess, until
from tests.kafka.engines import create, read

PARTITIONS = 3
SHAPES: Sequence[Mapping[str, object]] = (
    {"linger_ms": 0, "enable_idempotence": True},
    {"linger_ms": 0},
    {"linger_ms": 20, "compression_type": "lz4", "enable_idempotence": True},
    {"linger_ms": 50, "compression_type": "zstd", "max_batch_size": 200_000},
)
Content = tuple[int, bytes | None, bytes | None, int]  # partition, key, value, timestamp


class Writer:
    """Writes to one topic of one cluster until it is told to stop; in bursts of random size."""

    def __init__(self, sandbox: Sandbox, cluster: str, topic: str, number: int, seed: int) -> None:
        self._bootstrap = sandbox.bootstrap(cluster)
        self._topic = topic
        self._name = f"{cluster}-{number}"
        self._shape = SHAPES[number % len(SHAPES)]
        self._chance = random.Random(f"{seed} {self._name}")
        self.written: list[Content] = []
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Write until `stopping`; everything was acknowledged then."""
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", **self._shape)
        await producer.start()
        numbers = itertools.count()
        try:
            while not self.stopping.is_set():
                burst = [
                    await self._send(producer, next(numbers))
                    for _ in range(self._chance.choice((1, 1, 2, 5, 40)))
                ]
                for content, sent in burst:
                    await sent
                    self.written.append(content)
                await asyncio.sleep(self._chance.uniform(0.0, 0.3))
        finally:
            await producer.stop()

    async def _send(
        self, producer: AIOKafkaProducer, number: int
    ) -> tuple[Content, asyncio.Future[object]]:
        chance = self._chance
        partition = chance.randrange(PARTITIONS)
        key = b"key-%d" % chance.randrange(200)
        padding = b"x" * chance.choice((0, 20, 300))
        value = f"{self._name} {number} ".encode() + padding
        at = int(time.time() * 1000)
        sent = await producer.send(self._topic, value, key, partition=partition, timestamp_ms=at)
        return (partition, key, value, at), sent


class Site:
    """The engine of one cluster, with the flows into it."""

    def __init__(self, union: Union, cluster: str) -> None:
        flows = {
            f"{union.run}-{other}-to-{cluster}": {
                "source": other,
                "target": cluster,
                "topics": {"include": [union.topic]},
                "topic_refresh": "1s",
                "sync": {"groups": False, "configs": False},
                "verify": {"bytes_per_second": "2MiB"},
            }
            for other in union.clusters
            if other != cluster
        }
        servers = {
            name: {"bootstrap_servers": union.sandbox.bootstrap(name).split(",")}
            for name in union.clusters
        }
        text = yaml.safe_dump({"version": 1, "clusters": servers, "flows": flows})
        self.cluster = cluster
        self.flows = {name: str(flow["source"]) for name, flow in flows.items()}
        self.engine, self.second = (
            self._prepare(union.folder / f"{cluster}{suffix}.yaml", text) for suffix in ("", "-2")
        )

    def _prepare(self, path: Path, text: str) -> EngineProcess:
        path.write_text(text)
        return EngineProcess(path, next(iter(self.flows)), path.with_suffix(".log"))

    async def start(self) -> None:
        """Start the engine and wait until it runs."""
        self.engine.start()
        await self.engine.reaches(FlowState.RUNNING)

    async def have_second(self) -> None:
        """Start a second engine, which stands by."""
        self.second.start()
        await self.second.reaches(FlowState.STANDBY)

    async def die(self, pause: float) -> None:
        """Kill the engine; the one that stands by takes over, or it is started again."""
        self.engine.kill()
        if self.second.started:
            self.engine, self.second = self.second, self.engine
            await self.engine.reaches(FlowState.RUNNING)
            return
        await asyncio.sleep(pause)
        await self.start()

    async def in_step(self, ends: Mapping[str, Mapping[int, int]]) -> bool:
        """Whether every flow has passed everything that its source has."""
        for name, source in self.flows.items():
            page = await self.engine.api.flows.partitions(name)
            if {row.partition: row.mirrored_to for row in page.partitions} != ends[source]:
                return False
        return True


class Union:
    """Some clusters of a sandbox, one topic on all of them, writers and sites."""

    def __init__(self, sandbox: Sandbox, folder: Path, clusters: Sequence[str]) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.clusters = clusters
        self.run = uuid.uuid4().hex[:8]
        self.topic = f"{self.run}.orders"
        self.seed = random.randrange(2**32)
        print(f"seed {self.seed}")
        self.chance = random.Random(self.seed)
        self.writers = [
            Writer(sandbox, cluster, self.topic, number, self.seed)
            for cluster in clusters
            for number in range(len(SHAPES) if len(clusters) == 2 else 2)
        ]
        self.sites = [Site(self, cluster) for cluster in clusters]
        self._writing: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Make the topic everywhere and begin to write."""
        for cluster in self.clusters:
            await create(self.sandbox, self.topic, PARTITIONS, cluster=cluster)
        self._writing = [asyncio.create_task(writer.run()) for writer in self.writers]

    async def end(self) -> None:
        """Write no more, and wait until every flow has passed all there is."""
        for writer in self.writers:
            writer.stopping.set()
        await asyncio.gather(*self._writing)
        self._writing = []

        async def in_step() -> bool:
            ends = {cluster: await self._ends(cluster) for cluster in self.clusters}
            return all([await site.in_step(ends) for site in self.sites])

        await until(in_step, "every flow is in step", 150.0)

    async def _ends(self, cluster: str) -> dict[int, int]:
        servers = self.sandbox.bootstrap(cluster).split(",")
        admin = Cluster(cluster, ClusterConfig(bootstrap_servers=servers))
        try:
            metadata = await admin.metadata([self.topic])
            wanted = {(self.topic, number): LATEST for number in range(PARTITIONS)}
            ends = await admin.list_offsets(wanted, metadata, isolation=1)
        finally:
            await admin.close()
        return {number: end for (_, number), end in ends.items()}

    async def assert_union(self) -> None:
        """Every cluster holds exactly what all writers wrote, each once, each one's in order."""
        expected = [content for writer in self.writers for content in writer.written]
        assert len(expected) > 200 * len(self.clusters)
        for cluster in self.clusters:
            found = [
                (record.partition, record.key, record.value, record.timestamp)
                for record in await read(self.sandbox, cluster, self.topic)
            ]
            lost, more = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
            assert not lost, (
                f"{cluster} lacks {sum(lost.values())} of {len(expected)}: {[*lost][:3]}, and has "
                f"{sum(more.values())} of {len(found)} too many: {[*more][:3]}"
            )
            assert not more, f"{cluster} has too much, {sum(more.values())}: {[*more][:3]}"
            _assert_order(found)

    async def assert_verified(self) -> None:
        """The engines' own verifiers, which read while others wrote, found nothing wrong."""
        for site in self.sites:
            for flow in (await site.engine.api.snapshot()).flows:
                found = flow.verification
                assert found is not None
                assert not found.wrong, f"{flow.name}: {found}"
                assert found.trouble is None

    def assert_memory(self) -> None:
        """No engine ever took more memory than it may."""
        for engine in (each for site in self.sites for each in (site.engine, site.second)):
            if engine.started:
                engine.note_memory()
                assert 0 < engine.peak_memory <= MOST_MEMORY

    async def close(self) -> None:
        """End everything that still runs."""
        for task in self._writing:
            task.cancel()
        if self._writing:
            await asyncio.wait(self._writing)
        for site in self.sites:
            await site.engine.close()
            await site.second.close()


def _assert_order(found: Sequence[Content]) -> None:
    """What one writer wrote to a partition stands in its order."""
    last: dict[tuple[int, bytes], int] = {}
    for partition, _, value, _ in found:
        writer, number, _ = (value or b"").split(b" ", 2)
        assert int(number) > last.get((partition, writer), -1)
        last[partition, writer] = int(number)


@asynccontextmanager
async def union(sandbox: Sandbox, folder: Path, *clusters: str) -> AsyncIterator[Union]:
    """Make a union and clean up after it."""
    async with AsyncExitStack() as stack:
        made = Union(sandbox, folder, clusters)
        stack.push_async_callback(made.close)
        yield made
