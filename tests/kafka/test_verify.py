"""`ccr verify` on real brokers: what is wrong is found and named, what is not wrong is not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from engine.api.snapshots import Severity, VerificationSnapshot
from engine.config.matching import Pattern
from engine.config.model import Config
from engine.errors import RefusedError
from engine.kafka import produce
from engine.kafka import records as r
from engine.replication.verify.report import FlowReport, PartitionReport
from engine.replication.verify.verifier import Options, verify
from engine.sandbox import ClusterSpec, Sandbox
from tests.kafka.engines import FreshTopic, Running, create, producer, read, running, until

pytestmark = pytest.mark.kafka


async def look(engine: Running, topic: str, *, full: bool = True, show: bool = False) -> FlowReport:
    """Verify one topic of a flow, from what its state topic and the logs say."""
    options = Options(full=full, topics=Pattern(re.escape(topic)), show=show)
    config: Config = engine.engine.config
    return await verify(config, engine.name, options)


def only(report: FlowReport) -> PartitionReport:
    """The one partition of a report."""
    (partition,) = report.partitions
    return partition


async def send(
    sandbox: Sandbox,
    cluster: str,
    topic: str,
    *records: tuple[bytes | None, bytes | None],
    at_ms: int = 1_700_000,
) -> None:
    """Produce records one by one, each a batch of its own."""
    async with producer(sandbox, cluster) as plain:
        for key, value in records:
            await plain.send_and_wait(topic, value, key=key, partition=0, timestamp_ms=at_ms)


async def tamper(engine: Running, topic: str, records: list[r.RawRecord]) -> None:
    """Append records to a mirror as the flow's own producer would: the map takes them for its."""
    partition = engine.flow.board.partitions[topic, 0]
    cluster = engine.engine.clusters["west"]
    metadata = await cluster.metadata([topic])
    connection = await cluster.data_connection(metadata.leader(topic, 0))
    batch = r.encode(records, 0, (-1, -1, -1))
    body = produce.request_body([(topic, 0, batch)], timeout_ms=10_000)
    version = next(v for v in produce.VERSIONS if connection.supports(produce.API_KEY, v))
    frame = await connection.send(produce.API_KEY, version, body, 10.0)
    assert produce.parse_response(frame, version)[0].error == 0
    connection.abort("done")
    partition.offset_map.append(partition.acked.source, partition.acked.target, len(records))
    partition.acked.source += len(records)
    partition.acked.target += len(records)


async def checkpointed(engine: Running, topic: str, end: int) -> None:
    """Wait until a verification sees the mirror up to a source offset."""
    for _ in range(200):
        report = await look(engine, topic, full=False)
        if report.partitions and (only(report).end or 0) >= end:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no checkpoint of {topic} reaches {end}")


@pytest.mark.parametrize("full", [True, False], ids=["full", "sample"])
async def test_a_right_mirror_of_many_batches_is_equal(
    sandbox: Sandbox, fresh_topic: FreshTopic, *, full: bool
) -> None:
    """Large and tiny batches, merged or not, compressed or not, with headers and nulls."""
    topic = fresh_topic("right")
    await create(sandbox, topic)
    for compression in (None, "gzip", "lz4"):
        async with producer(sandbox, compression_type=compression) as plain:
            sent = [
                await plain.send(topic, b"v%d" % n, key=None, headers=[("h", b"%d" % n)])
                for n in range(500)
            ]
            await asyncio.gather(*sent)
    await send(sandbox, "east", topic, *[(b"k", None)] * 30)
    async with running(sandbox, [topic]) as engine:
        await engine.mirrored(topic, 1530)
        await checkpointed(engine, topic, 1530)
        found = only(await look(engine, topic, full=full))
    assert (found.equal, found.compared, found.wrong, found.only_target) == (1530, 1530, 0, 0)
    assert (found.reason, found.first, found.end, found.target_end) == (None, 0, 1530, 1530)


