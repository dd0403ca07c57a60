"""`offsets: identical` on real brokers: mirrors that begin where their sources do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from engine.api.offsets_snapshots import OffsetsTotals
from engine.config.cluster_section import ClusterConfig
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.topics import NewTopic, create_topics
from engine.kafka.transactions import Transaction
from engine.replication.identical.alignment import Aligned, Alignment
from engine.replication.identical.fillers import Fillers
from engine.replication.identical.target_log import TargetLog
from engine.sandbox import Sandbox
from tests.kafka.engines import FreshTopic, Running, create, producer, read, running, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

FAR = 50_000_000


@asynccontextmanager
async def opened(sandbox: Sandbox, name: str) -> AsyncIterator[Cluster]:
    """A cluster of the sandbox."""
    servers = sandbox.bootstrap(name).split(",")
    cluster = Cluster(name, ClusterConfig(bootstrap_servers=servers))
    try:
        yield cluster
    finally:
        await cluster.close()


async def begin_at(cluster: Cluster, topic: str, starts: dict[int, int]) -> None:
    """Let empty partitions begin at offsets, as if retention had taken all before."""
    fillers = Fillers()

    async def one(partition: int, start: int) -> None:
        transaction = Transaction(cluster, f"{topic}.{partition}")
        async with TargetLog(cluster, (topic, partition), transaction, fillers, -1) as log:
            alignment = Alignment(start)
            assert await alignment.recover(log) is None
            outcome = await alignment.fill(log, nothing, lambda reached: None)
            assert isinstance(outcome, Aligned)

    await asyncio.gather(*(one(partition, start) for partition, start in starts.items() if start))


async def nothing() -> None:
    """Nothing to put on record."""


async def bounds(cluster: Cluster, topic: str, partitions: int) -> list[tuple[int, int]]:
    """Where a topic's logs begin and end."""
    metadata = await cluster.metadata([topic])
    keys = [(topic, number) for number in range(partitions)]
    low = await cluster.list_offsets(dict.fromkeys(keys, EARLIEST), metadata)
    high = await cluster.list_offsets(dict.fromkeys(keys, LATEST), metadata)
    return [(low[key], high[key]) for key in keys]


async def produce(sandbox: Sandbox, topic: str, partition: int, first: int, count: int) -> None:
    """Produce records that know their offsets: `first` is the next one's."""
    async with producer(sandbox) as client:
        for offset in range(first, first + count):
            await client.send(topic, b"%d" % offset, key=b"k%d" % offset, partition=partition)


def states(engine: Running, topic: str) -> list[str]:
    """What the engine says of a topic's partitions."""
    engine.flow.board.tick()
    rows = engine.flow.board.page(0).partitions
    found = sorted((row.partition, str(row.offsets)) for row in rows if row.topic == topic)
    return [state for _, state in found]


async def aligned(engine: Running, topic: str, end: int) -> None:
    """Wait until a topic is mirrored, however long aligning takes on a busy machine."""
    board = engine.flow.board
    await until(
        lambda: (rows := [p for p in board.partitions.values() if p.topic == topic])
        and all(p.positioned for p in rows),
        f"{topic} is aligned",
        240,
    )
    await engine.mirrored(topic, end)


@asynccontextmanager
async def watching(sandbox: Sandbox, topic: str, partitions: int) -> AsyncIterator[list[int]]:
    """Read committed data from the mirror all the time; yields the offsets of what was seen."""
    seen: list[int] = []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=sandbox.bootstrap("west"),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, number) for number in range(partitions)])

    async def poll() -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=50)).values():
                for record in records:
                    assert record.value == b"%d" % record.offset
                    seen.append(record.offset)

    task = asyncio.create_task(poll())
    try:
        yield seen
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait([task])
        await consumer.stop()


async def test_offsets_are_the_sources(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """At 0, 1, 5 and 50,000,000, under a consumer that sees every record and never a filler."""
    topic = fresh_topic("identical")
    starts = dict(enumerate((0, 1, 5, FAR)))
    await create(sandbox, topic, len(starts))
    async with opened(sandbox, "east") as east, opened(sandbox, "west") as west:
        await begin_at(east, topic, starts)
        began = time.monotonic()
        for partition, start in starts.items():
            await produce(sandbox, topic, partition, start, 10)
        assert not await create_topics(west, [NewTopic(topic, len(starts), 1)])
        async with (
            watching(sandbox, topic, len(starts)) as seen,
            running(sandbox, [topic], offsets="identical") as engine,
        ):
            await aligned(engine, topic, sum(starts.values()) + 40)
            print(f"{time.monotonic() - began:.1f} s")
            print(*[event.text for event in engine.engine.events.since(0)], sep="\n")
            assert states(engine, topic) == ["identical"] * 4
            assert engine.flow.board.offsets() == OffsetsTotals(4, 0, 0)
            expected = sorted(start + n for start in starts.values() for n in range(10))
            await until(lambda: len(seen) >= len(expected), "the consumer has read all")
            assert sorted(seen) == expected
        found = await bounds(west, topic, len(starts))
        assert found == [(start, start + 10) for start in starts.values()]
        assert found == await bounds(east, topic, len(starts))
    records = await read(sandbox, "west", topic, committed=False)
    assert {record.value == b"%d" % record.offset for record in records} == {True}
    assert len(records) == 40
