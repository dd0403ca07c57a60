"""Age of records when a consumer on the target sees them, under several loads."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.runs import FIRST_RECORD_TIMEOUT_S, Case, Figures, replicating, using_cpu
from benchmarks.stage import Data, Stage

ARRIVAL_TIMEOUT_S = 60.0
_topic = itertools.count(1)


@dataclass(frozen=True)
class Probe:
    """Records that carry the time at which they were sent."""

    seconds: float
    records_per_second: int = 200
    partitions: int = 3


def latency(probe: Probe, *, load: Data | None = None, load_rate: int = 0) -> Case:
    """Send probes, beside a steady load in a topic of the same flow when there is one."""

    async def run(stage: Stage, who: str) -> Figures:
        number = next(_topic)
        topic, topics = f"probe{number}", [f"probe{number}"]
        await stage.create(topic, probe.partitions)
        if load is not None:
            topics.append(f"load{number}")
            await stage.create(topics[1], load.partitions)
        figures: Figures = {}
        async with AsyncExitStack() as stack:
            run_ = await stack.enter_async_context(
                replicating(stage, who, *topics, partitions=probe.partitions, linger_ms=0)
            )
            watch = await stack.enter_async_context(
                stage.watch_target(run_.mirror(topic), run_.running.require_alive)
            )
            if load is not None:
                await stack.enter_async_context(
                    stage.load(replace(load, topic=topics[1]), load_rate)
                )
            producer = AIOKafkaProducer(bootstrap_servers=stage.source, linger_ms=0)
            await producer.start()
            stack.push_async_callback(producer.stop)
            await producer.send_and_wait(topic, b"0")
            await watch.until(1, 0.05, FIRST_RECORD_TIMEOUT_S)
            await stage.mirrored(run_.mirror(topic), probe.partitions)
            async with using_cpu(run_.running, figures):
                ages = await _ages(stage, producer, topic, run_.mirror(topic), probe)
        cuts = statistics.quantiles(ages, n=100)
        return {**figures, "latency_p50_ms": cuts[49], "latency_p99_ms": cuts[98]}

    return run


async def _ages(
    stage: Stage, producer: AIOKafkaProducer, topic: str, mirror: str, probe: Probe
) -> list[float]:
    """Return the ages in ms, without the first second's."""
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.target, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(mirror, number) for number in range(probe.partitions)])
    rate = probe.records_per_second
    total = int(rate * probe.seconds)
    ages: list[float] = []

    async def consume() -> None:
        async for record in consumer:
            sent = float(record.value)
            if sent:
                ages.append((time.perf_counter() - sent) * 1000)
            if len(ages) == total:
                return

    consuming = asyncio.create_task(consume())
    began = time.perf_counter()
    for number in range(total):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        value = repr(time.perf_counter()).encode()
        await producer.send(topic, value, partition=number % probe.partitions)
    await asyncio.wait_for(consuming, ARRIVAL_TIMEOUT_S)
    await consumer.stop()
    return ages[rate:]
