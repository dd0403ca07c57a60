"""The target's history changes: records lost, mirrors deleted, strangers, forgotten sequences."""

from __future__ import annotations

import asyncio

import pytest

from engine.api.snapshots import Severity
from engine.kafka.cluster import Cluster
from engine.replication import partition as partition_module
from engine.sandbox import Sandbox
from tests.faults.histories import (
    create_anew,
    cut_log,
    delete,
    forget_flows_into,
    row,
    send,
    shown,
    stops,
    told,
    values,
)
from tests.kafka.engines import POLL_S, FreshTopic, Running, create, running, until

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("seen", ["while running", "at the next start"])
async def test_lost_records_are_sent_again(
    rough: Sandbox, fresh_topic: FreshTopic, seen: str
) -> None:
    """What the target had acknowledged and lost comes again from the source, once and in order."""
    topic = fresh_topic("lost")
    name = f"flow-{topic}"
    await create(rough, topic)
    async with running(rough, [topic], name=name) as engine:
        for number in range(5):  # a batch each on the target too
            await send(rough, topic, str(number))
            await engine.mirrored(topic, number + 1)
        if seen == "while running":
            await cut_log(rough, "west", topic, 2)
            await send(rough, topic, "5")
            await _resent(engine, rough, topic)
            return
    await cut_log(rough, "west", topic, 2)
    await send(rough, topic, "5")
    async with running(rough, [topic], name=name) as engine:
        await _resent(engine, rough, topic)


async def _resent(engine: Running, sandbox: Sandbox, topic: str) -> None:
    await until(lambda: told(engine, "the target lost"), "the loss is told", 60)
    await engine.mirrored(topic, 6)
    await until(lambda: row(engine, topic).acked.target == 6, "all of it is there again")
    assert await values(sandbox, topic) == ["0", "1", "2", "3", "4", "5"]
    assert list(engine.offset_map(topic, 0).runs()) == [(0, 0, 6)]
    loss = next(e for e in engine.engine.events.since(0) if "the target lost" in e.text)
    assert loss.severity == Severity.ERROR
    assert f"2 acknowledged records, from offset 3 of {topic} on" in loss.text
    assert row(engine, topic).history.foreign == 0


async def test_lost_records_in_whose_place_others_stand_are_sent_again(
    rough: Sandbox, fresh_topic: FreshTopic
) -> None:
    """The log was cut, others wrote more than was lost, and the broker forgot our sequence."""
    topic = fresh_topic("overgrown")
    name = f"flow-{topic}"
    await create(rough, topic)
    async with running(rough, [topic], name=name) as engine:
        for number in range(4):
            await send(rough, topic, str(number))
            await engine.mirrored(topic, number + 1)
        await send(rough, topic, "x", cluster="west")
        await send(rough, topic, "4")
        await engine.mirrored(topic, 5)
    await cut_log(rough, "west", topic, 3)
    await send(rough, topic, "y", "z", "u", "v", cluster="west")
    await _forgotten(engine, topic)
    await send(rough, topic, "5")
    async with running(rough, [topic], name=name) as engine:
        await until(lambda: told(engine, "the target lost"), "the loss is told", 60)
        await engine.mirrored(topic, 6)
    assert await values(rough, topic) == ["0", "1", "2", "y", "z", "u", "v", "3", "4", "5"]
    assert any(
        "2 acknowledged records, from offset 3" in e.text for e in engine.engine.events.since(0)
    )


