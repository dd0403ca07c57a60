"""The demo's traffic and its judge on real brokers: what is copied badly on purpose is found."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from engine.demo.bulk import BULK_SHAPES, load
from engine.demo.classify import Kind
from engine.demo.compare import compare
from engine.demo.content import SEQUENCE_HEADER
from engine.demo.reading import Reader, Span
from engine.demo.shapes import READERS_GROUP, SHAPES, Shape
from engine.demo.topics import create_topics, partition_counts
from engine.demo.traffic import Traffic, TrafficReport
from engine.errors import ConnectError
from engine.sandbox import Sandbox

pytestmark = pytest.mark.kafka

FreshTopic = Callable[[str], str]
Records = list[ConsumerRecord]
Spoil = Callable[[Records], Records]


def fresh_shapes(fresh_topic: FreshTopic) -> list[Shape]:
    return [dataclasses.replace(shape, topic=fresh_topic(shape.topic)) for shape in SHAPES]


async def produce(
    bootstrap: str, shapes: list[Shape], records: int, *, readers: str | None = None
) -> TrafficReport:
    """Run traffic until that many records of each shape are acknowledged."""
    traffic = Traffic(bootstrap, rate=4_000, shapes=shapes, readers=readers)
    await traffic.start()

    def enough() -> bool:
        report = traffic.report()
        consumed = report.consumed if readers else records
        return min(consumed, *report.produced.values()) >= records

    deadline = time.monotonic() + 60
    while not enough():
        assert time.monotonic() < deadline, f"not {records} records of each shape in time"
        await asyncio.sleep(0.05)
    return await traffic.stop()


async def read_all(bootstrap: str, span: Span) -> Records:
    """Read with a plain consumer, without the demo's own reader."""
    if span.start == span.end:
        return []
    partition = TopicPartition(span.topic, span.partition)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([partition])
        return [await consumer.getone() for _ in range(span.end - span.start)]


async def copy(
    bootstrap: str, records: Records, topic: str, partition: int, *, aborted: bool = False
) -> None:
    """Append records; with `aborted` an aborted transaction first, so that offsets differ."""
    if aborted:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)
        async with producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"never seen", partition=partition)
            await producer.abort_transaction()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for record in records:
            await producer.send(
                topic,
                record.value,
                record.key,
                partition,
                record.timestamp,
                headers=list(record.headers),
            )


async def copy_topic(
    sandbox: Sandbox, source: str, target: str, spoil: Spoil, *, aborted: bool = False
) -> None:
    """Copy a topic from east to west, each partition's records through `spoil`."""
    async with Reader(sandbox.bootstrap("east")) as reader:
        spans = await reader.spans([source])
    counts = await partition_counts(sandbox.bootstrap("east"), [source])
    await create_topics(sandbox.bootstrap("west"), {target: counts[source]})
    for span in spans.values():
        records = spoil(await read_all(sandbox.bootstrap("east"), span))
        await copy(sandbox.bootstrap("west"), records, target, span.partition, aborted=aborted)


def unspoilt(records: Records) -> Records:
    return records


