"""What the fault tests share: engines as real processes, load in three shapes, the final judge.

The load has keys, headers and numbered content (`engine.demo.bulk`).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from engine.api.snapshots import FlowSnapshot, FlowState, PartitionSnapshot
from engine.config.cluster_section import ClusterConfig
from engine.demo import bulk
from engine.demo.bulk import BULK_SHAPES, BulkShape
from engine.demo.compare import compare
from engine.demo.comparison import Comparison
from engine.errors import ConnectError, KafkaError
from engine.kafka.cluster import Cluster
from engine.kafka.topics import NewTopic, create_topics
from engine.sandbox import Sandbox
from engine.service.client import RemoteEngineApi
from engine.service.paths import service_paths
from tests.stuck import told

PARTITIONS = 4
POLL_S = 0.1
LOAD_PART_S = 3.0
LOAD_ENDS_S = 90.0
STUCK_S = 90.0
CANCELLED_S = 10.0
MOST_MEMORY = 192 * 1024 * 1024
"""What an engine may ever hold resident: 66 MB of program, limits.buffer_bytes (32 MiB) and a fetch
more, the frames that one held batch keeps whole, requests on their way out. 163 to 171 MB were seen
after a minute's backlog on a busy machine."""

CLICKS, ORDERS, READINGS = BULK_SHAPES  # batches of 1 or 2 records; small lz4; large zstd


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 90.0) -> None:
    """Wait for a condition; fails naming it."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(POLL_S)


IMPATIENT = {"connect_timeout": "3s", "request_timeout": "8s"}
"""For clusters that keep the engine waiting: what a test then waits for, too."""


class Rig:
    """One flow from east to west over topics of its own on a sandbox.

    Only the engine uses `bootstrap` (by cluster); load and judge always use the plain listeners.
    """

    def __init__(
        self, sandbox: Sandbox, folder: Path, bootstrap: Mapping[str, str] | None = None
    ) -> None:
        self.sandbox = sandbox
        self._bootstrap = bootstrap or {
            cluster: sandbox.bootstrap(cluster) for cluster in ("east", "west")
        }
        self.timeouts: Mapping[str, str] = {}
        self.folder = folder
        self.run = uuid.uuid4().hex[:8]
        self.flow = f"flow-{self.run}"
        self.topics: list[str] = []
        self.engines: list[EngineProcess] = []
        self._loading: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        self._loaded = 0  # records, at least: by parts that were acknowledged as a whole

    def topic(self, name: str) -> str:
        """Name a topic that the flow mirrors."""
        return f"{self.run}.{name}"

    def config(self, name: str = "ccr") -> Path:
        """Write a config file; two engines on one host need two files with the same content."""
        path = self.folder / f"{name}.yaml"
        clusters = {
            cluster: {"bootstrap_servers": servers.split(","), **self.timeouts}
            for cluster, servers in self._bootstrap.items()
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

    async def create_topic(self, topic: str, **configs: str) -> None:
        """Create a topic on the source, replicated as far as its brokers go."""
        servers = self.sandbox.bootstrap("east").split(",")
        cluster = Cluster("east", ClusterConfig(bootstrap_servers=servers))
        refused = await create_topics(
            cluster, [NewTopic(topic, PARTITIONS, min(3, len(servers)), configs)]
        )
        await cluster.close()
        assert not refused
        self.topics.append(topic)

    async def load(
        self,
        megabytes_per_second: float = 2.5,
        *,
        shapes: Sequence[BulkShape] = BULK_SHAPES,
        **configs: str,
    ) -> None:
        """Begin to produce, in all shapes together; it goes on until `end_load`."""
        own = await self._own(shapes, **configs)
        self._enough.clear()
        self._loading = asyncio.create_task(
            self._keep_loading(own, megabytes_per_second * 1_000_000)
        )

    async def backlog(self, megabytes: float, *, shapes: Sequence[BulkShape] = BULK_SHAPES) -> None:
        """Produce so much at once."""
        report = await bulk.load(
            self.sandbox.bootstrap("east"),
            int(megabytes * 1_000_000),
            shapes=await self._own(shapes),
        )
        self._loaded += sum(report.records.values())

    async def end_load(self) -> None:
        """Let what was begun to be produced be acknowledged, and produce no more."""
        if self._loading is not None:
            self._enough.set()
            done, _ = await asyncio.wait([self._loading], timeout=LOAD_ENDS_S)
            if not done:
                tasks = told(asyncio.get_running_loop())
                raise AssertionError(f"the load did not end within {LOAD_ENDS_S:.0f} s\n{tasks}")
            await self._loading
            self._loading = None

    @property
    def producing(self) -> bool:
        """Whether load runs."""
        return self._loading is not None and not self._enough.is_set()

    async def _own(self, shapes: Sequence[BulkShape], **configs: str) -> list[BulkShape]:
        """Give shapes topics of this flow's own."""
        named = {key.replace("_", "."): value for key, value in configs.items()}
        own = [
            replace(shape, topic=self.topic(shape.topic), partitions=PARTITIONS) for shape in shapes
        ]
        for shape in own:
            if shape.topic not in self.topics:
                await self.create_topic(shape.topic, **named)
        return own

    async def _keep_loading(self, shapes: list[BulkShape], rate: float) -> None:
        for part in itertools.count(1):
            if self._enough.is_set():
                return
            try:
                report = await bulk.load(
                    self.sandbox.bootstrap("east"),
                    int(rate * LOAD_PART_S),
                    seed=part,
                    shapes=shapes,
                    bytes_per_second=rate,
                )
            except (ConnectError, KafkaError):
                await asyncio.sleep(POLL_S)  # the brokers are down
            else:
                self._loaded += sum(report.records.values())

    def engine(self, name: str = "ccr") -> EngineProcess:
        """Prepare an engine process on a config file of its own."""
        engine = EngineProcess(self.config(name), self.flow, self.folder / f"{name}.log")
        self.engines.append(engine)
        return engine

    async def drained(self, engine: EngineProcess) -> None:
        """Wait until an engine has mirrored everything."""
        await self.drained_of(engine, self.topics)

    async def drained_of(self, engine: EngineProcess, topics: Sequence[str]) -> None:
        """Wait until an engine has mirrored all of some topics, as long as it gets on with it."""
        mirrored, deadline = -1, 0.0
        while True:
            page = await engine.api.flows.partitions(self.flow)
            rows = [row for row in page.partitions if row.topic in topics]
            if len(rows) == PARTITIONS * len(topics) and await self._at_ends(rows):
                return
            now, so_far = asyncio.get_running_loop().time(), sum(r.mirrored_to or 0 for r in rows)
            if so_far != mirrored:
                mirrored, deadline = so_far, now + STUCK_S
            names = ", ".join(topics)
            assert now < deadline, f"nothing of {names} came for {STUCK_S:.0f} s, {so_far} before"
            await asyncio.sleep(POLL_S)

    async def _at_ends(self, rows: Sequence[PartitionSnapshot]) -> bool:
        servers = self.sandbox.bootstrap("east").split(",")
        cluster = Cluster("east", ClusterConfig(bootstrap_servers=servers))
        keys = [(row.topic, row.partition) for row in rows]
        try:
            metadata = await cluster.metadata({topic for topic, _ in keys})
            ends = await cluster.list_offsets(dict.fromkeys(keys, -1), metadata, isolation=1)
        finally:
            await cluster.close()
        return all(ends.get((row.topic, row.partition)) == row.mirrored_to for row in rows)

    async def intact(self, engine: EngineProcess, *, others: int = 0) -> None:
        """End the load and wait until all is mirrored; assert that both sides are the same.

        And that no engine of the rig ever took more memory than it may.

        `others` are the records that were produced besides `load`.
        """
        await self.end_load()
        await self.drained(engine)
        assert_identical(await self.judge(), self._loaded + others)
        for each in self.engines:
            each.note_memory()
            print(f"{each.config.stem}: VmHWM {each.peak_memory:,} bytes")
            assert 0 < each.peak_memory <= MOST_MEMORY

    async def judge(self) -> Comparison:
        """Compare both clusters record by record."""
        return await compare(
            self.sandbox.bootstrap("east"),
            self.sandbox.bootstrap("west"),
            {topic: topic for topic in self.topics},
        )

    async def close(self) -> None:
        """End everything that still runs."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait([self._loading], timeout=CANCELLED_S)
        for engine in self.engines:
            await engine.close()


class EngineProcess:
    """A real `ccr --no-ui`."""

    def __init__(self, config: Path, flow: str, log: Path) -> None:
        self.config = config
        self.flow = flow
        self.log = log
        self.api = RemoteEngineApi(service_paths(config).socket)
        self.environment: Mapping[str, str] = {}  # on top of the tests' own
        self.peak_memory = 0  # bytes, of all its lives
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
                env={**os.environ, **self.environment},
            )

    @property
    def started(self) -> bool:
        """Whether it ever was."""
        return self._process is not None

    def note_memory(self) -> None:
        """Look at how much memory it ever had resident (VmHWM, which the kernel keeps)."""
        assert self._process is not None
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except FileNotFoundError:
            return
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            self.peak_memory = max(self.peak_memory, int(found[1]) * 1024)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it, with no chance to do anything."""
        assert self._process is not None
        self.note_memory()
        self._process.kill()
        self._process.wait()

    async def terminate(self) -> int:
        """Ask it to end; return its exit code."""
        assert self._process is not None
        self.note_memory()
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
        self, state: FlowState, seconds: float = 90.0, *, reason: str = ""
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

    async def works(self, seconds: float = 90.0) -> None:
        """Wait until more was mirrored than just now."""
        first: int | None = None

        async def more() -> bool:
            nonlocal first
            seen = await self.flow_snapshot()
            if seen is None:
                return False
            first = seen.records_total if first is None else first
            return seen.records_total > first

        await until(more, "records flow", seconds)

    async def close(self) -> None:
        """Make sure that it has ended."""
        await self.api.close()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self.kill()


@asynccontextmanager
async def rig(
    sandbox: Sandbox, folder: Path, bootstrap: Mapping[str, str] | None = None
) -> AsyncIterator[Rig]:
    """Make a rig and clean up after it."""
    made = Rig(sandbox, folder, bootstrap)
    try:
        yield made
    finally:
        await made.close()


def assert_identical(found: Comparison, least_records: int = 1) -> None:
    """Assert that nothing is lost, doubled, reordered or altered, of at least so many records."""
    counts: Mapping[object, int] = {kind: n for kind, n in found.counts.items() if n}
    assert not counts, "\n".join(map(str, found.examples))
    assert found.source_records == found.target_records >= least_records
