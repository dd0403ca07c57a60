"""Active-active: writers on every side, engines that die, and each record everywhere, once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.sandbox import ClusterSpec, Sandbox
from tests.faults.histories import send, values
from tests.faults.union import Union, union
from tests.kafka.engines import (
    FreshTopic,
    Running,
    create,
    producer,
    read,
    running,
    until,
    until_async,
)

pytestmark = pytest.mark.kafka

LENGTHS = [
    15.0,
    pytest.param(60.0, marks=pytest.mark.soak),
]


async def _with_a_death_of_each_engine(made: Union, seconds: float, *, second: bool) -> None:
    """Write for so long; in between kill each engine once.

    The first cluster's has a `second` that stands by and takes over; others are started again.
    """
    await made.begin()
    for site in made.sites:
        await site.start()
    if second:
        await made.sites[0].have_second()
    began = asyncio.get_running_loop().time()
    for site in made.sites:
        await asyncio.sleep(made.chance.uniform(0.5, seconds / (len(made.sites) + 1)))
        await site.engine.works()
        await site.die(made.chance.uniform(0.0, 1.0))
    await asyncio.sleep(max(0.0, began + seconds - asyncio.get_running_loop().time()))
    await made.end()
    await made.assert_union()
    await made.assert_verified()
    made.assert_memory()


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_two_clusters(sandbox: Sandbox, tmp_path: Path, seconds: float) -> None:
    """Both hold exactly the union, once."""
    async with union(sandbox, tmp_path, "east", "west") as made:
        await _with_a_death_of_each_engine(made, seconds, second=True)


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Three clusters whose log cleaners run at once."""
    spec = ClusterSpec(properties={"log.cleaner.backoff.ms": "100"})
    clusters = dict.fromkeys(("east", "west", "north"), spec)
    shared = Sandbox(tmp_path_factory.mktemp("trio"), clusters, ephemeral=True)
    asyncio.run(shared.up())
    try:
        yield shared
    finally:
        asyncio.run(shared.down())


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_a_mesh_of_three(trio: Sandbox, tmp_path: Path, seconds: float) -> None:
    """Six flows; nothing goes on from where it was not first written."""
    async with union(trio, tmp_path, "east", "west", "north") as made:
        await _with_a_death_of_each_engine(made, seconds, second=False)


async def test_a_chain_is_told_of_what_it_leaves_out(
    trio: Sandbox, fresh_topic: FreshTopic
) -> None:
    """East to west to north: north lacks what east wrote, and that is said; or it takes it all."""
    topic = fresh_topic("chain")
    for cluster in ("east", "west"):
        await create(trio, topic, cluster=cluster)
        await send(trio, topic, f"of {cluster}", cluster=cluster)
    clusters = {
        name: {"bootstrap_servers": trio.bootstrap(name).split(",")}
        for name in ("east", "west", "north")
    }
    onward: dict[str, Any] = {"clusters": clusters, "source": "west", "target": "north"}
    async with (
        running(trio, [topic], clusters=clusters),
        running(trio, [topic], **onward) as local,
        running(trio, [topic], **onward, origin="any") as everything,
    ):
        # Two flows into one topic of north: what came by one is in its log beside the other's.
        await local.mirrored(topic, 2)
        await everything.mirrored(topic, 2)
        found = [record.value for record in await read(trio, "north", topic)]
        assert sorted(found) == [b"of east", b"of west", b"of west"]
        await until(lambda: "add a flow from east to north" in _left(local), "it is told")
        assert not _left(everything)
        shown = local.flow.snapshot().inbound
        (inbound,) = (each for each in shown if each.left_out_records)
        assert (inbound.source, inbound.back, inbound.left_out_records) == ("east", False, 1)


async def test_what_a_flow_wrote_is_known_after_the_broker_rewrote_it(
    trio: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Compressed anew on arrival, then compacted: id and epoch stay with what is left."""
    topic = fresh_topic("rewritten")
    await create(trio, topic)
    await create(
        trio, topic, cluster="west", compression_type="gzip", cleanup_policy="compact",
        segment_ms="100", min_cleanable_dirty_ratio="0.01", max_compaction_lag_ms="100",
    )  # fmt: skip
    async with running(trio, [topic]) as there:
        for number in range(12):  # of one key, so that the cleaner takes most of it
            await send(trio, topic, f"of east {number}")
            await there.mirrored(topic, number + 1)

    async def compacted() -> bool:
        async with producer(trio, "west") as plain:  # what was written last is not cleaned
            await plain.send_and_wait(topic, b"of west", b"another key")
        await asyncio.sleep(0.2)
        return len([1 for each in await values(trio, topic) if "east" in each]) < 6

    await until_async(compacted, "the cleaner took something")
    clusters = {
        name: {"bootstrap_servers": trio.bootstrap(name).split(",")} for name in ("east", "west")
    }
    async with running(trio, [topic], clusters=clusters, source="west", target="east") as back:
        west = await read(trio, "west", topic)
        await back.mirrored(topic, west[-1].offset + 1)
        found = [record.value or b"" for record in await read(trio, "east", topic)]
        left_out = back.flow.snapshot().left_out_records
    assert 0 < left_out <= sum(b"east" in (record.value or b"") for record in west)
    assert found[:12] == [f"of east {number}".encode() for number in range(12)]
    assert set(found[12:]) == {b"of west"}


def _left(engine: Running) -> str:
    """What the flow says that it leaves out, and what to do."""
    syncs = {sync.name: sync for sync in engine.flow.snapshot().syncs}
    left = syncs["provenance"].left if syncs else ()
    return "; ".join(f"{each.text}: {each.next_step}".lower() for each in left)
