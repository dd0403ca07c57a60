"""Old and new brokers, one or three of them, on either side: the main job, and kill -9."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from engine.api.snapshots import FlowState
from engine.sandbox import ClusterSpec, Sandbox
from tests.faults.rig import PARTITIONS, Rig, rig

pytestmark = pytest.mark.kafka

KILLS = 3


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (ClusterSpec(3, kafka_version="3.9.2"), ClusterSpec(kafka_version="4.2.0")),
        (ClusterSpec(kafka_version="4.2.0"), ClusterSpec(kafka_version="3.9.2")),
        (ClusterSpec(kafka_version="3.3.2"), ClusterSpec(kafka_version="3.3.2")),
    ],
    ids=lambda spec: f"{spec.brokers}x{spec.kafka_version}",
)
async def test_every_shape_and_kill_9(
    source: ClusterSpec, target: ClusterSpec, tmp_path: Path
) -> None:
    """All shapes and transactions, the engine killed under load: both clusters hold the same."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    clusters = {"east": source, "west": target}
    async with (
        Sandbox(tmp_path / "sandbox", clusters, ephemeral=True) as sandbox,
        rig(sandbox, tmp_path) as flow,
    ):
        await flow.load(4)
        transactions = asyncio.create_task(_transactions(flow, chance))
        engine = flow.engine()
        for _ in range(KILLS):
            engine.start()
            await engine.reaches(FlowState.RUNNING)
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            engine.kill()
        engine.start()
        await engine.reaches(FlowState.RUNNING)
        await flow.end_load()
        committed = await transactions
        await flow.intact(engine, others=committed)
        assert await engine.terminate() == 0


async def _transactions(flow: Rig, chance: random.Random) -> int:
    """Commit and abort under load; return how many records were committed."""
    topic = flow.topic("txn")
    await flow.create_topic(topic)
    producer = AIOKafkaProducer(
        bootstrap_servers=flow.sandbox.bootstrap("east"), transactional_id=topic
    )
    await producer.start()
    committed = aborted = 0
    try:
        while flow.producing:
            await producer.begin_transaction()
            sent = chance.randint(1, 20)
            for number in range(sent):
                value = b"%d" % number
                await producer.send(topic, value, key=b"k", partition=number % PARTITIONS)
            if chance.random() < 0.6:
                await producer.commit_transaction()
                committed += sent
            else:
                await producer.abort_transaction()
                aborted += sent
    finally:
        await producer.stop()
    assert committed > 100, "too few transactions to tell anything"
    assert aborted > 100
    return committed
