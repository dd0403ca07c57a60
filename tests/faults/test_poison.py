"""What cannot be mirrored: one record stops its partition alone, or goes into quarantine."""

from __future__ import annotations

import struct
import time

import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from engine.api.names import quarantine_topic
from engine.api.snapshots import PartitionState
from engine.sandbox import Sandbox
from tests.faults.histories import admin, row, segment, send, shown, stops, values
from tests.kafka.engines import FreshTopic, create, producer, read, running, until

pytestmark = pytest.mark.kafka
HOUR_MS = 3_600_000


async def _mirror(sandbox: Sandbox, topic: str, partitions: int = 1, **configs: str) -> None:
    """Create the mirror topic beforehand, with configs of its own."""
    async with admin(sandbox, "west") as client:
        named = {key.replace("_", "."): value for key, value in configs.items()}
        await client.create_topics([NewTopic(topic, partitions, 1, topic_configs=named)])


async def _batch(
    sandbox: Sandbox, topic: str, *rows: tuple[str | None, str], partition: int = 0, at: int = 0
) -> None:
    """Produce rows of key and value as one lz4 batch; the row at index 3 is `at` ms old."""
    now = int(time.time() * 1000)
    async with producer(sandbox, compression_type="lz4", linger_ms=200) as plain:
        waits = [
            await plain.send(
                topic,
                value.encode(),
                key=key.encode() if key is not None else None,
                partition=partition,
                timestamp_ms=now - (at if index == 3 else 0),
                headers=[("n", str(index).encode())],
            )
            for index, (key, value) in enumerate(rows)
        ]
        for wait in waits:
            await wait


ROWS = [("k0", "v0"), ("k1", "v1"), ("k2", "v2"), (None, "no key"), ("k4", "v4"), ("k5", "v5")]
GOOD = ["v0", "v1", "v2", "v4", "v5"]


def _headers(record: ConsumerRecord[bytes, bytes]) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


async def test_a_record_without_a_key_stops_its_partition_alone(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """The record is named exactly, all before it arrives, the other partition goes on."""
    topic = fresh_topic("keyless")
    name = f"flow-{topic}"
    await create(sandbox, topic, 2)
    await _mirror(sandbox, topic, 2, cleanup_policy="compact")
    await _batch(sandbox, topic, *ROWS)
    async with running(sandbox, [topic], name=name) as engine:
        why = await stops(engine, topic)
        assert "refuses the record at source offset 3: INVALID_RECORD" in why
        assert "cleanup.policy" in why
        assert await values(sandbox, topic) == GOOD[:3]
        await _batch(sandbox, topic, ("other", "goes on"), partition=1)
        other = engine.flow.board.partitions[topic, 1]
        await until(lambda: other.acked.source == 1, "the other partition goes on")
        assert row(engine, topic).state == PartitionState.STOPPED
        # The cause is removed: nothing is skipped.
        async with admin(sandbox, "west") as client:
            change = {"cleanup.policy": "delete"}
            await client.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, topic, configs=change)]
            )
        assert (await engine.api.flows.retry(name)).changed
        await engine.mirrored(topic, 7)
        found = await values(sandbox, topic)
        assert found == [value for _, value in ROWS] + ["goes on"]


@pytest.mark.parametrize("how", ["policy", "accepted"])
async def test_quarantine(sandbox: Sandbox, fresh_topic: FreshTopic, how: str) -> None:
    """The record is put aside with its own bytes, its position and the broker's words."""
    topic = fresh_topic("aside")
    name = f"flow-{topic}"
    policy = "quarantine" if how == "policy" else "stop"
    await create(sandbox, topic)
    await _mirror(sandbox, topic, cleanup_policy="compact")
    await _batch(sandbox, topic, *ROWS)
    async with running(sandbox, [topic], name=name, on_poison=policy) as engine:
        if how == "accepted":
            await stops(engine, topic)
            await engine.api.flows.retry(name, topic, 0, accept=True)
        await engine.mirrored(topic, 6)
        assert await values(sandbox, topic) == GOOD
        assert list(engine.offset_map(topic, 0).runs()) == [(0, 0, 3), (4, 3, 2)]
        seen = await shown(engine, topic)
        assert (seen.quarantined_records, seen.skipped_records) == (1, 1)
        assert (seen.skipped[0].first, seen.skipped[0].reason) == (3, "quarantined")
    (aside,) = await read(sandbox, "west", quarantine_topic(name))
    (original,) = [r for r in await read(sandbox, "east", topic) if r.offset == 3]
    assert (aside.key, aside.value) == (None, b"no key")
    headers = _headers(aside)
    assert headers.pop("n") == "3"
    assert "INVALID_RECORD" in headers.pop("ccr.reason")
    assert headers == {
        "ccr.flow": name,
        "ccr.kind": "record",
        "ccr.source.topic": topic,
        "ccr.source.partition": "0",
        "ccr.source.offset": "3",
        "ccr.source.next_offset": "4",
        "ccr.source.timestamp": str(original.timestamp),
    }
    # After a restart it is neither mirrored nor put aside again.
    await _batch(sandbox, topic, ("k6", "v6"))
    async with running(sandbox, [topic], name=name, on_poison=policy) as engine:
        await engine.mirrored(topic, 7)
        assert await values(sandbox, topic) == [*GOOD, "v6"]
    assert len(await read(sandbox, "west", quarantine_topic(name))) == 1


