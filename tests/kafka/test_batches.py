"""Every kind of batch that a source's log can hold, mirrored by a real broker to another.

After each: the two clusters compared record by record, Kafka's own DumpLogSegments on the mirror's
segment as a second reader, and the offset map checked at every record of both ends.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.demo.compare import compare
from engine.kafka import records as r
from engine.sandbox import ClusterSpec, Sandbox
from tests.faults.histories import segment
from tests.kafka.engines import FreshTopic, Running, create, producer, read, running, until
from tests.unit import test_legacy as legacy
from tests.unit.source_log import header_of

pytestmark = pytest.mark.kafka

CODECS = {None: 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
NOON = 1_760_000_000_000
HOUR_MS = 3_600_000
DEFAULT_MAX_MESSAGE_BYTES = 1_048_588
TEN_MIB = 10 * 1024 * 1024


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A source whose log cleaner runs at once, a target whose cleaner does not run at all."""
    clusters = {
        "east": ClusterSpec(properties={"log.cleaner.backoff.ms": "100"}),
        "west": ClusterSpec(properties={"log.cleaner.backoff.ms": str(24 * HOUR_MS)}),
    }
    made = Sandbox(tmp_path_factory.mktemp("cleaned"), clusters, ephemeral=True)
    asyncio.run(made.up())
    try:
        yield made
    finally:
        asyncio.run(made.down())


def headers(topic_segment: Path) -> list[dict[str, int]]:
    """Read the batch headers of a segment (format 2)."""
    data = topic_segment.read_bytes()
    found = []
    at = 0
    while at + 61 <= len(data):
        found.append(header_of(data[at:]))
        at += found[-1]["length"] + 12
    return found


def first_segment(sandbox: Sandbox, topic: str) -> Path:
    """Find the source's oldest segment, which the cleaner works on."""
    return min(sandbox.log_file("east").parent.rglob(f"{topic}-0/*.log"))


async def end_of(sandbox: Sandbox, topic: str) -> int:
    """Return the source's end, transaction markers included."""
    consumer = AIOKafkaConsumer(bootstrap_servers=sandbox.bootstrap("east"))
    await consumer.start()
    try:
        where = TopicPartition(topic, 0)
        end: int = (await consumer.end_offsets([where]))[where]
        return end
    finally:
        await consumer.stop()


