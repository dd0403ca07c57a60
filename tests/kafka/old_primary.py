"""An old primary that comes back: two clusters after a failover, for the tests of failback.

Its broker and the flow's engine were killed, the engine first, so that the state topic knows least.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from aiokafka import AIOKafkaProducer

from engine.config.model import Config
from engine.identity import this_engine
from engine.kafka.cluster import Cluster
from engine.replication.state_log import StateLog
from engine.replication.state_records import Entry, FlowRecord
from engine.replication.verify.verifier import Options, verify
from engine.runbook.divergence import Divergence, Remember, Sides, find
from engine.sandbox import Sandbox
from tests.kafka.engines import create, producer, read, until_async

PARTITIONS = 2
CCR = str(Path(sys.executable).with_name("ccr"))
Content = tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...], int]
"""Partition, key, value, headers, timestamp."""


@dataclass
class Site:
    """A topic with a flow each way; the one back does not run yet."""

    sandbox: Sandbox
    folder: Path
    name: str
    settings: Mapping[str, object] = field(default_factory=dict)  # of the flow, not of the one back

    def __post_init__(self) -> None:
        run = uuid.uuid4().hex[:8]
        self.topic = f"{self.name}-{run}"
        self.late_topic = f"{self.topic}-late"  # made on the source when nobody mirrors any more
        self.there, self.back = f"there-{run}", f"back-{run}"

    def flows(self) -> dict[str, object]:
        """Both flows' sections."""
        common: dict[str, object] = {
            "topics": {"include": [f"{self.topic}.*"]},
            "topic_refresh": "500ms",
            "groups": {"interval": "500ms"},
        }
        return {
            self.there: {"source": "east", "target": "west", **common, **self.settings},
            self.back: {"source": "west", "target": "east", **common},
        }

    def config(self) -> Config:
        """A configuration with both."""
        return Config.model_validate(configuration(self.sandbox, self.flows()))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Owner]:
        """Own the flow, as the engine that executes a runbook does."""
        config = self.config()
        clusters = {name: Cluster(name, section) for name, section in config.clusters.items()}
        state = StateLog(self.there, clusters["west"], this_engine())
        owner = Owner(self, config, clusters, state)
        try:
            await owner.claim()
            yield owner
        finally:
            await state.close()
            for cluster in clusters.values():
                await cluster.close()

    async def content(
        self, cluster: str, topic: str = "", start: Mapping[int, int] | None = None
    ) -> list[Content]:
        """What a consumer reads of a side, from offsets of partitions on."""
        begin = start or {}
        return [
            (each.partition, each.key, each.value, tuple(each.headers), each.timestamp)
            for each in await read(self.sandbox, cluster, topic or self.topic)
            if each.offset >= begin.get(each.partition, 0)
        ]


@dataclass
class Owner:
    """The flow in the hands of a runbook."""

    site: Site
    config: Config
    clusters: Mapping[str, Cluster]
    state: StateLog
    appends: int = 0

    async def claim(self) -> None:
        await self.state.read()
        await self.state.establish_identity()
        await self.state.claim()

    @property
    def record(self) -> FlowRecord:
        return self.state.record

    async def remember(self, entries: Iterable[Entry]) -> None:
        """Do as `Flow.remember`."""
        await remembering(self.state)(entries)

    @property
    def sides(self) -> Sides:
        """The flow's."""
        flow = self.config.flows[self.site.there]
        return Sides(self.site.there, flow, self.clusters["east"], self.clusters["west"])

    @property
    def reverse(self) -> Sides:
        """The reverse flow's."""
        flow = self.config.flows[self.site.back]
        return Sides(self.site.back, flow, self.clusters["west"], self.clusters["east"])


async def verified(site: Site) -> None:
    """Compare both flows with `ccr verify`'s own code: nothing is wrong either way."""
    for flow in (site.there, site.back):
        report = await verify(site.config(), flow, Options(full=True))
        assert [(each.reason, each.wrong) for each in report.partitions] == [
            (None, 0) for _ in report.partitions
        ], (flow, report)
        assert sum(each.equal for each in report.partitions)


def remembering(state: StateLog) -> Remember:
    """Do as `Flow.remember`."""

    async def remember(entries: Iterable[Entry]) -> None:
        entries = list(entries)
        await state.append(entries)
        for key, value in entries:
            state.record.fold(key, value, 0)

    return remember


