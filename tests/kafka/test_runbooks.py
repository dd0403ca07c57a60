"""Promotion and failover on real clusters, with clients that follow: counted by content."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError as AioKafkaError

from engine.api.local import LocalEngineApi
from engine.api.runbook_snapshots import Plan, Run, RunKind, RunOptions, RunState, StepState
from engine.api.snapshots import EngineMode, FlowState
from engine.config import loader
from engine.engine import Engine
from engine.errors import RefusedError
from engine.kafka.topic_configs import topic_configs
from engine.sandbox import Sandbox
from tests.kafka.engines import FreshTopic, create, until, until_async
from tests.kafka.group_tools import cluster

pytestmark = pytest.mark.kafka

PARTITIONS = 2
ENDED = (RunState.DONE, RunState.UNDONE, RunState.FAILED)


@dataclass
class Site:
    """An engine on a configuration file; `moved` appears when clients are told to move."""

    sandbox: Sandbox
    folder: Path
    flow: str
    topic: str
    switch: dict[str, object] = field(default_factory=dict)

    @property
    def moved(self) -> Path:
        """The file that the cut-over command makes."""
        return self.folder / "moved"

    @property
    def config(self) -> Path:
        """The configuration file, written once."""
        path = self.folder / "ccr.yaml"
        if not path.exists():
            clusters = {
                name: {"bootstrap_servers": self.sandbox.bootstrap(name).split(",")}
                for name in ("east", "west")
            }
            flow = {
                "source": "east",
                "target": "west",
                "topics": {"include": [re.escape(self.topic)]},
                "topic_refresh": "500ms",
                "groups": {"include": [re.escape(self.topic)], "interval": "1s"},
                "switch": {"cut_over": f"touch {self.moved}", **self.switch},
            }
            config = {"version": 1, "clusters": clusters, "flows": {self.flow: flow}}
            path.write_text(yaml.safe_dump(config))
        return path

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Hands]:
        """Run an engine."""
        engine = Engine(
            loader.load(self.config), config_path=str(self.config), mode=EngineMode.SERVICE
        )
        api = LocalEngineApi(engine)
        await engine.start()
        try:
            async with api.desk.at_work():
                yield Hands(self, engine, api)
                await api.desk.end(20)
        finally:
            await engine.stop(10)


@dataclass
class Hands:
    """What a test does with an engine."""

    site: Site
    engine: Engine
    api: LocalEngineApi

    async def mirrors(self) -> None:
        """Wait until records flow."""
        flow = self.engine.flow(self.site.flow)
        await until(lambda: flow.board.records_total > 0, "records flow")

    async def plan(self, kind: RunKind, options: RunOptions = RunOptions()) -> Plan:
        return await self.api.runbooks.plan(self.site.flow, kind, options)

    async def start(self, kind: RunKind, options: RunOptions = RunOptions()) -> str:
        plan = await self.plan(kind, options)
        assert not [each for each in plan.findings if each.stops]
        return (await self.api.runbooks.start(self.site.flow, kind, options, plan.digest)).text

    async def latest(self) -> Run:
        return (await self.api.runbooks.runs(self.site.flow)).runs[0]

    async def ended(self, seconds: float = 60) -> Run:
        """Wait until the newest run has ended."""

        async def over() -> bool:
            return (await self.latest()).state in ENDED

        try:
            await until_async(over, "the run has ended", seconds)
        except AssertionError:
            raise AssertionError(told(await self.latest())) from None
        return await self.latest()


def told(run: Run) -> str:
    """Return a run in lines, for a failing test."""
    lines = [f"{run.state} {run.reason}"]
    lines += [
        f"{step.name}: {step.state}, {step.waits_for!r}, {step.evidence}, {step.reason}"
        for step in run.steps
    ]
    return "\n".join(lines)


class Producer:
    """Writes 0, 1, 2, … one after another; moves to the other cluster once it is told to."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.written: list[int] = []
        self.on_east = 0
        self._enough = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        number = await self._write_to("east", 0)
        self.on_east = number
        if not self._enough.is_set():
            await until(self._site.moved.exists, "clients are told to move", 120)
            await self._write_to("west", number)

    async def _write_to(self, name: str, number: int) -> int:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._site.sandbox.bootstrap(name), request_timeout_ms=5000
        )
        await producer.start()
        try:
            while not self._enough.is_set():
                value = b"%020d" % number  # a fence of 78 bytes lets very small batches in
                await producer.send_and_wait(
                    self._site.topic, value, partition=number % PARTITIONS
                )
                self.written.append(number)
                number += 1
                await asyncio.sleep(0.002)
        except AioKafkaError:
            assert name == "east"  # the fence, or the end of it
        finally:
            with contextlib.suppress(AioKafkaError):
                await producer.stop()
        return number

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


