"""Runbooks on real clusters, with clients that follow: what tests of them share."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from engine.api.local import LocalEngineApi
from engine.api.runbook_snapshots import Plan, Run, RunKind, RunOptions, RunState
from engine.api.snapshots import EngineMode
from engine.config import loader
from engine.engine import Engine
from engine.sandbox import Sandbox
from tests.kafka.engines import until, until_async

PARTITIONS = 2
PLAIN = RunOptions()
ENDED = (RunState.DONE, RunState.UNDONE, RunState.FAILED)


@dataclass
class Site:
    """An engine on a configuration file; `moved` appears when clients are told to move."""

    sandbox: Sandbox
    folder: Path
    flow: str
    topic: str
    switch: dict[str, object] = field(default_factory=dict)
    limits: dict[str, object] = field(default_factory=dict)
    beside: list[Site] = field(default_factory=list)  # whose flows are in the same configuration

    @property
    def moved(self) -> list[str]:
        """Where clients were told to go, by the cut-over commands of all runs."""
        path = self.folder / "moved"
        return path.read_text().split() if path.exists() else []

    @property
    def section(self) -> dict[str, object]:
        """The flow's section."""
        return {
            "source": "east",
            "target": "west",
            "topics": {"include": [re.escape(self.topic)]},
            "topic_refresh": "500ms",
            "limits": self.limits,
            "groups": {"include": [re.escape(self.topic)], "interval": "1s"},
            "switch": {"cut_over": f"echo $CCR_TARGET >> {self.folder}/moved", **self.switch},
        }

    @property
    def config(self) -> Path:
        """The configuration file, written once."""
        path = self.folder / "ccr.yaml"
        if not path.exists():
            clusters = {
                name: {"bootstrap_servers": self.sandbox.bootstrap(name).split(",")}
                for name in ("east", "west")
            }
            flows = {each.flow: each.section for each in (self, *self.beside)}
            config = {"version": 1, "clusters": clusters, "flows": flows}
            path.write_text(yaml.safe_dump(config))
        return path

    @asynccontextmanager
    async def engine(self, *, graceful: bool = True) -> AsyncIterator[Hands]:
        """Run an engine; without grace it is gone from one moment to the next."""
        engine = Engine(
            loader.load(self.config), config_path=str(self.config), mode=EngineMode.SERVICE
        )
        api = LocalEngineApi(engine)
        await engine.start()
        try:
            async with api.desk.at_work():
                yield Hands(self, engine, api)
                await api.desk.end(20 if graceful else 0)
        finally:
            await engine.stop(10 if graceful else 0)


@dataclass
class Hands:
    """What a test does with an engine."""

    site: Site
    engine: Engine
    api: LocalEngineApi

    async def mirrors(self, flow: str | None = None) -> None:
        """Wait until records flow."""
        running = self.engine.flow(flow or self.site.flow)
        await until(lambda: running.board.records_total > 0, "records flow")

    async def plan(self, kind: RunKind, flow: str | None = None) -> Plan:
        return await self.api.runbooks.plan(flow or self.site.flow, kind, RunOptions())

    async def start(
        self, kind: RunKind, flow: str | None = None, options: RunOptions = PLAIN
    ) -> str:
        flow = flow or self.site.flow
        plan = await self.api.runbooks.plan(flow, kind, options)
        assert not [each for each in plan.findings if each.stops]
        return (await self.api.runbooks.start(flow, kind, options, plan.digest)).text

    async def latest(self, flow: str | None = None) -> Run:
        return (await self.api.runbooks.runs(flow or self.site.flow)).runs[0]

    async def ended(self, flow: str | None = None) -> Run:
        """Wait until the newest run has ended."""

        async def over() -> bool:
            return (await self.latest(flow)).state in ENDED

        try:
            await until_async(over, "the run has ended", 60)
        except AssertionError:
            raise AssertionError(told(await self.latest(flow))) from None
        return await self.latest(flow)


def told(run: Run) -> str:
    """Return a run in lines, for a failing test."""
    lines = [f"{run.state} {run.reason}"]
    lines += [
        f"{step.name}: {step.state}, {step.waits_for!r}, {step.evidence}, {step.reason}"
        for step in run.steps
    ]
    return "\n".join(lines)


class Producer:
    """Writes 0, 1, 2, … one after another; goes where it is told to once it cannot write."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.written: list[int] = []
        self.at = "east"
        self._enough = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        for move in range(10):
            await self._write()
            if self._enough.is_set():
                return
            await until(lambda move=move: len(self._site.moved) > move, "clients move", 120)
            self.at = self._site.moved[move]

    async def _write(self) -> None:
        """Write until that is refused, or enough."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._site.sandbox.bootstrap(self.at), request_timeout_ms=5000
        )
        await producer.start()
        try:
            while not self._enough.is_set():
                number = len(self.written)
                value = b"%020d" % number  # a fence of 78 bytes lets very small batches in
                await producer.send_and_wait(self._site.topic, value, partition=number % PARTITIONS)
                self.written.append(number)
                await asyncio.sleep(0.002)
        except MessageSizeTooLargeError:
            pass  # the fence
        finally:
            await producer.stop()

    async def moves_on(self) -> None:
        """Wait until some more is written."""
        enough = len(self.written) + 50
        await until(lambda: len(self.written) > enough, "clients write")

    async def end(self) -> list[int]:
        """Write no more; return what was acknowledged."""
        self._enough.set()
        await self._task
        return self.written


async def read_by_group(site: Site, name: str, upto: int | None = None) -> list[int]:
    """Read as the topic's own group until `upto`, or some; commit; return what was read."""
    consumer = AIOKafkaConsumer(
        site.topic,
        bootstrap_servers=site.sandbox.bootstrap(name),
        group_id=site.topic,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    found: list[int] = []
    try:
        while len(found) < (upto or 20):
            rows = await asyncio.wait_for(consumer.getone(), 20)
            found.append(int(rows.value))
        await consumer.commit()
    finally:
        await consumer.stop()
    return found


async def everything(site: Site, name: str) -> list[int]:
    """Return all that stands in the topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=site.sandbox.bootstrap(name), auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(site.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found = []
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            found.append(int((await asyncio.wait_for(consumer.getone(), 20)).value))
        return found
    finally:
        await consumer.stop()
