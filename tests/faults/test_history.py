"""The source's history changes: retention overtakes, topics are created anew, logs are cut."""

from __future__ import annotations

import pytest

from engine.api.snapshots import SkippedRange
from engine.sandbox import Sandbox
from tests.faults.histories import (
    create_anew,
    cut_log,
    delete,
    delete_before,
    row,
    send,
    shown,
    stops,
    told,
    values,
)
from tests.kafka.engines import FreshTopic, create, running, until

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("on_gap", ["stop", "skip"])
async def test_retention_overtakes(sandbox: Sandbox, fresh_topic: FreshTopic, on_gap: str) -> None:
    """The lost range is named exactly; with skip, or once accepted, the rest arrives."""
    topic = fresh_topic("gap")
    name = f"flow-{topic}"
    await create(sandbox, topic)
    await send(sandbox, topic, "0", "1", "2")
    async with running(sandbox, [topic], name=name) as engine:
        await engine.mirrored(topic, 3)
    await send(sandbox, topic, "3", "4", "5", "6")
    await delete_before(sandbox, topic, 5)
    async with running(sandbox, [topic], name=name, on_gap=on_gap) as engine:
        if on_gap == "stop":
            assert "has lost offsets 3 to 4, 2 in all" in await stops(engine, topic)
            assert await values(sandbox, topic) == ["0", "1", "2"]
            assert (await engine.api.flows.retry(name, accept=True)).changed
        await engine.mirrored(topic, 7)
        assert told(engine, "lost offsets 3 to 4, 2 in all; going on from 5")
        assert list(engine.offset_map(topic, 0).runs()) == [(0, 0, 3), (5, 3, 2)]
    async with running(sandbox, [topic], name=name) as engine:
        await engine.mirrored(topic, 7)
        assert await values(sandbox, topic) == ["0", "1", "2", "5", "6"]
        (gap,) = row(engine, topic).history.skipped
        assert gap == SkippedRange(3, 5, gap.at, "lost by retention")
        seen = await shown(engine, topic)
        assert (seen.skipped, seen.skipped_records) == ((gap,), 2)


@pytest.mark.parametrize("seen", ["while running", "at the next start"])
async def test_source_topic_created_anew_stops(
    sandbox: Sandbox, fresh_topic: FreshTopic, seen: str
) -> None:
    """By its id, though it has more records than the old one had; accepted, it goes behind them."""
    topic = fresh_topic("anew")
    name = f"flow-{topic}"
    await create(sandbox, topic)
    await send(sandbox, topic, "old 0", "old 1")
    async with running(sandbox, [topic], name=name) as engine:
        await engine.mirrored(topic, 2)
        if seen == "while running":
            await create_anew(sandbox, "east", topic)
            await send(sandbox, topic, "new 0", "new 1", "new 2")
            await stops(engine, topic)
    if seen != "while running":
        await create_anew(sandbox, "east", topic)
        await send(sandbox, topic, "new 0", "new 1", "new 2")
    async with running(sandbox, [topic], name=name) as engine:
        why = await stops(engine, topic)
        assert "on the source" in why or "any more" in why
        assert await values(sandbox, topic) == ["old 0", "old 1"]
        await engine.api.flows.retry(name, accept=True)
        await until(
            lambda: list(engine.offset_map(topic, 0).runs()) == [(0, 2, 3)], "the new one is there"
        )
        assert await values(sandbox, topic) == ["old 0", "old 1", "new 0", "new 1", "new 2"]


async def test_source_topic_created_anew_restarts(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """on_recreate: restart; deleted for a while, then there again, and once more."""
    topic = fresh_topic("again")
    await create(sandbox, topic)
    await send(sandbox, topic, "a")
    async with running(sandbox, [topic], on_recreate="restart") as engine:
        await engine.mirrored(topic, 1)
        await delete(sandbox, "east", topic)
        await until(
            lambda: row(engine, topic).reason is not None and told(engine, "gone from the source"),
            "it is told that the topic is gone",
        )
        await create(sandbox, topic)
        await send(sandbox, topic, "b", "c")
        await until(lambda: list(engine.offset_map(topic, 0).runs()) == [(0, 1, 2)], "b, c")
        await create_anew(sandbox, "east", topic)
        await send(sandbox, topic, "d")
        await until(lambda: list(engine.offset_map(topic, 0).runs()) == [(0, 3, 1)], "d")
        assert await values(sandbox, topic) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("grown", [False, True], ids=["shorter", "grown past us"])
async def test_source_truncated(rough: Sandbox, fresh_topic: FreshTopic, grown: bool) -> None:
    """Found by the leader epoch, even where the source has grown past our offset again."""
    topic = fresh_topic("cut")
    name = f"flow-{topic}"
    await create(rough, topic)
    await send(rough, topic, "0", "1", "2", "lost 3", "lost 4")
    async with running(rough, [topic], name=name) as engine:
        await engine.mirrored(topic, 5)
    await cut_log(rough, "east", topic, 2)
    after = ["new 3", "new 4", "new 5", "new 6"] if grown else ["new 3"]
    await send(rough, topic, *after)
    async with running(rough, [topic], name=name) as engine:
        why = await stops(engine, topic)
        assert "the source lost offsets 3 to 4" in why or "the source lost offsets 4 to 4" in why
        assert await values(rough, topic) == ["0", "1", "2", "lost 3", "lost 4"]
        if grown:
            assert "target offsets 3 to 4" in why
            await engine.api.flows.retry(name, accept=True)
            await engine.mirrored(topic, 7)
            assert await values(rough, topic) == ["0", "1", "2", "lost 3", "lost 4", *after]
            assert list(engine.offset_map(topic, 0).runs()) == [(0, 0, 3), (3, 5, 4)]
