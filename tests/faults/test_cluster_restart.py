"""Clusters restart, brokers die, leaders move: the flow goes on and says what it waits for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.api.snapshots import FlowState
from engine.sandbox import ClusterSpec, Sandbox
from tests.faults.rig import SHAPES, Shape, assert_identical, rig

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(420)]

LIGHT = (
    Shape("tiny", 30_000, 200, "none", 1, 0),
    Shape("lz4", 60_000, 1_000, "lz4", 16_384, 5),
)


async def test_both_clusters_restart_under_load(tmp_path: Path) -> None:
    """Both single-broker clusters are killed and started again while records flow."""
    async with (
        Sandbox(
            tmp_path / "sandbox", {"east": ClusterSpec(), "west": ClusterSpec()}, ephemeral=True
        ) as sandbox,
        rig(sandbox, tmp_path) as flow,
    ):
        await flow.load(seconds=25, shapes=LIGHT)
        engine = flow.engine()
        engine.start()
        await engine.reaches(FlowState.RUNNING)
        for cluster in ("west", "east"):
            await sandbox.kill_broker(cluster, 1)
            waiting = await engine.reaches(FlowState.WAITING, reason=cluster)
            assert waiting.reason is not None
            assert waiting.reason.next_step
            await sandbox.start_broker(cluster, 1)
            await engine.reaches(FlowState.RUNNING)
        await flow.load_ended()
        await flow.drained(engine)
        assert_identical(await flow.judge())


async def test_leaders_move_between_three_brokers(tmp_path: Path) -> None:
    """A broker of each three-broker cluster is killed and comes back; leaders are followed."""
    clusters = {"east": ClusterSpec(brokers=3), "west": ClusterSpec(brokers=3)}
    async with (
        Sandbox(tmp_path / "sandbox", clusters, ephemeral=True) as sandbox,
        rig(sandbox, tmp_path) as flow,
    ):
        await flow.load(seconds=40, shapes=LIGHT)
        engine = flow.engine()
        engine.start()
        await engine.reaches(FlowState.RUNNING)
        for broker in (1, 2):
            await asyncio.gather(
                sandbox.kill_broker("east", broker), sandbox.kill_broker("west", broker)
            )
            await engine.reaches(FlowState.RUNNING, 60)
            await asyncio.gather(
                sandbox.start_broker("east", broker), sandbox.start_broker("west", broker)
            )
        await flow.load_ended()
        await flow.drained(engine)
        assert_identical(await flow.judge())


def test_the_shapes_are_what_the_issue_asks_for() -> None:
    """At least 300 MB in three shapes."""
    assert sum(shape.records * shape.size for shape in SHAPES) >= 300_000_000