async def forge(sandbox: Sandbox, engine: Running, topic: str) -> None:
    """Six records on both sides from offset 1 on: the first is right, each other differs."""
    await send(sandbox, "east", topic, (b"k", b"first"))
    await engine.mirrored(topic, 1)
    await engine.api.flows.pause(engine.name)
    await send(sandbox, "east", topic, *[(b"k", b"secret-value")] * 6)
    right = r.body(b"k", b"secret-value")
    forged = [
        r.RawRecord(0, 1_700_000, 0, right),
        r.RawRecord(1, 1_700_000, 0, r.body(b"x", b"secret-value")),
        r.RawRecord(2, 1_700_000, 0, r.body(b"k", b"other")),
        r.RawRecord(3, 1_700_000, 0, r.body(b"k", b"secret-value", [("h", b"")])),
        r.RawRecord(4, 1_700_001, 0, right),
        r.RawRecord(5, 1_700_001, 0, r.body(None, None)),
    ]
    await tamper(engine, topic, forged)
    await engine.api.flows.resume(engine.name)
    await send(sandbox, "east", topic, (b"k", b"last"))
    await engine.mirrored(topic, 8)


async def test_each_part_that_differs_is_named(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """A mirror with other key, value, headers, timestamp: exactly those, at their offsets."""
    topic = fresh_topic("tampered")
    await create(sandbox, topic)
    async with running(sandbox, [topic]) as engine:
        await forge(sandbox, engine, topic)
        await checkpointed(engine, topic, 8)
        report = await look(engine, topic)
        shown = only(await look(engine, topic, show=True))
    found = only(report)
    assert [(m.source_offset, m.target_offset, m.differs) for m in found.mismatches] == [
        (2, 2, ("key",)),
        (3, 3, ("value",)),
        (4, 4, ("headers",)),
        (5, 5, ("timestamp",)),
        (6, 6, ("key", "value", "timestamp")),
    ]
    assert (found.equal, found.mismatched, report.wrong) == (3, 5, 5)
    assert "secret" not in repr(report)
    assert "secret-value" in (shown.mismatches[1].source or "")
    assert "other" in (shown.mismatches[1].target or "")


async def test_the_engines_own_verifier_finds_what_differs(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """It compares what is mirrored; what is wrong is in the snapshot and an event."""
    topic = fresh_topic("watched")
    await create(sandbox, topic)
    verify_section = {"bytes_per_second": "1MiB"}
    async with running(sandbox, [topic], verify=verify_section) as engine:
        await send(sandbox, "east", topic, *[(b"k", b"%d" % n) for n in range(20)])
        await engine.mirrored(topic, 20)
        await until(lambda: verified(engine).compared >= 20, "the records are compared")
        assert (verified(engine).wrong, verified(engine).trouble) == (0, None)
        delivered = engine.flow.board.partitions[topic, 0].acked.source
        await engine.api.flows.pause(engine.name)
        await send(sandbox, "east", topic, (b"k", b"right"))
        await tamper(engine, topic, [r.RawRecord(0, 1_700_000, 0, r.body(b"k", b"wrong"))])
        await engine.api.flows.resume(engine.name)
        await until(lambda: verified(engine).wrong > 0, "the forged record is found")
        place = f"{topic}/0 source offset {delivered}, target offset {delivered}: value"
        assert verified(engine).last_wrong == place
        assert verified(engine).partitions_wrong == 1
        events = await engine.api.events()
    assert [event.text for event in events if event.severity == Severity.ERROR] == [
        f"the mirror is not what the source has: {place}"
    ]


def verified(engine: Running) -> VerificationSnapshot:
    """What the engine's own verifier tells."""
    found = engine.flow.snapshot().verification
    assert found is not None
    return found


async def test_a_strangers_record_is_counted_and_nothing_else(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Between ours, and behind the last of ours."""
    topic = fresh_topic("stranger")
    await create(sandbox, topic)
    await send(sandbox, "east", topic, (b"a", b"1"), (b"b", b"2"))
    async with running(sandbox, [topic]) as engine:
        await engine.mirrored(topic, 2)
        await send(sandbox, "west", topic, (b"s", b"mine"))
        await send(sandbox, "east", topic, (b"c", b"3"))
        await engine.mirrored(topic, 3)
        await send(sandbox, "west", topic, (b"s", b"mine too"))
        await checkpointed(engine, topic, 3)
        for full in (True, False):
            found = only(await look(engine, topic, full=full))
            assert (found.equal, found.wrong, found.only_target) == (3, 0, 2)


async def test_committed_records_are_compared_aborted_ones_are_not(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Markers and aborted data are no part of either side."""
    topic = fresh_topic("txn")
    await create(sandbox, topic)
    async with running(sandbox, [topic]) as engine:
        async with producer(sandbox, transactional_id=topic) as transactional:
            for commit in (True, False, True):
                await transactional.begin_transaction()
                for n in range(3):
                    await transactional.send_and_wait(topic, b"%d" % n, partition=0)
                if commit:
                    await transactional.commit_transaction()
                else:
                    await transactional.abort_transaction()
        await engine.mirrored(topic, 12)
        await checkpointed(engine, topic, 12)
        found = only(await look(engine, topic))
    assert (found.equal, found.compared, found.wrong, found.left_out) == (6, 6, 0, 0)


async def delete_to(sandbox: Sandbox, cluster: str, topic: str, offset: int) -> None:
    """Move a log's beginning, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap(cluster))
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(offset)})
    await admin.close()


async def test_what_retention_took_is_no_mismatch(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Four gone from the source, two more from the mirror; the others are equal."""
    topic = fresh_topic("retention")
    await create(sandbox, topic)
    await send(sandbox, "east", topic, *[(b"k", b"%d" % n) for n in range(10)])
    async with running(sandbox, [topic]) as engine:
        await engine.mirrored(topic, 10)
        await checkpointed(engine, topic, 10)
        await delete_to(sandbox, "east", topic, 4)
        await delete_to(sandbox, "west", topic, 6)
        found = only(await look(engine, topic))
    assert (found.gone_source, found.gone_target, found.equal, found.wrong) == (4, 2, 4, 0)
    assert found.first == 6


COMPACTING: Mapping[str, str] = {
    "cleanup_policy": "compact",
    "segment_ms": "100",
    "min_cleanable_dirty_ratio": "0.01",
    "max_compaction_lag_ms": "100",
}


@pytest_asyncio.fixture
async def cleaning(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A target whose log cleaner runs at once, a source whose cleaner does not run at all."""
    clusters = {
        "east": ClusterSpec(properties={"log.cleaner.backoff.ms": "86400000"}),
        "west": ClusterSpec(properties={"log.cleaner.backoff.ms": "100"}),
    }
    own = Sandbox(tmp_path / "cleaning", clusters, ephemeral=True)
    await own.up()
    try:
        yield own
    finally:
        await own.down()


async def test_a_compacted_mirror_lacks_only_what_was_superseded(
    cleaning: Sandbox, fresh_topic: FreshTopic
) -> None:
    """What the target's own cleaner took is told as compacted, and all else is equal."""
    topic = fresh_topic("compacted")
    await create(cleaning, topic, **COMPACTING)
    async with running(cleaning, [topic]) as engine:
        for n in range(12):
            await send(cleaning, "east", topic, (b"k%d" % (n % 3), b"%d" % n), at_ms=1_000 * n)
            await engine.mirrored(topic, n + 1)
        await checkpointed(engine, topic, 12)
        for _ in range(100):
            left = len(await read(cleaning, "west", topic))
            if left < 12:
                break
            await asyncio.sleep(0.1)
        found = only(await look(engine, topic))
        left_after = len(await read(cleaning, "west", topic))
    assert left < 12, "the cleaner took something"
    assert (found.wrong, found.equal + found.compacted) == (0, 12)
    assert 12 - left <= found.compacted <= 12 - left_after


async def test_an_unknown_flow_is_refused(sandbox: Sandbox) -> None:
    """With the names there are."""
    async with running(sandbox, ["none-such"], name="the-flow") as engine:
        with pytest.raises(RefusedError, match="the-flow"):
            await verify(engine.engine.config, "other", Options())
