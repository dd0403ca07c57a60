"""What is measured, one run at a time."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.console import open_console
from benchmarks.replicators import REPLICATORS, Running
from benchmarks.stage import Data, Stage

Figures = dict[str, float]
Case = Callable[[Stage, str], Awaitable[Figures]]

BULK = Data("bulk", 3_000_000, 1_000, "lz4", 65_536, 5)
TINY = Data("tiny", 500_000, 200, "none", 1, 0)
RUN_TIMEOUT_S = 600.0
LATENCY_RATE = 200  # records a second
_alias = itertools.count(1)


@asynccontextmanager
async def _replicating(
    stage: Stage, who: str, topic: str, *, linger_ms: int = 20
) -> AsyncIterator[tuple[Running, str]]:
    """Run a replicator into a target topic of its own."""
    alias = f"run{next(_alias)}"
    running = REPLICATORS[who](stage, alias, topic, linger_ms=linger_ms)
    try:
        yield running, f"{alias}.{topic}"
    finally:
        await asyncio.to_thread(running.stop)
        await stage.drop(f"{alias}.{topic}")


def throughput(data: Data) -> Case:
    """Mirror a full topic; records a second from the first to the last arrival."""

    async def run(stage: Stage, who: str) -> Figures:
        async with (
            _replicating(stage, who, data.topic) as (running, target),
            stage.watch_target(target) as watch,
        ):
            await watch.until(1, 0.02, 120)
            first, at_first = time.monotonic(), await watch.count()
            await watch.until(data.records, 0.05, RUN_TIMEOUT_S)
            last = time.monotonic()
            usage = running.usage()
            return {
                "records_per_second": (data.records - at_first) / (last - first),
                "records_per_second_from_start": data.records / (last - running.started_at),
                "cpu_seconds": usage.cpu_seconds,
                "peak_rss_mb": usage.peak_rss_bytes / 2**20,
            }

    return run


async def start_to_first_record(stage: Stage, who: str) -> Figures:
    """From the process's start to the first record on the target; the topic has records already."""
    async with (
        _replicating(stage, who, "trickle") as (running, target),
        stage.watch_target(target) as watch,
    ):
        await watch.until(1, 0.02, 120)
        return {"start_to_first_s": time.monotonic() - running.started_at}


def latency(seconds: float) -> Case:
    """Age of records when a consumer on the target sees them, at 200 records a second."""

    async def run(stage: Stage, who: str) -> Figures:
        topic = f"latency{next(_alias)}"
        await stage.create(topic, 3)
        async with (
            _replicating(stage, who, topic, linger_ms=0) as (_, target),
            stage.watch_target(target) as watch,
        ):
            producer = AIOKafkaProducer(bootstrap_servers=stage.source, linger_ms=0)
            await producer.start()
            try:
                await producer.send_and_wait(topic, b"0")
                await watch.until(1, 0.05, 120)
                ages = await _ages(stage, producer, topic, target, seconds)
            finally:
                await producer.stop()
        cuts = statistics.quantiles(ages, n=100)
        return {"latency_p50_ms": cuts[49], "latency_p99_ms": cuts[98]}

    return run


async def _ages(
    stage: Stage, producer: AIOKafkaProducer, topic: str, target: str, seconds: float
) -> list[float]:
    """Produce with the time in each value; return the ages in ms, without the first second's."""
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.target, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(target, partition) for partition in range(3)])
    total = int(LATENCY_RATE * seconds)
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
        await asyncio.sleep(max(0.0, began + number / LATENCY_RATE - time.perf_counter()))
        await producer.send(topic, repr(time.perf_counter()).encode())
    await asyncio.wait_for(consuming, 60)
    await consumer.stop()
    return ages[LATENCY_RATE:]


def console_cost(data: Data) -> Case:
    """The engine's CPU seconds a GB, with a console attached and without (`who` says which)."""

    async def run(stage: Stage, who: str) -> Figures:
        async with (
            _replicating(stage, "ccr", data.topic) as (running, target),
            stage.watch_target(target) as watch,
        ):
            with open_console(running.config, enabled=who == "with console"):
                await watch.until(data.records, 0.05, RUN_TIMEOUT_S)
                gigabytes = data.records * data.size / 1e9
                return {"cpu_seconds_per_gb": running.usage().cpu_seconds / gigabytes}

    return run


@dataclass(frozen=True)
class Comparison:
    """A case, who takes part, and what is to be reached: figure → least or most ratio."""

    name: str
    case: Case
    who: tuple[str, str]
    figures: tuple[str, ...]


def comparisons(*, quick: bool) -> list[Comparison]:
    """Return all cases at full or quick size."""
    bulk, tiny = BULK, TINY
    if quick:
        bulk = Data("bulk", 300_000, 1_000, "lz4", 65_536, 5)
        tiny = Data("tiny", 50_000, 200, "none", 1, 0)
    peers = ("ccr", "MirrorMaker 2")
    further = ("ccr", "MirrorMaker 2 tuned further")
    rates = ("records_per_second", "records_per_second_from_start", "cpu_seconds", "peak_rss_mb")
    return [
        Comparison("bulk", throughput(bulk), peers, rates),
        Comparison("bulk-further", throughput(bulk), further, rates),
        Comparison("tiny", throughput(tiny), peers, rates),
        Comparison("start", start_to_first_record, peers, ("start_to_first_s",)),
        Comparison(
            "latency",
            latency(5 if quick else 20),
            peers,
            ("latency_p50_ms", "latency_p99_ms"),
        ),
        Comparison(
            "console",
            console_cost(bulk),
            ("with console", "without console"),
            ("cpu_seconds_per_gb",),
        ),
    ]


def data_of(name: str, *, quick: bool) -> Data | None:
    """Return what a case needs in the source beforehand."""
    if name in ("bulk", "bulk-further", "console"):
        return Data("bulk", 300_000, 1_000, "lz4", 65_536, 5) if quick else BULK
    if name == "tiny":
        return Data("tiny", 50_000, 200, "none", 1, 0) if quick else TINY
    if name == "start":
        return Data("trickle", 1_000, 100, "none", 16_384, 0)
    return None
