"""What a flow takes, where it begins, and what it picks up while it runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from engine.api.snapshots import FlowState, PartitionState
from engine.errors import RefusedError
from engine.sandbox import Sandbox
from tests.kafka.engines import FreshTopic, create, grow, producer, read, running, until

pytestmark = pytest.mark.kafka


async def _send(sandbox: Sandbox, topic: str, *values: str, partition: int = 0) -> None:
    async with producer(sandbox) as plain:
        for value in values:
            await plain.send_and_wait(topic, value.encode(), partition=partition)


async def _values(sandbox: Sandbox, topic: str) -> list[str]:
    return [record.value.decode() for record in await read(sandbox, "west", topic) if record.value]


async def test_new_topics_and_partitions_are_picked_up(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """While running: a topic created later and partitions added later, from their first record."""
    prefix = fresh_topic("grow")
    early, late, other = f"{prefix}.early", f"{prefix}.late", f"{prefix}.excluded"
    await create(sandbox, early, 2, retention_ms="123456789")
    await create(sandbox, other)
    await _send(sandbox, early, "a")
    selection = {"include": [rf"{prefix}\..*"], "exclude": [r".*\.excluded"]}
    async with running(sandbox, selection["include"], topics=selection, start="latest") as engine:
        await until(lambda: (early, 1) in engine.flow.board.partitions, "the first topic is seen")
        await until(
            lambda: engine.flow.board.count_state(PartitionState.RUNNING) == 2, "it is mirrored"
        )
        await create(sandbox, late, 3)
        await _send(sandbox, late, "b", partition=2)
        await grow(sandbox, early, 4)
        await _send(sandbox, early, "c", partition=3)
        await engine.mirrored(late, 1)
        await engine.mirrored(early, 2)
        # `latest` skipped what was there at the very start, and nothing that came later.
        assert await _values(sandbox, early) == ["c"]
        assert await _values(sandbox, late) == ["b"]
        assert {topic for topic, _ in engine.flow.board.partitions} == {early, late}
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap("west"))
    await admin.start()
    described = await admin.describe_topics([early, late])
    topics = await admin.list_topics()
    await admin.close()
    assert {t["topic"]: len(t["partitions"]) for t in described} == {early: 4, late: 3}
    assert other not in topics


async def test_prefix_naming(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """rename: prefix puts the source's name before the topic's, as MirrorMaker 2 does."""
    topic = fresh_topic("named")
    await create(sandbox, topic)
    await _send(sandbox, topic, "x")
    async with running(sandbox, [topic], rename="prefix") as engine:
        await engine.mirrored(topic, 1)
        assert await _values(sandbox, f"east.{topic}") == ["x"]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("earliest", ["0", "1", "2", "3"]),
        ("latest", []),
        ({"offset": 2}, ["2", "3"]),
        ({"offset": 99}, []),
        ({"timestamp": "at record 1"}, ["1", "2", "3"]),
    ],
    ids=["earliest", "latest", "offset", "offset-clamped", "timestamp"],
)
async def test_start_policy(
    sandbox: Sandbox, fresh_topic: FreshTopic, start: object, expected: list[str]
) -> None:
    """Where a partition begins that was never mirrored."""
    topic = fresh_topic("start")
    await create(sandbox, topic)
    began = int(time.time() * 1000) - 100_000
    async with producer(sandbox) as plain:
        for number in range(4):
            stamp = began + 10_000 * number
            await plain.send_and_wait(topic, str(number).encode(), timestamp_ms=stamp)
    if isinstance(start, dict) and "timestamp" in start:
        start = {"timestamp": datetime.fromtimestamp((began + 10_000) / 1000, UTC).isoformat()}
    async with running(sandbox, [topic], start=start) as engine:
        await engine.mirrored(topic, 4)
        await _send(sandbox, topic, "new")
        await engine.mirrored(topic, 5)
        assert await _values(sandbox, topic) == [*expected, "new"]


async def test_pause_survives_a_restart(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """Paused by an operator, a flow stays paused until it is resumed, and loses nothing."""
    topic = fresh_topic("paused")
    await create(sandbox, topic)
    await _send(sandbox, topic, "before")
    name = f"flow-{topic}"
    async with running(sandbox, [topic], name=name) as engine:
        await engine.mirrored(topic, 1)
        assert (await engine.api.flows.pause(name)).changed
        assert (await engine.api.flows.pause(name)).text == "already_paused"
        await _send(sandbox, topic, "while paused")
    async with running(sandbox, [topic], name=name) as engine:
        await until(lambda: engine.flow.state()[0] == FlowState.PAUSED, "it is paused again")
        await until(lambda: engine.flow.board.lag_records == 1, "its lag is shown")
        assert await _values(sandbox, topic) == ["before"]
        assert (await engine.api.flows.resume(name)).changed
        await engine.mirrored(topic, 2)
        assert await _values(sandbox, topic) == ["before", "while paused"]


async def test_deleted_source_topic_stops_its_partition(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """The mirror is kept; the partition says why it stopped."""
    topic = fresh_topic("gone")
    await create(sandbox, topic)
    await _send(sandbox, topic, "kept")
    name = f"flow-{topic}"
    async with running(sandbox, [topic], name=name) as engine:
        await engine.mirrored(topic, 1)
        admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap("east"))
        await admin.start()
        await admin.delete_topics([topic])
        await admin.close()
        row = engine.flow.board.partitions[topic, 0]
        await until(lambda: row.state == PartitionState.STOPPED, "the partition stops")
        assert row.reason is not None
        assert "any more" in row.reason.text
        assert await _values(sandbox, topic) == ["kept"]
        await until(
            lambda: any("stopped" in e.text for e in engine.engine.events.since(0)), "it is told"
        )


async def test_read_only_is_enforced(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """An engine that is read-only refuses every act, with the reason."""
    async with running(sandbox, [fresh_topic("none")]) as engine:
        config = engine.engine.config
        engine.engine.config = config.model_copy(update={"read_only": True})
        with pytest.raises(RefusedError, match="read-only"):
            await engine.api.flows.pause(engine.name)
