"""Rate limits: what passes in seconds under load, by the engine's own clock and its own count."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from engine.sandbox import ClusterSpec, Sandbox
from tests.kafka.engines import FreshTopic, Running, create, producer, read, running, until

pytestmark = pytest.mark.kafka

MIB = 2**20
MEASURED_S = 5.0
TOLERANCE = 0.05
MEASUREMENTS = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def several(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """Two source brokers, one target broker."""
    clusters = {"east": ClusterSpec(brokers=2), "west": ClusterSpec()}
    own = Sandbox(tmp_path_factory.mktemp("limits"), clusters, ephemeral=True)
    await own.up()
    try:
        yield own
    finally:
        await own.down()


async def fill(sandbox: Sandbox, topic: str, records: int, size: int, partitions: int = 4) -> None:
    """Produce records of `size` bytes, uncompressed, spread over partitions."""
    settings = {"max_batch_size": max(size + 200, 200_000), "max_request_size": 4 * MIB}
    async with producer(sandbox, **settings) as plain:
        value = b"x" * size
        sent = [await plain.send(topic, value, partition=n % partitions) for n in range(records)]
        await asyncio.gather(*sent)


def taken(engine: Running, topic: str | None = None) -> int:
    """Bytes that the target acknowledged since the engine began."""
    partitions = engine.flow.board.partitions.values()
    return sum(each.measures.bytes_total for each in partitions if topic in (None, each.topic))


async def rates(engine: Running, *topics: str | None) -> list[float]:
    """Bytes a second of topics (None: of all), under way already, over the same seconds."""
    for topic in topics:
        await until(lambda topic=topic: taken(engine, topic) > 0, f"{topic} is being mirrored")  # type: ignore[misc]
    began, before = time.monotonic(), [taken(engine, topic) for topic in topics]
    await asyncio.sleep(MEASURED_S)
    now, after = time.monotonic(), [taken(engine, topic) for topic in topics]
    return [(b - a) / (now - began) for a, b in zip(before, after, strict=True)]


async def kept(engine: Running, rate: int, *topics: str | None) -> None:
    """Check that each topic has its rate, measured again when the machine was too busy for it."""
    wanted = [pytest.approx(rate, rel=TOLERANCE)] * len(topics)
    for _ in range(MEASUREMENTS):
        found = await rates(engine, *topics)
        if found == wanted:
            return
    assert found == wanted


@pytest.mark.asyncio(loop_scope="module")
async def test_a_flows_limit_is_kept_and_changed_while_running(
    several: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Records of 2 kB to 900 kB, eight partitions on two brokers; then another rate; then none."""
    small, large = fresh_topic("small"), fresh_topic("large")
    for topic in (small, large):
        await create(several, topic, 4, max_message_bytes=str(2 * MIB))
    await fill(several, small, 12_000, 2_000)
    await fill(several, large, 120, 900_000)
    async with running(several, [small, large], limits={"bytes_per_second": 6 * MIB}) as engine:
        await kept(engine, 6 * MIB, None)
        changed = await engine.api.flows.limit(engine.name, 10 * MIB)
        assert changed.changed
        await kept(engine, 10 * MIB, None)
        shown = (await engine.api.snapshot()).flows[0]
        assert shown.limit_bytes_per_second == 10 * MIB
        await engine.api.flows.limit(engine.name, None)
        await engine.mirrored(small, 12_000)
        await engine.mirrored(large, 120)
    assert len(await read(several, "west", small)) == 12_000


@pytest.mark.asyncio(loop_scope="module")
async def test_a_topics_limit_holds_up_no_other_topic(
    several: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Two topics of a rule have its rate each; one that no rule names passes at once."""
    slow, other, free = fresh_topic("slow"), fresh_topic("slow"), fresh_topic("free")
    for topic in (slow, other, free):
        await create(several, topic, 4)
    for topic, records in ((slow, 40_000), (other, 20_000)):  # enough to measure once more
        await fill(several, topic, records, 2_000)
    await fill(several, free, 12_000, 2_000)
    names = [slow, other, free]
    async with running(several, names, limits={"topics": {"slow-.*": 2 * MIB}}) as engine:
        measured = asyncio.create_task(kept(engine, 2 * MIB, slow, other))
        await engine.mirrored(free, 12_000)
        assert taken(engine, slow) < 12_000_000, "the free topic did not wait for the slow ones"
        await measured
        await engine.api.flows.limit(engine.name, 4 * MIB, slow)
        await kept(engine, 4 * MIB, slow)
        limits = (await engine.api.snapshot()).flows[0].topic_limits
        assert [(each.topics, each.bytes_per_second) for each in limits] == [
            (slow, 4 * MIB),
            ("slow-.*", 2 * MIB),
        ]
