"""Promotion and failover on real clusters, with clients that follow: counted by content."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

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
    def moved(self) -> list[str]:
        """Where clients were told to go, by the cut-over commands of all runs."""
        path = self.folder / "moved"
        return path.read_text().split() if path.exists() else []

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
                "switch": {"cut_over": f"echo $CCR_TARGET >> {self.folder}/moved", **self.switch},
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

    async def mirrors(self, flow: str | None = None) -> None:
        """Wait until records flow."""
        running = self.engine.flow(flow or self.site.flow)
        await until(lambda: running.board.records_total > 0, "records flow")

    async def plan(self, kind: RunKind, flow: str | None = None) -> Plan:
        return await self.api.runbooks.plan(flow or self.site.flow, kind, RunOptions())

    async def start(self, kind: RunKind, flow: str | None = None) -> str:
        flow = flow or self.site.flow
        plan = await self.plan(kind, flow)
        assert not [each for each in plan.findings if each.stops]
        return (await self.api.runbooks.start(flow, kind, RunOptions(), plan.digest)).text

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
        await until(lambda: producer.at == "west", "clients write on west")
        await producer.moves_on()
        between = await read_by_group(site, "west")
        assert sorted(before + between) == list(range(len(before + between)))  # nothing again
        flow = hands.engine.flow(site.flow)
        assert flow.state()[0] is FlowState.PROMOTED
        back = hands.engine.flow(f"{site.flow}-back")
        await until(lambda: back.board.records_total > 0, "the way back mirrors")
        async with cluster(site.sandbox, "east") as east:
            configs = await topic_configs(east, [site.topic], ["max.message.bytes"])
            assert "max.message.bytes" not in configs[site.topic].own_values  # the fence is down
        with pytest.raises(RefusedError, match="promoted"):
            await hands.api.flows.pause(site.flow)
    async with site.engine() as hands:  # another engine, later: it still refuses, and leads home
        flow = hands.engine.flow(site.flow)
        await until(lambda: flow.state()[0] is FlowState.PROMOTED, "the promotion is known")
        await hands.mirrors(f"{site.flow}-back")
        await hands.start(RunKind.PROMOTE, flow=f"{site.flow}-back")
        run = await hands.ended(flow=f"{site.flow}-back")
        assert run.state is RunState.DONE, told(run)
        await until(lambda: producer.at == "east", "clients write on east again")
        await producer.moves_on()
        written = await producer.end()
        after = await read_by_group(site, "east", len(written) - len(before + between))
        assert sorted(before + between + after) == written  # nothing lost, nothing read again
        assert flow.state()[0] is FlowState.RUNNING
        await until(lambda: flow.board.lag_records == 0, "the old direction mirrors again")
        await until(lambda: flow.board.records_total > 0, "what is new")
    for name in ("east", "west"):
        assert sorted(await everything(site, name)) == written


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
        assert site.moved == ["west"]
        assert flow.state()[0] is FlowState.PROMOTED