async def find_told(owner: Owner) -> Divergence:
    """Find until all can be told that time alone tells: a broker that came back needs a moment."""
    found: list[Divergence] = []

    async def told() -> bool:
        found[:] = [await find(owner.sides, owner.record)]
        return not any(each.retriable for each in found[0].untold)

    await until_async(told, "all can be told")
    return found[0]


def configuration(sandbox: Sandbox, flows: Mapping[str, object]) -> dict[str, object]:
    """A configuration's content."""
    clusters = {
        name: {"bootstrap_servers": sandbox.bootstrap(name).split(",")} for name in ("east", "west")
    }
    return {"version": 1, "clusters": clusters, "flows": flows}


async def fail_over(sandbox: Sandbox, folder: Path, sites: list[Site], diverged: int) -> None:
    """Mirror, kill the engine, write what never arrives, kill the source; west goes on; it is back.

    `diverged` is how many plain records never arrive of each site; markers and more come with them.
    """
    for site in sites:
        await create(sandbox, site.topic, PARTITIONS)
    await asyncio.gather(*(write(site, "east", "arrived", 40) for site in sites))
    await _mirror_and_kill(sandbox, folder, sites)
    await asyncio.gather(*(_diverge(site, diverged) for site in sites))
    await sandbox.kill_broker("east", 1)
    await asyncio.gather(*(write(site, "west", "own", 25) for site in sites))
    await sandbox.start_broker("east", 1)


async def _diverge(site: Site, records: int) -> None:
    await write(site, "east", "diverged", records)
    await create(site.sandbox, site.late_topic, 1)
    async with producer(site.sandbox) as plain:
        await plain.send_and_wait(site.late_topic, b"late", key=b"k", partition=0)


async def _mirror_and_kill(sandbox: Sandbox, folder: Path, sites: list[Site]) -> None:
    path = folder / "ccr.yaml"
    flows = {site.there: site.flows()[site.there] for site in sites}
    path.write_text(yaml.safe_dump(configuration(sandbox, flows)))
    with (folder / "engine.log").open("wb") as log:
        engine = await asyncio.create_subprocess_exec(
            *(CCR, "--no-ui", "--config", str(path)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            for site in sites:
                await _arrived(site)
        finally:
            engine.send_signal(signal.SIGKILL)
            await engine.wait()


async def _arrived(site: Site) -> None:
    wanted = Counter(await site.content("east"))

    async def same() -> bool:
        return Counter(await site.content("west")) == wanted

    await until_async(same, f"{site.topic} is on west")


async def write(site: Site, cluster: str, what: str, count: int) -> None:
    """Write records of every kind: batched, alone, packed, in transactions, null, with headers."""
    servers = site.sandbox.bootstrap(cluster)
    async with AIOKafkaProducer(
        bootstrap_servers=servers, enable_idempotence=True, linger_ms=5
    ) as sender:
        sent = [
            await sender.send(
                site.topic,
                f"{what} {n}".encode(),
                key=None if n % 5 == 0 else b"key %d" % (n % 7),
                headers=[("n", b"%d" % n), ("empty", b"")] if n % 3 == 0 else [],
                partition=n % PARTITIONS if n < count - 5 else 0,
                timestamp_ms=1_700_000_000_000 + n,
            )
            for n in range(count)
        ]
        await asyncio.gather(*sent)
    async with AIOKafkaProducer(bootstrap_servers=servers, compression_type="gzip") as sender:
        await sender.send_and_wait(site.topic, f"{what} packed".encode() * 9, partition=0)
        await sender.send_and_wait(site.topic, None, key=b"gone", partition=0)
    name = f"{site.topic}-{cluster}-{what}-{os.getpid()}"
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=name) as sender:
        for end in (sender.commit_transaction, sender.abort_transaction):
            await sender.begin_transaction()
            for n in range(3):
                await sender.send_and_wait(
                    site.topic, f"{what} {end.__name__} {n}".encode(), partition=0
                )
            await end()
    async with AIOKafkaProducer(bootstrap_servers=servers) as sender:
        await sender.send_and_wait(site.topic, f"{what} last".encode(), partition=0)
