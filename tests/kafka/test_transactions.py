"""Transactions: committed data arrives, aborted does not, the map is right at every marker."""

from __future__ import annotations

import random

import pytest
from aiokafka import ConsumerRecord

from engine.sandbox import Sandbox
from tests.kafka.engines import FreshTopic, create, producer, read, running

pytestmark = pytest.mark.kafka

Content = tuple[bytes | None, bytes | None, int]


def content(record: ConsumerRecord[bytes, bytes]) -> Content:
    """What has to be the same on both sides."""
    return record.key, record.value, record.timestamp


async def _interleaved_transactions(sandbox: Sandbox, topic: str, seed: int) -> tuple[int, int]:
    """Two producers' transactions, interleaved in time; return (committed, aborted) records."""
    chance = random.Random(seed)
    counts = {True: 0, False: 0}
    async with (
        producer(sandbox, transactional_id=f"{topic}-a") as one,
        producer(sandbox, transactional_id=f"{topic}-b") as two,
    ):
        for round_ in range(25):
            for each in (one, two):
                await each.begin_transaction()
            sent = {one: 0, two: 0}
            for number in range(chance.randint(1, 12)):
                each = chance.choice((one, two))
                value = f"{round_}-{number}".encode()
                await each.send_and_wait(topic, value, key=b"k", partition=chance.randint(0, 1))
                sent[each] += 1
            for each in (one, two):
                commit = chance.random() < 0.6
                counts[commit] += sent[each]
                await (each.commit_transaction() if commit else each.abort_transaction())
    return counts[True], counts[False]


async def test_committed_arrives_aborted_does_not(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """What is mirrored live equals what a read_committed consumer sees at the source."""
    topic = fresh_topic("txn")
    await create(sandbox, topic, 2)
    async with running(sandbox, [topic]) as engine:
        committed, aborted = await _interleaved_transactions(sandbox, topic, seed=7)
        assert committed > 20
        assert aborted > 20
        source = await read(sandbox, "east", topic)
        assert len(source) == committed
        # Every record and marker is dealt with: the mirror has caught up with the log's end.
        ends = {p: await _end(sandbox, topic, p) for p in (0, 1)}
        await engine.mirrored(topic, sum(ends.values()))
        target = await read(sandbox, "west", topic, committed=False)
        assert list(map(content, target)) == list(map(content, source))
        _assert_map_is_exact(engine.offset_map(topic, 0), source, target, 0)
        _assert_map_is_exact(engine.offset_map(topic, 1), source, target, 1)


def _assert_map_is_exact(offset_map, source, target, partition) -> None:  # type: ignore[no-untyped-def]
    ours = [record for record in source if record.partition == partition]
    theirs = [record for record in target if record.partition == partition]
    assert len(offset_map) > 5, "markers and aborted data leave many runs"
    for before, after in zip(ours, theirs, strict=True):
        assert offset_map.to_target(before.offset) == after.offset
        assert offset_map.to_source(after.offset) == before.offset
    following = iter(theirs)
    translated = next(following).offset
    position = 0
    for offset in range(ours[-1].offset + 1):  # mid-gap offsets lead to the next record there is
        if offset > ours[position].offset:
            position += 1
            translated = next(following).offset
        assert offset_map.to_target(offset) == translated
    assert offset_map.to_target(ours[-1].offset + 1) is None


async def _end(sandbox: Sandbox, topic: str, partition: int) -> int:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(bootstrap_servers=sandbox.bootstrap("east"))
    await consumer.start()
    where = TopicPartition(topic, partition)
    end: int = (await consumer.end_offsets([where]))[where]
    await consumer.stop()
    return end


async def test_open_transaction_is_waited_for(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """Records behind an open transaction arrive when it ends, in order; map kept over a restart."""
    topic = fresh_topic("open")
    await create(sandbox, topic)
    name = f"flow-{topic}"
    async with running(sandbox, [topic], name=name) as engine:
        async with producer(sandbox, transactional_id=topic) as slow, producer(sandbox) as plain:
            await slow.begin_transaction()
            await slow.send_and_wait(topic, b"first")
            await plain.send_and_wait(topic, b"second")
            await engine.mirrored(topic, 0)
            assert await read(sandbox, "west", topic, committed=False) == []
            await slow.commit_transaction()
        await engine.mirrored(topic, 3)
    async with running(sandbox, [topic], name=name) as engine:
        async with producer(sandbox) as plain:
            await plain.send_and_wait(topic, b"third")
        await engine.mirrored(topic, 4)
        mirrored = await read(sandbox, "west", topic)
        assert [record.value for record in mirrored] == [b"first", b"second", b"third"]
        assert list(engine.offset_map(topic, 0).runs()) == [(0, 0, 2), (3, 2, 1)]