async def create_mirror(sandbox: Sandbox, topic: str, **configs: str) -> None:
    """Create the mirror before the flow does, with settings of its own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap("west"))
    await admin.start()
    named = {key.replace("_", "."): value for key, value in configs.items()}
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=named)])
    await admin.close()


async def dumped(sandbox: Sandbox, topic: str) -> list[tuple[int, int]]:
    """Let Kafka's own tool read the mirror to the last record; return offsets and value sizes."""
    files = sorted(sandbox.log_file("west").parent.rglob(f"{topic}-0/*.log"))
    listed = ",".join(map(str, files))
    arguments = ["--deep-iteration", "--files", listed]
    done = await sandbox.java.run("kafka.tools.DumpLogSegments", arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "isvalid: false" not in done.stdout
    assert not re.search("corrupt|mismatch|non-consecutive", done.stdout, re.IGNORECASE), (
        done.stdout[-2_000:]
    )
    rows = re.findall(r"^\| offset: (\d+) .*?valueSize: (-?\d+)", done.stdout, re.MULTILINE)
    return [(int(offset), int(size)) for offset, size in rows]


async def same_on_both_ends(
    sandbox: Sandbox, engine: Running, topic: str, *, timestamps: bool = True
) -> list[Any]:
    """Wait until the mirror has caught up, and check it; returns its records."""
    await engine.mirrored(topic, await end_of(sandbox, topic))
    source = await read(sandbox, "east", topic)
    target = await read(sandbox, "west", topic, committed=False)
    if timestamps:
        result = await compare(sandbox.bootstrap("east"), sandbox.bootstrap("west"), {topic: topic})
        assert not result.counts, str(result)
        assert result.source_records == result.target_records == len(source)
    for ours, theirs in zip(source, target, strict=True):
        assert (ours.key, ours.value, ours.headers) == (theirs.key, theirs.value, theirs.headers)
    offset_map = engine.offset_map(topic, 0)
    for ours, theirs in zip(source, target, strict=True):
        assert offset_map.to_target(ours.offset) == theirs.offset
        assert offset_map.to_source(theirs.offset) == ours.offset
    sizes = [(o.offset, -1 if o.value is None else len(o.value)) for o in target]
    assert await dumped(sandbox, topic) == sizes
    return target


# Compaction


async def _overwrite(sandbox: Sandbox, topic: str, codec: str | None) -> int:
    """Write keys again and again, some in whole batches, then make the broker roll its segment."""
    settings = {"compression_type": codec, "linger_ms": 100}
    count = 0
    async with (
        producer(sandbox, **settings, enable_idempotence=True) as first,
        producer(sandbox, **settings) as second,
    ):
        for each, keys in ((second, 20), (first, 9), (second, 13), (first, 4), (second, 5)):
            sent = []
            for number in range(keys):
                value = None if number % 7 == 6 else b"value %d " % count * 30
                sent.append(
                    await each.send(
                        topic,
                        value,
                        key=b"key %d" % number,
                        headers=[("n", b"%d" % count), ("none", None)][: count % 3],
                        timestamp_ms=NOON + count,
                    )
                )
                count += 1
            await asyncio.gather(*sent)
        await second.send_and_wait(topic, b"next", key=b"last", timestamp_ms=NOON + HOUR_MS)
    return count + 1


async def test_compacted(cleaned: Sandbox, fresh_topic: FreshTopic) -> None:
    """Holes and empty batches, in every codec, made by the broker's own cleaner."""
    topics = {codec: fresh_topic(f"compacted-{codec}") for codec in CODECS}
    written = {}
    for codec, topic in topics.items():
        await create(
            cleaned,
            topic,
            cleanup_policy="compact",
            segment_ms="60000",
            min_cleanable_dirty_ratio="0.001",
            delete_retention_ms=str(24 * HOUR_MS),
        )
        written[topic] = await _overwrite(cleaned, topic, codec)
    for topic in topics.values():

        def is_clean(topic: str = topic) -> bool:
            return any(not header["count"] for header in headers(first_segment(cleaned, topic)))

        await until(is_clean, f"{topic} is cleaned", 60)
    async with running(cleaned, list(topics.values())) as engine:
        for codec, topic in topics.items():
            left = headers(first_segment(cleaned, topic))
            with_holes = [h for h in left if 0 < h["count"] <= h["last_offset_delta"]]
            assert with_holes
            assert {h["attributes"] & 7 for h in with_holes} == {CODECS[codec]}
            mirrored = await same_on_both_ends(cleaned, engine, topic)
            assert len(mirrored) < written[topic]
            assert len(engine.offset_map(topic, 0)) > 1
            assert None in {record.value for record in mirrored}


# Transactions


@pytest.mark.parametrize("ends", ["commit", "abort"])
async def test_a_transaction_open_for_long(
    cleaned: Sandbox, fresh_topic: FreshTopic, ends: str
) -> None:
    """Nothing behind its beginning is mirrored until it ends; then all that counts, in order."""
    topic = fresh_topic(f"open-{ends}")
    await create(cleaned, topic)
    async with (
        running(cleaned, [topic]) as engine,
        producer(cleaned, transactional_id=f"{topic}-slow") as slow,
        producer(cleaned, transactional_id=f"{topic}-quick") as quick,
        producer(cleaned) as plain,
    ):
        await plain.send_and_wait(topic, b"before")
        await slow.begin_transaction()
        await slow.send_and_wait(topic, b"slow")
        for number in range(4):
            await plain.send_and_wait(topic, b"plain %d" % number)
            await quick.begin_transaction()
            await quick.send_and_wait(topic, b"quick %d" % number)
            await (quick.abort_transaction() if number % 2 else quick.commit_transaction())
        await slow.send_and_wait(topic, b"slow again")
        await engine.mirrored(topic, 1)
        assert [m.value for m in await read(cleaned, "west", topic)] == [b"before"]
        await (slow.commit_transaction() if ends == "commit" else slow.abort_transaction())
        mirrored = [record.value for record in await same_on_both_ends(cleaned, engine, topic)]
        assert (b"slow" in mirrored) == (b"slow again" in mirrored) == (ends == "commit")
        assert b"quick 2" in mirrored
        assert b"quick 3" not in mirrored


# Timestamps


async def _a_few(made: AIOKafkaProducer, topic: str) -> None:
    for number in range(30):
        key, value = (
            (b"k" if number % 2 else None),
            (b"v" * number if number % 5 != 3 or number % 2 == 0 else None),
        )
        sent = await made.send(topic, value, key=key, timestamp_ms=NOON - number)
        if number % 5 == 0:
            await sent
    await made.flush()


@pytest.mark.parametrize("codec", [None, "zstd"])
async def test_log_append_time(
    cleaned: Sandbox, fresh_topic: FreshTopic, codec: str | None
) -> None:
    """The source's are kept; a target that writes its own does so, and the records are the same."""
    from_broker, to_broker = fresh_topic("from-broker"), fresh_topic("to-broker")
    kind = {"message_timestamp_type": "LogAppendTime"}
    await create(cleaned, from_broker, **kind)
    await create_mirror(cleaned, from_broker, message_timestamp_type="CreateTime")
    await create(cleaned, to_broker)
    await create_mirror(cleaned, to_broker, **kind)
    async with running(cleaned, [from_broker, to_broker]) as engine:
        async with producer(cleaned, compression_type=codec, linger_ms=20) as made:
            await _a_few(made, from_broker)
            await _a_few(made, to_broker)
        kept = await same_on_both_ends(cleaned, engine, from_broker)
        assert all(record.timestamp > NOON for record in kept)
        assert {record.timestamp_type for record in kept} == {0}
        written = await same_on_both_ends(cleaned, engine, to_broker, timestamps=False)
        assert all(record.timestamp > NOON for record in written)
        assert {record.timestamp_type for record in written} == {1}


# Sizes and codecs


def value_that_fills(batch_bytes: int) -> bytes:
    """Return a value whose batch, without a key, has exactly so many bytes."""
    size = batch_bytes
    while (
        got := len(r.encode([r.RawRecord(0, NOON, 0, r.body(None, b"x" * size))], 0, (-1, -1, -1)))
    ) != batch_bytes:
        size -= got - batch_bytes
    return b"x" * size


@pytest.mark.parametrize("limit", [DEFAULT_MAX_MESSAGE_BYTES, TEN_MIB])
async def test_records_from_one_byte_to_the_limit(
    cleaned: Sandbox, fresh_topic: FreshTopic, limit: int
) -> None:
    """The largest batch that the source takes is taken by the mirror, to the byte."""
    topic = fresh_topic("sizes")
    await create(cleaned, topic, max_message_bytes=str(limit))
    async with running(cleaned, [topic]) as engine:
        room = {"max_request_size": 2 * limit, "max_batch_size": 2 * limit}
        async with producer(cleaned, **room) as made:
            for value in (b"", b"x", value_that_fills(limit), b"y" * 300, b"z" * 70_000):
                await made.send_and_wait(topic, value, timestamp_ms=NOON)
            nothing = made.create_batch()  # which `send` refuses
            assert nothing.append(timestamp=NOON, key=None, value=None)
            await (await made.send_batch(nothing, topic, partition=0))
        mirrored = await same_on_both_ends(cleaned, engine, topic)
        assert len(mirrored) == 6
        largest = max(h["length"] + 12 for h in headers(segment(cleaned, "west", topic)))
        assert largest == limit


@pytest.mark.parametrize("own", ["producer", "gzip", "lz4", "uncompressed"])
async def test_single_record_batches_of_each_codec(
    cleaned: Sandbox, fresh_topic: FreshTopic, own: str
) -> None:
    """Whatever codec the mirror topic wants for itself."""
    topic = fresh_topic(f"codecs-{own}")
    await create(cleaned, topic)
    await create_mirror(cleaned, topic, compression_type=own)
    for codec in CODECS:
        async with producer(cleaned, compression_type=codec) as made:
            for number in range(6):
                await made.send_and_wait(
                    topic,
                    b"value %d " % number * 20,
                    key=None if number % 2 else b"",
                    headers=[("größe", b"\x00\xff"), ("none", None), ("größe", b"")][:number],
                )
    async with running(cleaned, [topic]) as engine:
        assert len(await same_on_both_ends(cleaned, engine, topic)) == 30
    codecs = {header["attributes"] & 7 for header in headers(segment(cleaned, "west", topic))}
    wanted = {"gzip": {1}, "lz4": {3}, "uncompressed": {0}, "producer": {0, 1, 2, 3, 4}}
    assert codecs == wanted[own]


# Old message formats


async def test_messages_of_formats_0_and_1(cleaned: Sandbox, fresh_topic: FreshTopic) -> None:
    """A log that an old cluster wrote: brokers of today hand it out as it is."""
    topic = fresh_topic("old")
    await create(cleaned, topic)
    async with producer(cleaned) as made:
        await made.send_and_wait(topic, b"to be replaced")
    rows = tuple((n % 3, NOON + n, b"key %d" % n, b"value %d" % n * 9) for n in range(9))
    messages: list[bytes] = []
    end = 0
    for magic, codecs in legacy.CODECS.items():
        for codec in codecs:
            more, end = legacy.message_set(legacy.Group(magic, codec, None, rows), end)
            messages += more
    more, end = legacy.message_set(legacy.Group(1, 1, NOON + HOUR_MS, rows), end)
    messages += more
    await cleaned.kill_broker("east", 1)
    log = segment(cleaned, "east", topic)
    log.write_bytes(b"".join(messages))
    for name in ("index", "timeindex", "snapshot"):
        for stale in log.parent.glob(f"*.{name}"):
            stale.unlink()
    await cleaned.start_broker("east", 1)
    assert struct.unpack_from(">q", messages[-1])[0] + 1 == await end_of(cleaned, topic)
    async with running(cleaned, [topic]) as engine:
        async with producer(cleaned) as made:
            await made.send_and_wait(topic, b"of today")
        await engine.mirrored(topic, end + 1)
        wanted = legacy.expected(messages)
        found = await read(cleaned, "west", topic)
        assert [(m.timestamp, m.key, m.value) for m in found[:-1]] == [
            (o.timestamp, o.key, o.value) for o in wanted
        ]
        assert found[-1].value == b"of today"
        offset_map = engine.offset_map(topic, 0)
        for ours, theirs in zip(wanted, found, strict=False):
            assert offset_map.to_target(ours.offset) == theirs.offset
            assert offset_map.to_source(theirs.offset) == ours.offset
        assert len(await dumped(cleaned, topic)) == len(wanted) + 1