async def test_traffic_is_accounted_for_and_numbered(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    east, shapes = sandbox.bootstrap("east"), fresh_shapes(fresh_topic)
    orders = shapes[1].topic
    first = await produce(east, shapes, 200, readers=orders)
    second = await produce(east, shapes, 100)
    assert first.failed == second.failed == 0
    assert first.error == second.error == ""
    async with Reader(east) as reader:
        spans = await reader.spans([shape.topic for shape in shapes])
    for shape in shapes:
        ends = [span.end for (topic, _), span in spans.items() if topic == shape.topic]
        assert len(ends) == shape.partitions
        assert sum(ends) == first.produced[shape.topic] + second.produced[shape.topic]
    # Each record's number is its offset: nothing lost or doubled, and numbering went on.
    nulls = 0
    for (topic, _), span in spans.items():
        if topic == orders:
            for record in await read_all(east, span):
                number = dict(record.headers).get(SEQUENCE_HEADER)
                nulls += record.value is None
                expected = b"%d" % record.offset
                assert number == expected or b'"sequence": %b,' % expected in record.value
    assert nulls > 0


async def test_the_group_follows_its_topic_and_commits(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    east, shapes = sandbox.bootstrap("east"), fresh_shapes(fresh_topic)
    orders = shapes[1].topic
    report = await produce(east, shapes, 50, readers=orders)
    admin = AIOKafkaAdminClient(bootstrap_servers=east)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(READERS_GROUP)
    finally:
        await admin.close()
    committed = sum(found.offset for at, found in offsets.items() if at.topic == orders)
    assert 50 <= committed <= report.produced[orders]
    assert committed == report.consumed


async def test_batches_have_the_shapes_they_should(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    shapes = [dataclasses.replace(shape, topic=fresh_topic(shape.topic)) for shape in BULK_SHAPES]
    report = await load(sandbox.bootstrap("east"), 3_000_000, shapes=shapes)
    clicks, orders, readings = (shape.topic for shape in shapes)
    assert sum(report.bytes.values()) >= 3_000_000
    assert report.records[clicks] / report.batches[clicks] < 2
    assert report.bytes[orders] / report.batches[orders] > 10_000
    assert report.bytes[readings] / report.batches[readings] > 100_000
    async with Reader(sandbox.bootstrap("east")) as reader:
        spans = await reader.spans([clicks, orders, readings])
    for topic in (clicks, orders, readings):
        ends = sum(span.end for (name, _), span in spans.items() if name == topic)
        assert ends == report.records[topic]


async def test_a_faithful_copy_is_identical_whatever_its_offsets(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    east, west = sandbox.bootstrap("east"), sandbox.bootstrap("west")
    shapes = fresh_shapes(fresh_topic)
    report = await produce(east, shapes, 100)
    names = {shape.topic: f"east.{shape.topic}" for shape in shapes}
    for source, target in names.items():
        await copy_topic(sandbox, source, target, unspoilt, aborted=True)
    found = await compare(east, west, names)
    assert found.identical, str(found)
    assert found.source_records == found.target_records == report.records
    assert found.partitions == sum(shape.partitions for shape in shapes)


async def test_every_fault_is_found_and_named(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """One lost, one doubled, two swapped, one altered, each in a partition of its own."""
    east, west, topic = sandbox.bootstrap("east"), sandbox.bootstrap("west"), fresh_topic("orders")
    shape = dataclasses.replace(SHAPES[1], topic=topic, partitions=4, share=1.0)
    await produce(east, [shape], 400)

    def spoil(records: Records) -> Records:
        ten = records[10]
        match ten.partition:
            case 0:
                return records[:10] + records[11:]
            case 1:
                return [*records[:20], ten, *records[20:]]
            case 2:
                return [*records[:10], records[11], ten, *records[12:]]
            case _:
                altered = dataclasses.replace(ten, timestamp=ten.timestamp + 1, key=b"someone-else")
                return [*records[:10], altered, *records[11:]]

    await copy_topic(sandbox, topic, topic, spoil, aborted=True)
    found = await compare(east, west, {topic: topic})
    counts = (found.lost, found.duplicated, found.reordered, found.mismatched)
    assert counts == (1, 1, 1, 1), str(found)
    assert not found.identical
    assert found.source_records == found.target_records

    lost, doubled, moved, altered = found.examples
    # The aborted transaction and its marker take offsets 0 and 1 of every target partition.
    assert (lost.kind, lost.partition) == (Kind.LOST, 0)
    assert (lost.source_offset, lost.target_offset) == (10, None)
    assert (doubled.kind, doubled.partition) == (Kind.DUPLICATED, 1)
    assert (doubled.source_offset, doubled.target_offset) == (10, 22)
    assert (moved.kind, moved.partition) == (Kind.REORDERED, 2)
    assert (moved.source_offset, moved.target_offset) in {(10, 13), (11, 12)}
    assert (altered.kind, altered.partition) == (Kind.MISMATCHED, 3)
    assert (altered.source_offset, altered.target_offset) == (10, 12)
    assert "became 'someone-else'" in altered.what
    assert "timestamp" in altered.what
    assert "value" not in altered.what


async def test_a_header_alone_makes_a_mismatch(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    east, west, topic = sandbox.bootstrap("east"), sandbox.bootstrap("west"), fresh_topic("clicks")
    await produce(east, [dataclasses.replace(SHAPES[0], topic=topic, partitions=1, share=1.0)], 30)

    def spoil(records: Records) -> Records:
        extra = dataclasses.replace(records[3], headers=(("added", b"on the way"),))
        return [*records[:3], extra, *records[4:]]

    await copy_topic(sandbox, topic, topic, spoil)
    found = await compare(east, west, {topic: topic})
    assert (found.mismatched, found.counts.total()) == (1, 1)
    assert "became [added (10 B)]" in found.examples[0].what


async def test_a_topic_that_was_never_mirrored_is_all_lost(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    east, west, topic = sandbox.bootstrap("east"), sandbox.bootstrap("west"), fresh_topic("clicks")
    shape = dataclasses.replace(SHAPES[0], topic=topic, partitions=2, share=1.0)
    report = await produce(east, [shape], 60)
    found = await compare(east, west, {topic: topic}, most_examples=2)
    assert found.lost == report.records
    assert (found.source_records, found.target_records) == (report.records, 0)
    assert len(found.examples) == 4

    backwards = await compare(west, east, {topic: topic})
    assert backwards.mismatched == report.records
    assert all(example.source_offset is None for example in backwards.examples)


async def test_open_transactions_are_not_compared(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Only what a committed reader can see counts, on either side, up to the very end."""
    east, west, topic = sandbox.bootstrap("east"), sandbox.bootstrap("west"), fresh_topic("orders")
    for bootstrap in (east, west):
        await create_topics(bootstrap, {topic: 1})
    async with AIOKafkaProducer(bootstrap_servers=east, transactional_id=topic) as producer:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"kept", b"k", timestamp_ms=1)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"open", b"k", timestamp_ms=2)
        async with AIOKafkaProducer(bootstrap_servers=west) as plain:
            await plain.send_and_wait(topic, b"kept", b"k", timestamp_ms=1)
        while_open = await compare(east, west, {topic: topic})
        await producer.abort_transaction()
    assert while_open.identical
    assert while_open.source_records == 1
    after = await compare(east, west, {topic: topic})
    assert after.identical
    assert after.source_records == 1


async def test_a_reader_may_leave_as_soon_as_it_came(sandbox: Sandbox) -> None:
    """aiokafka's own consumer raises a stray CancelledError then."""
    for _ in range(20):
        async with Reader(sandbox.bootstrap("east")):
            pass


async def test_a_cluster_that_is_away_is_told() -> None:
    with pytest.raises(ConnectError, match=r"127\.0\.0\.1:1"):
        await compare("127.0.0.1:1", "127.0.0.1:1", {"orders": "orders"})