async def test_a_deleted_mirror_is_not_refilled_in_silence(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """It stops with that reason; accepted, the mirror is made anew from its first record on."""
    topic = fresh_topic("unmirrored")
    name = f"flow-{topic}"
    await create(sandbox, topic)
    await send(sandbox, topic, "0", "1", "2")
    async with running(sandbox, [topic], name=name) as engine:
        await engine.mirrored(topic, 3)
        await delete(sandbox, "west", topic)
        assert f"{topic} was deleted on the target | ccr retry" in await stops(engine, topic)
    await send(sandbox, topic, "3")
    async with running(sandbox, [topic], name=name) as engine:
        await stops(engine, topic)
        await engine.api.flows.retry(name, accept=True)
        await until(lambda: list(engine.offset_map(topic, 0).runs()) == [(0, 0, 4)], "all again")
        assert await values(sandbox, topic) == ["0", "1", "2", "3"]


async def test_a_mirror_made_anew_by_somebody_else(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Known by its id; nothing goes into it before an operator accepts it."""
    topic = fresh_topic("swapped")
    name = f"flow-{topic}"
    await create(sandbox, topic)
    await send(sandbox, topic, "0", "1")
    async with running(sandbox, [topic], name=name) as engine:
        await engine.mirrored(topic, 2)
    await create_anew(sandbox, "west", topic)
    await send(sandbox, topic, "not ours", cluster="west")
    await send(sandbox, topic, "2")
    async with running(sandbox, [topic], name=name) as engine:
        why = await stops(engine, topic)
        assert f"the mirror topic {topic} was deleted and created anew" in why
        assert await values(sandbox, topic) == ["not ours"]
        await engine.api.flows.retry(name, accept=True)
        await until(lambda: list(engine.offset_map(topic, 0).runs()) == [(0, 1, 3)], "all again")
        assert await values(sandbox, topic) == ["not ours", "0", "1", "2"]


async def test_strangers_records_are_counted_and_the_map_stays_right(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Found by the acknowledged offset, while running and over a restart."""
    await forget_flows_into(sandbox, "east")
    topic = fresh_topic("strangers")
    name = f"flow-{topic}"
    await create(sandbox, topic)
    await send(sandbox, topic, "0")
    async with running(sandbox, [topic], name=name) as engine:
        await engine.mirrored(topic, 1)
        await send(sandbox, topic, "x", "y", cluster="west")
        await send(sandbox, topic, "1")
        await engine.mirrored(topic, 2)
        assert told(engine, f"2 records at offsets 1 to 2 of {topic} are not this flow's")
        assert list(engine.offset_map(topic, 0).runs()) == [(0, 0, 1), (1, 3, 1)]
    await send(sandbox, topic, "z", cluster="west")
    await send(sandbox, topic, "2")
    async with running(sandbox, [topic], name=name) as engine:
        await engine.mirrored(topic, 3)
        assert list(engine.offset_map(topic, 0).runs()) == [(0, 0, 1), (1, 3, 1), (2, 5, 1)]
        assert (await shown(engine, topic)).foreign_records == 3
    assert await values(sandbox, topic) == ["0", "x", "y", "1", "z", "2"]


async def test_the_target_forgets_our_sequence(
    rough: Sandbox, fresh_topic: FreshTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expired under a running engine and between two: nothing comes twice."""
    monkeypatch.setattr(partition_module, "TRUST_S", 0.5)
    topic = fresh_topic("forgotten")
    name = f"flow-{topic}"
    await create(rough, topic)
    await send(rough, topic, "0", "1")
    async with running(rough, [topic], name=name) as engine:
        await engine.mirrored(topic, 2)
        await _forgotten(engine, topic)
        await send(rough, topic, "2", "3")
        await engine.mirrored(topic, 4)
        await _forgotten(engine, topic)
    await send(rough, topic, "4")
    async with running(rough, [topic], name=name) as engine:
        await engine.mirrored(topic, 5)
        assert list(engine.offset_map(topic, 0).runs()) == [(0, 0, 5)]
    assert await values(rough, topic) == ["0", "1", "2", "3", "4"]


async def test_what_others_wrote_is_looked_through_for_ours_once(
    rough: Sandbox, fresh_topic: FreshTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much that is: the broker has forgotten us, and asks for a look again and again."""
    monkeypatch.setattr(partition_module, "TRUST_S", 0.5)
    topic = fresh_topic("busy")
    name = f"flow-{topic}"
    await create(rough, topic)
    await send(rough, topic, "0")
    async with running(rough, [topic], name=name) as engine:
        await engine.mirrored(topic, 1)
        await send(rough, topic, *"abcde", cluster="west")
        await _forgotten(engine, topic)
        await until(lambda: row(engine, topic)._stale, "it may have been forgotten")
        await send(rough, topic, "1")
        await engine.mirrored(topic, 2)
        assert row(engine, topic).history.looked_to == 6
    async with running(rough, [topic], name=name) as engine:
        await engine.mirrored(topic, 2)
        assert row(engine, topic).history.looked_to == 6
    assert await values(rough, topic) == ["0", *"abcde", "1"]


async def _forgotten(engine: Running, topic: str) -> None:
    """Wait until the target's broker holds no producer on the partition."""
    cluster = Cluster("west", engine.engine.config.clusters["west"])
    metadata = await cluster.metadata([topic])
    try:
        while (await cluster.describe_producers([(topic, 0)], metadata))[topic, 0]:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
    finally:
        await cluster.close()
