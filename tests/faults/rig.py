"""What the fault tests share: engines as real processes, load in three shapes, the final judge."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from engine.api.snapshots import FlowSnapshot, FlowState
from engine.config.model import ClusterConfig
from engine.demo.compare import compare
from engine.demo.comparison import Comparison
from engine.errors import ConnectError
from engine.kafka.cluster import Cluster
from engine.kafka.topics import NewTopic, create_topics
from engine.sandbox import Sandbox
from engine.service.client import RemoteEngineApi
from engine.service.paths import service_paths

PARTITIONS = 4
POLL_S = 0.1


@dataclass(frozen=True)
class Shape:
    """One kind of traffic, made by Kafka's own ProducerPerformance."""

    name: str
    records: int
    size: int  # bytes
    codec: str
    batch_bytes: int
    linger_ms: int


# Together about 320 MB: single-record batches, small lz4 batches, large zstd batches.
SHAPES = (
    Shape("tiny", 100_000, 200, "none", 1, 0),
    Shape("lz4", 150_000, 1_000, "lz4", 16_384, 5),
    Shape("zstd", 75_000, 2_000, "zstd", 200_000, 50),
)


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 60.0) -> None:
    """Wait for a condition; fails naming it."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(POLL_S)


class Rig:
    """One flow `east-west` over topics of its own on a sandbox."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.run = uuid.uuid4().hex[:8]
        self.flow = f"flow-{self.run}"
        self.topics: list[str] = []
        self.engines: list[EngineProcess] = []
        self._producers: list[asyncio.subprocess.Process] = []

    def topic(self, name: str) -> str:
        """Name a topic that the flow mirrors."""
        return f"{self.run}.{name}"

    def config(self, name: str = "ccr") -> Path:
        """Write a config file; two engines on one host need two files with the same content."""
        path = self.folder / f"{name}.yaml"
        clusters = {
            cluster: {"bootstrap_servers": self.sandbox.bootstrap(cluster).split(",")}
            for cluster in ("east", "west")
        }
        flow = {
            "source": "east",
            "target": "west",
            "topics": {"include": [rf"{self.run}\..*"]},
            "topic_refresh": "1s",
        }
        path.write_text(
            yaml.safe_dump({"version": 1, "clusters": clusters, "flows": {self.flow: flow}})
        )
        return path

    async def create_topic(self, name: str, **configs: str) -> str:
        """Create a topic on the source, replicated as far as its brokers go."""
        topic = self.topic(name)
        servers = self.sandbox.bootstrap("east").split(",")
        cluster = Cluster("east", ClusterConfig(bootstrap_servers=servers))
        refused = await create_topics(
            cluster, [NewTopic(topic, PARTITIONS, min(3, len(servers)), configs)]
        )
        await cluster.close()
        assert not refused
        self.topics.append(topic)
        return topic

    async def load(self, *, seconds: float, shapes: tuple[Shape, ...] = SHAPES) -> None:
        """Begin to produce all shapes, each spread over about `seconds`."""
        for shape in shapes:
            topic = await self.create_topic(shape.name)
            command = self.sandbox.java.command(
                "org.apache.kafka.tools.ProducerPerformance",
                [
                    *("--topic", topic),
                    *("--num-records", str(shape.records)),
                    *("--record-size", str(shape.size)),
                    *("--throughput", str(int(shape.records / seconds))),
                    "--producer-props",
                    f"bootstrap.servers={self.sandbox.bootstrap('east')}",
                    f"compression.type={shape.codec}",
                    f"batch.size={shape.batch_bytes}",
                    f"linger.ms={shape.linger_ms}",
                    "delivery.timeout.ms=240000",
                ],
            )
            log = (self.folder / f"producer-{shape.name}.log").open("wb")
            self._producers.append(
                await asyncio.create_subprocess_exec(
                    *command,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **self.sandbox.java.environment()},
                )
            )
            log.close()

    async def load_ended(self) -> None:
        """Wait until every record was produced."""
        for producer in self._producers:
            assert await producer.wait() == 0, "ProducerPerformance failed"
        self._producers.clear()

    @property
    def producing(self) -> bool:
        """Whether load still runs."""
        return any(producer.returncode is None for producer in self._producers)

    def engine(self, name: str = "ccr") -> EngineProcess:
        """Prepare an engine process on a config file of its own."""
        engine = EngineProcess(self.config(name), self.flow, self.folder / f"{name}.log")
        self.engines.append(engine)
        return engine

    async def drained(self, engine: EngineProcess, seconds: float = 120.0) -> None:
        """Wait until an engine has mirrored everything."""

        async def in_step() -> bool:
            page = await engine.api.flows.partitions(self.flow)
            expected = PARTITIONS * len(self.topics)
            return len(page.partitions) == expected and await self._at_ends(page.partitions)

        await until(in_step, "the flow is in step", seconds)

    async def _at_ends(self, rows: object) -> bool:
        servers = self.sandbox.bootstrap("east").split(",")
        cluster = Cluster("east", ClusterConfig(bootstrap_servers=servers))
        try:
            metadata = await cluster.metadata(self.topics)
            keys = [(topic, p) for topic in self.topics for p in range(PARTITIONS)]
            ends = await cluster.list_offsets(dict.fromkeys(keys, -1), metadata, isolation=1)
        finally:
            await cluster.close()
        return all(ends.get((row.topic, row.partition)) == row.mirrored_to for row in rows)  # type: ignore[attr-defined]

    async def judge(self) -> Comparison:
        """Compare both clusters record by record."""
        return await compare(
            self.sandbox.bootstrap("east"),
            self.sandbox.bootstrap("west"),
            {topic: topic for topic in self.topics},
        )

    async def close(self) -> None:
        """End everything that still runs."""
        for producer in self._producers:
            if producer.returncode is None:
                producer.kill()
                await producer.wait()
        for engine in self.engines:
            await engine.close()


