"""The source's own retention against a flow that is too slow: told before it happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.api.snapshots import PartitionSnapshot, PartitionState, SkipKind
from engine.replication import overtaking, retention_watch
from engine.sandbox import ClusterSpec, Sandbox
from tests.kafka.engines import Running, create, producer, running, until

pytestmark = pytest.mark.kafka

TOPIC = "short"
KEPT_S = 16
AHEAD_S = 4.0
RECORD = b"x" * 1000


@pytest.fixture
async def keen_sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A source that looks for what is too old every second, not every five minutes."""
    keen = ClusterSpec(
        properties={"log.retention.check.interval.ms": "1000", "log.initial.task.delay.ms": "500"}
    )
    sandbox = Sandbox(tmp_path, {"east": keen, "west": ClusterSpec()}, ephemeral=True)
    await sandbox.up()
    try:
        yield sandbox
    finally:
        await sandbox.down()


async def test_retention_is_foretold_before_it_takes_what_is_not_mirrored(
    keen_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow held at a tenth of what is written; the time foretold is about when it happens.

    What is foretold first rests on few seconds' rates; it is judged as it was AHEAD_S before.
    """
    monkeypatch.setattr(retention_watch, "LOOK_S", 0.5)
    monkeypatch.setattr(retention_watch, "LAGS_S", 2.0)
    monkeypatch.setattr(overtaking, "SEEN_FOR_S", 4.0)
    configs = {"retention_ms": str(KEPT_S * 1000), "segment_ms": "500"}
    await create(keen_sandbox, TOPIC, **configs)
    slow = {"limits": {"bytes_per_second": 1200}}
    async with running(keen_sandbox, [TOPIC], on_gap="stop", **slow) as engine:
        await until(lambda: engine.flow.board.page(0).partitions, "the partition is shown")
        writing = asyncio.create_task(write(keen_sandbox))
        try:
            await until(lambda: shown(engine).overtaken, "it is foretold", KEPT_S)
            foretold_at, row = time.time(), shown(engine)
            assert row.overtaken is not None
            assert row.overtaken.by == "retention.ms"
            assert row.state is PartitionState.RUNNING
            assert row.lag_records_per_second is not None
            assert row.lag_records_per_second > 5
            found = (await engine.api.snapshot()).flows[0].overtaken
            assert found is not None
            assert (found.topic, found.partition, found.partitions) == (TOPIC, 0, 1)
            foretold: list[tuple[float, float]] = []  # when, for when

            def met() -> bool:
                if now := shown(engine).overtaken:
                    foretold.append((time.time(), now.at))
                return stopped(engine)

            await until(met, "the gap is met", 3 * KEPT_S)
        finally:
            writing.cancel()
        stopped_at = time.time()
        assert stopped_at - foretold_at > AHEAD_S, "too late to do anything"
        *_, at = (at for when, at in foretold if when < stopped_at - AHEAD_S)
        # Segments of half a second, looked for every second; the slow flow meets the gap later.
        assert at - 3 < stopped_at < at + 10
        reason = shown(engine).reason
        assert reason is not None
        assert reason.skips is not None
        assert reason.skips.kind is SkipKind.GAP
        assert f"lost offsets {reason.skips.first} to {reason.skips.end - 1}, " in reason.text
        told = [event.text for event in engine.engine.events.since(0)]
        assert any("retention overtakes replication at " in text for text in told)
        await until(lambda: gone(engine) >= reason.skips.end - reason.skips.first, "what is gone")


async def write(sandbox: Sandbox) -> None:
    """Write a record every tenth of a second, a batch each."""
    async with producer(sandbox) as plain:
        while True:
            await plain.send_and_wait(TOPIC, RECORD, partition=0)
            await asyncio.sleep(0.1)


def shown(engine: Running) -> PartitionSnapshot:
    """Return the partition as it is shown."""
    (row,) = engine.flow.board.page(0).partitions
    return row


def stopped(engine: Running) -> bool:
    return shown(engine).state is PartitionState.STOPPED


def gone(engine: Running) -> int:
    found = shown(engine).overtaken
    return found.gone_records if found else 0
