"""What the tests of changed histories share: logs cut on disk, topics deleted and made anew."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from engine.api.snapshots import PartitionSnapshot, PartitionState
from engine.replication.partition import MirrorPartition
from engine.sandbox import Sandbox
from tests.kafka.engines import Running, producer, read, until


@asynccontextmanager
async def admin(sandbox: Sandbox, cluster: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open an admin client."""
    client = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap(cluster))
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def send(sandbox: Sandbox, topic: str, *values: str, cluster: str = "east") -> None:
    """Produce to partition 0, a batch a value."""
    async with producer(sandbox, cluster) as plain:
        for value in values:
            await plain.send_and_wait(topic, value.encode(), key=b"k", partition=0)


async def values(sandbox: Sandbox, topic: str, cluster: str = "west") -> list[str]:
    """Read a topic's values in order."""
    return [(record.value or b"").decode() for record in await read(sandbox, cluster, topic)]


async def delete_before(sandbox: Sandbox, topic: str, offset: int) -> None:
    """Delete the source's records before an offset, as retention does."""
    async with admin(sandbox, "east") as client:
        await client.delete_records({TopicPartition(topic, 0): RecordsToDelete(offset)})


async def delete(sandbox: Sandbox, cluster: str, topic: str) -> None:
    """Delete a topic, and wait until it is gone."""
    async with admin(sandbox, cluster) as client:
        await client.delete_topics([topic])
        while topic in await client.list_topics():
            pass


async def forget_flows_into(sandbox: Sandbox, cluster: str) -> None:
    """Delete the state topics of earlier tests' flows into a cluster.

    Where a flow reads a mirror back, others' records in it are expected, and no news.
    """
    async with admin(sandbox, cluster) as client:
        topics = [name for name in await client.list_topics() if name.startswith("ccr.")]
    for topic in topics:
        await delete(sandbox, cluster, topic)


async def create_anew(sandbox: Sandbox, cluster: str, topic: str, **configs: str) -> None:
    """Delete a topic and create it again under its name."""
    await delete(sandbox, cluster, topic)
    async with admin(sandbox, cluster) as client:
        named = {key.replace("_", "."): value for key, value in configs.items()}
        await client.create_topics([NewTopic(topic, 1, 1, topic_configs=named)])


def segment(sandbox: Sandbox, cluster: str, topic: str) -> Path:
    """Find the only segment of a topic's partition 0 on the broker's disk."""
    (found,) = sandbox.log_file(cluster).parent.rglob(f"{topic}-0/*.log")
    return found


async def cut_log(sandbox: Sandbox, cluster: str, topic: str, batches: int) -> None:
    """Kill a one-broker cluster, cut a partition's newest batches off its log, start it again."""
    await sandbox.kill_broker(cluster, 1)
    log = segment(sandbox, cluster, topic)
    data = log.read_bytes()
    starts = []
    at = 0
    while at + 12 <= len(data) and struct.unpack_from(">i", data, at + 8)[0]:
        starts.append(at)
        at += 12 + struct.unpack_from(">i", data, at + 8)[0]
    log.write_bytes(data[: starts[-batches]])
    await sandbox.start_broker(cluster, 1)


def row(engine: Running, topic: str) -> MirrorPartition:
    """Return the partition."""
    return engine.flow.board.partitions[topic, 0]


async def stops(engine: Running, topic: str) -> str:
    """Wait until the partition stops; return why."""
    await until(
        lambda: (
            (topic, 0) in engine.flow.board.partitions
            and row(engine, topic).state == PartitionState.STOPPED
        ),
        f"{topic} stops",
    )
    reason = row(engine, topic).reason
    assert reason is not None
    return f"{reason.text} | {reason.next_step}"


async def shown(engine: Running, topic: str) -> PartitionSnapshot:
    """Return the partition's snapshot once it is as new as the partition."""
    found: list[PartitionSnapshot] = []

    def up_to_date() -> bool:
        engine.flow.board.tick()
        page = engine.flow.board.page(0)
        found[:] = [row for row in page.partitions if row.topic == topic]
        return bool(found) and found[0].mirrored_to == row(engine, topic).acked.source

    await until(up_to_date, f"{topic} is shown as it is")
    return found[0]


def told(engine: Running, words: str) -> bool:
    """Whether an event says so."""
    return any(words in event.text for event in engine.engine.events.since(0))
