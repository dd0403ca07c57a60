"""`offsets: identical` on real brokers: mirrors that begin where their sources do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from engine.api.offsets_snapshots import AlignmentPreview, OffsetsTotals
from engine.config.cluster_section import ClusterConfig
from engine.config.flow_section import FlowConfig
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.topic_configs import alter_configs, topic_configs
from engine.kafka.topics import NewTopic, create_topics
from engine.kafka.transactions import Transaction
from engine.replication.identical.alignment import Aligned, Alignment
from engine.replication.identical.fillers import Fillers
from engine.replication.identical.looking import preview_alignment
from engine.replication.identical.target_log import TargetLog
from engine.replication.state_records import FlowRecord
from engine.sandbox import ClusterSpec, Sandbox
from tests.faults.rig import EngineProcess
from tests.faults.rig import until as eventually
from tests.kafka.engines import (
    FreshTopic,
    Running,
    create,
    producer,
    read,
    running,
    until,
    until_async,
)
from tests.kafka.group_tools import commit, committed

pytestmark = pytest.mark.kafka

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

    async def led() -> bool:
        keys = {(topic, partition): LATEST for partition in starts}
        return len(await cluster.list_offsets(keys, await cluster.metadata([topic]))) == len(keys)

    await until_async(led, f"every partition of {topic} has a leader")

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


async def preview(east: Cluster, west: Cluster, topic: str) -> AlignmentPreview:
    """What aligning a topic would take."""
    config = FlowConfig(source="east", target="west")
    source = await east.metadata([topic])
    return await preview_alignment(config, (east, west), {topic: topic}, source, FlowRecord())


async def produce(sandbox: Sandbox, topic: str, partition: int, first: int, count: int) -> None:
    """Produce records that know their offsets: `first` is the next one's."""
    async with producer(sandbox) as client:
        for offset in range(first, first + count):
            await client.send(topic, b"%d" % offset, key=b"k%d" % offset, partition=partition)


async def said(engine: Running, topic: str, *expected: str) -> None:
    """Wait until the engine says so of a topic's partitions."""

    def states() -> list[str]:
        rows = engine.flow.board.page(0).partitions
        found = sorted((row.partition, str(row.offsets)) for row in rows if row.topic == topic)
        return [state for _, state in found]

    await until(lambda: states() == list(expected), f"{topic} is {expected}")