@pytest.fixture
async def site(sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path) -> Site:
    topic = fresh_topic("switch")
    await create(sandbox, topic, PARTITIONS)
    return Site(sandbox, tmp_path, f"flow-{topic}", topic)


async def test_a_planned_switch_loses_and_repeats_nothing(site: Site) -> None:
    """Clients follow; the way back mirrors what they write now; the old direction is refused."""
    producer = Producer(site)
    async with site.engine() as hands:
        await hands.mirrors()
        before = await read_by_group(site, "east")
        await hands.start(RunKind.PROMOTE)
        run = await hands.ended()
        assert run.state is RunState.DONE, told(run)
        assert {step.state for step in run.steps} == {StepState.DONE}
        await until(lambda: len(producer.written) > producer.on_east + 50, "clients write on west")
        written = await producer.end()
        after = await read_by_group(site, "west", len(written) - len(before))
        assert sorted(before + after) == written  # nothing lost, nothing read again
        flow = hands.engine.flow(site.flow)
        assert flow.state()[0] is FlowState.PROMOTED
        back = hands.engine.flow(f"{site.flow}-back")
        rows = back.board.partitions
        await until(
            lambda: sum(p.acked.target for p in rows.values()) >= len(written), "the way back"
        )
        async with cluster(site.sandbox, "east") as east:
            configs = await topic_configs(east, [site.topic], ["max.message.bytes"])
            assert "max.message.bytes" not in configs[site.topic].own_values  # the fence is down
        with pytest.raises(RefusedError, match="promoted"):
            await hands.api.flows.pause(site.flow)
    assert sorted(await everything(site, "east")) == written
    async with site.engine() as hands:  # another engine, later: it still refuses
        flow = hands.engine.flow(site.flow)
        await until(lambda: flow.state()[0] is FlowState.PROMOTED, "the promotion is known")


async def everything(site: Site, name: str) -> list[int]:
    """Return all that stands in the topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=site.sandbox.bootstrap(name), auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        from aiokafka import TopicPartition  # noqa: PLC0415

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


async def test_a_switch_that_cannot_be_is_undone(site: Site) -> None:
    """Aborted while it waits for a transaction: the fence comes down, producers write on."""
    site.switch = {"drain_timeout": "1m"}
    open_one = AIOKafkaProducer(
        bootstrap_servers=site.sandbox.bootstrap("east"), transactional_id=site.topic
    )
    await open_one.start()
    async with site.engine() as hands:
        await open_one.begin_transaction()
        await open_one.send_and_wait(site.topic, b"0" * 20, partition=0)
        flow = hands.engine.flow(site.flow)
        await until(lambda: len(flow.board.partitions) == PARTITIONS, "partitions are known")
        await hands.start(RunKind.PROMOTE)

        async def waits() -> bool:
            steps = {step.name.value: step for step in (await hands.latest()).steps}
            return "transaction" in steps["stand"].waits_for

        await until_async(waits, "it waits for the transaction")
        with pytest.raises(RefusedError, match="another run"):
            await hands.api.runbooks.start(site.flow, RunKind.PROMOTE, RunOptions(), "")
        await hands.api.runbooks.abort(site.flow)
        run = await hands.ended()
        assert run.state is RunState.UNDONE, told(run)
        await open_one.commit_transaction()
        await open_one.begin_transaction()
        await open_one.send_and_wait(site.topic, b"1" * 20, partition=0)
        await open_one.commit_transaction()
        await open_one.stop()
        mirror = flow.board.partitions[site.topic, 0]
        await until(lambda: mirror.acked.source >= 4, "it is mirrored on")
        assert flow.state()[0] is FlowState.RUNNING


async def test_failover_promotes_what_has_arrived(site: Site) -> None:
    """The plan says what is lost; groups go on where they were; producers move by themselves."""
    producer = Producer(site)
    async with site.engine() as hands:
        await hands.mirrors()
        before = await read_by_group(site, "east")
        written = await producer.end()
        flow = hands.engine.flow(site.flow)
        rows = flow.board.partitions
        await until(
            lambda: sum(p.acked.source for p in rows.values()) == len(written), "all is mirrored"
        )
        plan = await hands.plan(RunKind.FAILOVER)
        assert plan.loss is not None
        await hands.start(RunKind.FAILOVER)
        run = await hands.ended()
        assert run.state is RunState.DONE, told(run)
        assert run.crossed
        after = await read_by_group(site, "west", len(written) - len(before))
        assert sorted(before + after) == written
        assert site.moved.exists()
        assert flow.state()[0] is FlowState.PROMOTED
