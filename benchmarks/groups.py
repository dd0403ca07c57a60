"""How many records consumer groups would read again if they moved to the target now."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import statistics
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from benchmarks.runs import FIRST_RECORD_TIMEOUT_S, Case, Figures, replicating
from benchmarks.stage import Stage

PARTITIONS = 4  # the first two written in transactions
RECORDS_A_TRANSACTION = 50
GROUPS = 50
GROUP_PREFIX = "reread"
TRANSLATED_TIMEOUT_S = 120.0
QUIET_S = 15.0  # no translation has changed for so long: it is what the replicator has
_topic = itertools.count(1)

Positions = dict[tuple[str, int], int]  # offset by group and partition


def group_reread(records: int) -> Case:
    """Mirror records while they are produced, then let groups commit with all sorts of lag.

    What is right is told by content: the target offset of the first record that the group has not
    read. Positions that are not translated count as read again from the beginning.
    """

    async def run(stage: Stage, who: str) -> Figures:
        number = next(_topic)
        topic, prefix = f"reread{number}", f"{GROUP_PREFIX}-{number}-"
        await stage.create(topic, PARTITIONS)
        async with (
            replicating(stage, who, topic, partitions=PARTITIONS) as run_,
            stage.watch_target(run_.mirror(topic), run_.running.require_alive) as watch,
        ):
            await _produce(stage, topic, 1)
            await watch.until(PARTITIONS, 0.1, FIRST_RECORD_TIMEOUT_S)
            await _produce(stage, topic, records // PARTITIONS)
            await watch.until(PARTITIONS + records, 0.1, FIRST_RECORD_TIMEOUT_S)
            source = await _offsets(stage.source, topic)
            target = await _offsets(stage.target, run_.mirror(topic))
            committed = _positions(prefix, source)
            await _commit(stage, topic, committed)
            translated = await _translated(stage, run_.mirror(topic), committed)
        again = [
            _right(source[partition], target[partition], offset)
            - translated.get((group, partition), 0)
            for (group, partition), offset in committed.items()
        ]
        if min(again) < 0:
            raise SystemExit(f"{who} would skip {-min(again)} records")
        return {
            "reread_mean": statistics.mean(again),
            "reread_worst": max(again),
            "not_translated": len(committed) - len(translated),
        }

    return run


async def _produce(stage: Stage, topic: str, records: int) -> None:
    """Write so many numbered records to each partition, the first two in transactions."""
    async with _producer(stage, None) as plain, _producer(stage, topic) as txn:
        for at in range(0, records, RECORDS_A_TRANSACTION):
            await txn.begin_transaction()
            for number in range(at, min(at + RECORDS_A_TRANSACTION, records)):
                for partition in range(PARTITIONS):
                    producer = txn if partition < PARTITIONS // 2 else plain
                    await producer.send(topic, b"%d" % number, partition=partition)
            await txn.commit_transaction()


@asynccontextmanager
async def _producer(stage: Stage, transactional: str | None) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=stage.source, transactional_id=transactional)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _offsets(servers: str, topic: str) -> list[list[int]]:
    """Return by partition the offset of each record, in order."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[list[int]] = [[] for _ in partitions]
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                batch = await consumer.getmany(partition, timeout_ms=500)
                found[partition.partition] += [each.offset for each in batch.get(partition, ())]
        return found
    finally:
        await consumer.stop()


def _positions(prefix: str, source: list[list[int]]) -> Positions:
    """Choose where groups stand: as many near the end as far from it, by orders of magnitude."""
    chance = random.Random(20261123)  # noqa: S311  (the same positions in every run)
    found = {}
    for group in range(GROUPS):
        for partition, offsets in enumerate(source):
            lag = int(math.exp(chance.uniform(0, math.log(len(offsets))))) - 1
            found[f"{prefix}{group:02}", partition] = offsets[-1] + 1 - lag
    return found


async def _commit(stage: Stage, topic: str, positions: Mapping[tuple[str, int], int]) -> None:
    for group in sorted({group for group, _ in positions}):
        consumer = AIOKafkaConsumer(
            bootstrap_servers=stage.source, group_id=group, enable_auto_commit=False
        )
        await consumer.start()
        mine = {
            TopicPartition(topic, partition): positions[group, partition]
            for partition in range(PARTITIONS)
        }
        consumer.assign(list(mine))
        await consumer.commit(mine)
        await consumer.stop()


async def _translated(stage: Stage, mirror: str, committed: Positions) -> Positions:
    """Wait until the target's commits stand still, or all are there; return them."""
    groups = sorted({group for group, _ in committed})
    loop = asyncio.get_running_loop()
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.target)
    await admin.start()
    try:
        found: Positions = {}
        changed_at, deadline = loop.time(), loop.time() + TRANSLATED_TIMEOUT_S
        while loop.time() < deadline and (not found or loop.time() < changed_at + QUIET_S):
            now: Positions = {}
            for group in groups:
                try:
                    offsets = await admin.list_consumer_group_offsets(group)
                except GroupCoordinatorNotAvailableError:
                    break  # the cluster's first group: its offsets topic is being made
                for partition, position in offsets.items():
                    if partition.topic == mirror and position.offset >= 0:
                        now[group, partition.partition] = position.offset
            if now != found:
                found, changed_at = now, loop.time()
            await asyncio.sleep(1)
        return found
    finally:
        await admin.close()


def _right(source: list[int], target: list[int], offset: int) -> int:
    """Return the target offset of the first record at or behind a source offset."""
    unread = sum(each >= offset for each in source)
    return target[-unread] if unread else target[-1] + 1
