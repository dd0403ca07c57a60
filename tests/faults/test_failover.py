"""The source is killed under load: what is lost is what was shown, to the record."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError as AioKafkaError

from engine.api.loss_snapshots import LossSnapshot
from engine.api.runbook_snapshots import RunKind, RunState
from engine.api.snapshots import FlowState
from engine.sandbox import ClusterSpec, Sandbox
from engine.service import loss_wording
from tests.kafka.engines import create, until, until_async
from tests.kafka.switching import PARTITIONS, Hands, Site, everything, told

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(200)]

SLOW = "20KiB"  # a second: so that the mirror is behind when the source dies


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """Two clusters of this test's own: one of them dies."""
    made = Sandbox(
        tmp_path / "sandbox", {"east": ClusterSpec(), "west": ClusterSpec()}, ephemeral=True
    )
    await made.up()
    try:
        yield made
    finally:
        await made.down()


async def write_until_it_dies(site: Site) -> None:
    """Write faster than the mirror may follow, until the source is gone."""
    producer = AIOKafkaProducer(
        bootstrap_servers=site.sandbox.bootstrap("east"), request_timeout_ms=2000, linger_ms=5
    )
    await producer.start()
    number = 0
    try:
        while True:
            rows = [
                await producer.send(site.topic, b"%0400d" % (number + each), partition=each % 2)
                for each in range(100)
            ]
            await asyncio.gather(*rows)
            number += 100
    except AioKafkaError:
        pass
    finally:
        with contextlib.suppress(AioKafkaError):
            await asyncio.wait_for(producer.stop(), 5)


async def seen_loss(hands: Hands) -> LossSnapshot:
    """Return what the plan shows, with the topic's partitions."""
    plan = await hands.plan(RunKind.FAILOVER)
    assert plan.loss is not None
    assert plan.loss.lost_records > 0
    assert plan.loss.at_least  # the look is old: said so
    rate, old = plan.loss.written_per_second, plan.loss.taken_at - plan.loss.looked_at
    assert rate
    assert plan.loss.since_records == round(rate * old)  # and what may have come since
    assert "by estimate" in loss_wording.sentence(plan.loss)
    by_partition = await hands.api.flows.loss(hands.site.flow, hands.site.topic)
    return replace(plan.loss, listed=by_partition.listed)


async def values(site: Site, name: str, upto: dict[int, int] | None = None) -> set[int]:
    """Return what stands in the topic, below offsets by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=site.sandbox.bootstrap(name))
    await consumer.start()
    try:
        partitions = [TopicPartition(site.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        if upto is not None:
            ends = {tp: upto[tp.partition] for tp in partitions}
        found: set[int] = set()
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            row = await asyncio.wait_for(consumer.getone(), 20)
            if row.offset < ends[TopicPartition(row.topic, row.partition)]:
                found.add(int(row.value))
        return found
    finally:
        await consumer.stop()


async def test_what_is_lost_is_what_was_shown(own: Sandbox, tmp_path: Path) -> None:
    """By the engine that saw the source die, and by one that never saw the source at all."""
    site = Site(own, tmp_path, "flow", "orders", limits={"bytes_per_second": SLOW})
    await create(own, site.topic, PARTITIONS)
    async with site.engine() as hands:
        load = asyncio.create_task(write_until_it_dies(site))
        flow = hands.engine.flow(site.flow)
        await until(lambda: (flow.board.lag_records or 0) > 2000, "the mirror is behind")
        await until(lambda: flow.record.ends_seen or flow.board.records_total > 50, "it mirrors")

        async def ends_written() -> bool:
            return any(True for _ in flow.board.partitions) and bool(await written(site))

        await until_async(ends_written, "the ends are in the state topic")
        await until(lambda: flow.record.written_per_second, "the rate is in the state topic")
        await own.kill_broker("east", 1)
        await load
        # What was under way arrives, and what was fetched is acknowledged.
        await until(lambda: flow.state()[0] is FlowState.WAITING, "the source is missed", 60)
        shown = await settled(hands)
    async with site.engine() as other:
        fresh = other.engine.flow(site.flow)
        await until(lambda: fresh.owned_here and len(fresh.board.partitions) == PARTITIONS, "known")
        remembered = await seen_loss(other)
        assert 0 < remembered.lost_records <= shown.lost_records
        assert remembered.source_trouble
        began = asyncio.get_running_loop().time()
        await other.start(RunKind.FAILOVER)
        run = await other.ended()
        assert run.state is RunState.DONE, told(run)
        assert asyncio.get_running_loop().time() - began < 20  # nothing waits for the dead source
        arrived = await values(site, "west")
        await own.start_broker("east", 1)
        ends = {each.partition: each.source_end or 0 for each in shown.listed}
        there = await values(site, "east", ends)
        assert len(there - arrived) == shown.lost_records
        assert arrived <= await values(site, "east")
        # It stays so, with the engine running and the source back.
        await until_async(lambda: east_is_back(other), "the engine sees the source again", 60)
        assert len(await everything(site, "west")) == len(arrived)
        assert fresh.state()[0] is FlowState.PROMOTED


async def written(site: Site) -> bool:
    """Whether the state topic holds ends of the source."""
    consumer = AIOKafkaConsumer(bootstrap_servers=site.sandbox.bootstrap("west"))
    await consumer.start()
    try:
        partition = TopicPartition(f"ccr.{site.flow}.internal", 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        keys = set()
        while await consumer.position(partition) < end:
            keys.add((await asyncio.wait_for(consumer.getone(), 20)).key)
        return f"ends/{site.topic}".encode() in keys
    finally:
        await consumer.stop()


async def settled(hands: Hands) -> LossSnapshot:
    """Return what is shown once nothing changes any more."""
    before = await seen_loss(hands)
    while True:
        await asyncio.sleep(1)
        now = await seen_loss(hands)
        if now.lost_records == before.lost_records:
            return now
        before = now


async def east_is_back(hands: Hands) -> bool:
    """Whether the engine reaches the source."""
    snapshot = await hands.api.snapshot()
    return next(each.reachable for each in snapshot.clusters if each.name == "east")