async def test_a_timestamp_that_the_target_refuses(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """One record from two hours ahead among others."""
    topic = fresh_topic("ahead")
    name = f"flow-{topic}"
    await create(sandbox, topic, message_timestamp_after_max_ms=str(24 * HOUR_MS))
    await _batch(sandbox, topic, *[("k", row[1]) for row in ROWS], at=-2 * HOUR_MS)
    async with running(sandbox, [topic], name=name) as engine:
        why = await stops(engine, topic)
        assert "record at source offset 3: INVALID_TIMESTAMP" in why
        assert "message.timestamp.before.max.ms and .after.max.ms" in why
        assert await values(sandbox, topic) == GOOD[:3]


async def test_a_batch_larger_than_the_target_takes_arrives_in_parts(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Only a single record that is too large is poison."""
    topic = fresh_topic("large")
    name = f"flow-{topic}"
    await create(sandbox, topic)
    await _mirror(sandbox, topic, max_message_bytes="2000")
    rows: list[tuple[str | None, str]] = [(f"k{n}", f"{n}" * 400) for n in range(9)]
    async with producer(sandbox, linger_ms=200) as plain:
        waits = [await plain.send(topic, v.encode(), key=b"k", partition=0) for _, v in rows]
        for wait in waits:
            await wait
    async with running(sandbox, [topic], name=name) as engine:
        await engine.mirrored(topic, 9)
        assert await values(sandbox, topic) == [value for _, value in rows]
        await send(sandbox, topic, "x" * 3000, "after")
        assert "record at source offset 9: MESSAGE_TOO_LARGE" in await stops(engine, topic)
        await engine.api.flows.retry(name, accept=True)
        await engine.mirrored(topic, 11)
        assert (await values(sandbox, topic))[9:] == ["after"]
    (aside,) = await read(sandbox, "west", quarantine_topic(name))
    assert aside.value == b"x" * 3000


async def test_a_batch_damaged_on_the_source_brokers_disk(
    rough: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Its CRC is checked on the way in; quarantined, its bytes are kept and the rest goes on."""
    topic = fresh_topic("damaged")
    name = f"flow-{topic}"
    await create(rough, topic)
    await send(rough, topic, "0", "1", "2", "3")
    path = segment(rough, "east", topic)
    data = bytearray(path.read_bytes())
    at = 12 + struct.unpack_from(">i", data, 8)[0]
    end = at + 12 + struct.unpack_from(">i", data, at + 8)[0]
    data[end - 2] ^= 0xFF
    with path.open("r+b") as log:
        log.seek(end - 2)
        log.write(data[end - 2 : end - 1])
    async with running(rough, [topic], name=name) as engine:
        why = await stops(engine, topic)
        assert "batch at offset 1 cannot be read" in why
        assert "does not match its CRC" in why
        assert await values(rough, topic) == ["0"]
        await engine.api.flows.retry(name, accept=True)
        await engine.mirrored(topic, 4)
        assert await values(rough, topic) == ["0", "2", "3"]
        assert list(engine.offset_map(topic, 0).runs()) == [(0, 0, 1), (2, 1, 2)]
    (aside,) = await read(rough, "west", quarantine_topic(name))
    assert aside.value == bytes(data[at:end])
    headers = _headers(aside)
    assert (headers["ccr.kind"], headers["ccr.source.offset"]) == ("batch", "1")