class EngineProcess:
    """A real `ccr --no-ui`."""

    def __init__(self, config: Path, flow: str, log: Path) -> None:
        self.config = config
        self.flow = flow
        self.log = log
        self.api = RemoteEngineApi(service_paths(config).socket)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("ccr")),
                    *("--no-ui", "--config", str(self.config), "--log-format", "json"),
                    *arguments,
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it, with no chance to do anything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    async def terminate(self) -> int:
        """Ask it to end; return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return await asyncio.to_thread(self._process.wait, 60)

    async def flow_snapshot(self) -> FlowSnapshot | None:
        """Return the flow as the engine sees it; None while it does not answer."""
        try:
            snapshot = await self.api.snapshot()
        except ConnectError:
            return None
        return next(flow for flow in snapshot.flows if flow.name == self.flow)

    async def reaches(
        self, state: FlowState, seconds: float = 60.0, *, reason: str = ""
    ) -> FlowSnapshot:
        """Wait until the flow is in a state, with a reason that contains `reason`."""
        seen: FlowSnapshot | None = None

        async def reached() -> bool:
            nonlocal seen
            seen = await self.flow_snapshot()
            text = seen.reason.text if seen and seen.reason else ""
            return seen is not None and seen.state == state and reason in text

        try:
            await until(reached, f"{self.flow} is {state}", seconds)
        except AssertionError as error:
            now = f"{seen.state}, {seen.reason}" if seen else "not answering"
            raise AssertionError(f"{error}; {now}\n{self.log.read_text()[-2000:]}") from None
        assert seen is not None
        return seen

    async def close(self) -> None:
        """Make sure that it has ended."""
        await self.api.close()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self.kill()


@asynccontextmanager
async def rig(sandbox: Sandbox, folder: Path) -> AsyncIterator[Rig]:
    """Make a rig and clean up after it."""
    made = Rig(sandbox, folder)
    try:
        yield made
    finally:
        await made.close()


def assert_identical(found: Comparison, records: int | None = None) -> None:
    """Assert that nothing is lost, doubled, reordered or altered."""
    counts: Mapping[object, int] = {kind: n for kind, n in found.counts.items() if n}
    assert not counts, "\n".join(map(str, found.examples))
    assert found.source_records == found.target_records
    if records is not None:
        assert found.source_records == records