async def aligned(engine: Running, topic: str, end: int) -> None:
    """Wait until a topic is mirrored, however long aligning takes on a busy machine."""
    board = engine.flow.board
    await until(
        lambda: (
            (rows := [p for p in board.partitions.values() if p.topic == topic])
            and all(p.positioned for p in rows)
        ),
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
        for partition, start in starts.items():
            await produce(sandbox, topic, partition, start, 10)
        told = await preview(east, west, topic)
        assert [(row.partition, row.start) for row in told.partitions] == [
            (1, 1),
            (2, 5),
            (3, FAR),
        ]
        assert not await create_topics(west, [NewTopic(topic, len(starts), 1)])
        async with (
            watching(sandbox, topic, len(starts)) as seen,
            running(
                sandbox,
                [topic],
                offsets="identical",
                groups={"include": [topic], "interval": "500ms"},
            ) as engine,
        ):
            await aligned(engine, topic, sum(starts.values()) + 40)
            print(*[event.text for event in engine.engine.events.since(0)], sep="\n")
            await said(engine, topic, *["identical"] * 4)
            assert engine.flow.board.offsets() == OffsetsTotals(4, 0, 0)
            expected = sorted(start + n for start in starts.values() for n in range(10))
            await until(lambda: len(seen) >= len(expected), "the consumer has read all")
            assert sorted(seen) == expected
            # A group is given the very offsets that it has on the source.
            group = {(topic, number): start + 4 for number, start in starts.items()}
            await commit(sandbox, "east", topic, group)

            async def is_there() -> bool:
                try:
                    found = (await committed(sandbox, "west", [topic]))[topic]
                except GroupCoordinatorNotAvailableError:  # nobody has used one there before
                    return False
                return {key: offset for key, (offset, _) in found.items()} == group

            await eventually(is_there, "the group is translated")
        found = await bounds(west, topic, len(starts))
        assert found == [(start, start + 10) for start in starts.values()]
        assert found == await bounds(east, topic, len(starts))
    records = await read(sandbox, "west", topic, committed=False)
    assert {record.value == b"%d" % record.offset for record in records} == {True}
    assert len(records) == 40


async def own_configs(cluster: Cluster, topic: str) -> dict[str, str]:
    """What is set on the topic itself."""
    return (await topic_configs(cluster, [topic]))[topic].own_values


async def test_killed_while_aligning(
    sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path
) -> None:
    """kill -9 with a transaction open, and once more; on a compacted topic, which is wide then."""
    start = 3_500_000
    topic = fresh_topic("killed")
    flow = f"flow-{topic}"
    config = tmp_path / "ccr.yaml"
    clusters = {
        name: {"bootstrap_servers": sandbox.bootstrap(name).split(",")} for name in ("east", "west")
    }
    section = {
        "source": "east",
        "target": "west",
        "topics": {"include": [topic]},
        "topic_refresh": "500ms",
        "offsets": "identical",
    }
    config.write_text(
        yaml.safe_dump({"version": 1, "clusters": clusters, "flows": {flow: section}})
    )
    engine = EngineProcess(config, flow, tmp_path / "log")
    await create(sandbox, topic, 1, cleanup_policy="compact,delete")
    async with opened(sandbox, "east") as east, opened(sandbox, "west") as west:
        await begin_at(east, topic, {0: start})
        narrow: dict[str, str | None] = {"cleanup.policy": "compact"}
        assert not await alter_configs(east, {topic: narrow})
        await produce(sandbox, topic, 0, start, 10)

        async def is_beyond(offset: int, which: int = LATEST) -> bool:
            found = await west.list_offsets({(topic, 0): which}, await west.metadata([topic]))
            return found.get((topic, 0), 0) > offset

        async def is_identical() -> bool:
            page = await engine.api.flows.partitions(flow)
            return [str(row.offsets) for row in page.partitions] == ["identical"]

        try:
            for which, what in ((LATEST, "filling has begun"), (EARLIEST, "that was deleted")):
                engine.start()
                await eventually(partial(is_beyond, 0, which), what)
                engine.kill()
                assert (await own_configs(west, topic))["cleanup.policy"] == "compact,delete"
                assert not await is_beyond(start - 1), "it was killed too late"
            engine.start()
            await eventually(partial(is_beyond, start + 9), "it is mirrored", 240)
            await eventually(is_identical, "it says so")
            assert await bounds(west, topic, 1) == [(start, start + 10)]
            assert await own_configs(west, topic) == {"cleanup.policy": "compact"}
            assert await engine.terminate() == 0
        except BaseException:
            print(engine.log.read_text()[-4000:])
            raise
        finally:
            await engine.close()
    records = await read(sandbox, "west", topic, committed=False)
    assert [record.value for record in records] == [b"%d" % (start + n) for n in range(10)]


async def test_a_mirror_that_is_not_fresh(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """What it holds stays, and the state says why offsets differ."""
    topic = fresh_topic("used")
    await create(sandbox, topic)
    async with opened(sandbox, "east") as east, opened(sandbox, "west") as west:
        await begin_at(east, topic, {0: 5})
        assert not await create_topics(west, [NewTopic(topic, 1, 1)])
        async with producer(sandbox, "west") as client:
            for number in range(3):
                await client.send(topic, b"other %d" % number, key=b"k")
        assert (await preview(east, west, topic)).not_fresh == 1
        await produce(sandbox, topic, 0, 5, 10)
        async with running(sandbox, [topic], offsets="identical") as engine:
            await engine.mirrored(topic, 15)
            await said(
                engine,
                topic,
                "differs since 5 because the mirror was not fresh: it had held 3 records before",
            )
            assert engine.flow.snapshot().offsets == OffsetsTotals(0, 0, 1)
        assert await bounds(west, topic, 1) == [(0, 13)]


async def test_until_the_source_has_something_that_is_not_mirrored(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """A transaction's marker takes an offset; the state tells of it, over restarts, and stays."""
    topic = fresh_topic("marked")
    await create(sandbox, topic)
    async with opened(sandbox, "east") as east:
        await begin_at(east, topic, {0: 5})
    await produce(sandbox, topic, 0, 5, 10)
    async with running(sandbox, [topic], offsets="identical") as engine:
        await engine.mirrored(topic, 15)
        name = engine.name
    async with running(sandbox, [topic], name=name, offsets="identical") as engine:
        await said(engine, topic, "identical")
        async with (
            producer(sandbox, transactional_id=topic) as client,
            client.transaction(),
        ):
            await client.send(topic, b"15", key=b"k")
        await engine.mirrored(topic, 17)
        differs = (
            "differs since 17 because source offset 16 had transaction markers or aborted records, "
            "which are not mirrored"
        )
        await said(engine, topic, differs)
    async with running(sandbox, [topic], name=name, offsets="identical") as engine:
        await said(engine, topic, differs)


@pytest.mark.timeout(400)
async def test_an_older_broker(sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path) -> None:
    """Kafka 3.3: transactions as they were before KIP-890, markers without records too."""
    older = Sandbox(tmp_path, {"west": ClusterSpec(kafka_version="3.3.2")}, ephemeral=True)
    starts = {0: 1, 1: 2, 2: 1_500_000}
    topic = fresh_topic("older")
    async with older, opened(older, "west") as west:
        assert not await create_topics(west, [NewTopic(topic, len(starts), 1)])
        await begin_at(west, topic, starts)
        assert await bounds(west, topic, len(starts)) == [(n, n) for n in starts.values()]


@pytest.mark.soak
async def test_a_killed_broker_brings_fillers_back(
    sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path
) -> None:
    """It had not written down yet where the log begins; the engine sees that, and deletes again."""
    topic = fresh_topic("brought-back")
    await create(sandbox, topic, cleanup_policy="compact,delete")
    async with (
        Sandbox(tmp_path, {"west": ClusterSpec()}, ephemeral=True) as own,
        opened(sandbox, "east") as east,
        opened(own, "west") as west,
    ):
        await begin_at(east, topic, {0: 100_000})
        narrow: dict[str, str | None] = {"cleanup.policy": "compact"}
        assert not await alter_configs(east, {topic: narrow})
        await produce(sandbox, topic, 0, 100_000, 10)
        clusters = {
            "east": {"bootstrap_servers": sandbox.bootstrap("east").split(",")},
            "west": {"bootstrap_servers": own.bootstrap("west").split(",")},
        }
        async with running(sandbox, [topic], clusters=clusters, offsets="identical") as engine:
            await aligned(engine, topic, 100_010)
            await own.restart_cluster("west", kill=True)
            assert await bounds(west, topic, 1) == [(0, 100_010)]
            events = engine.engine.events
            told = "that ended abruptly brought fillers back, at offsets 0 to 99999"
            await until(
                lambda: any(told in event.text for event in events.since(0)), "it is told", 60
            )
            assert await bounds(west, topic, 1) == [(100_000, 100_010)]
            assert await own_configs(west, topic) == {"cleanup.policy": "compact"}
            await said(engine, topic, "identical")
