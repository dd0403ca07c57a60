"""The engine dies, freezes, or runs twice: nothing is lost, doubled, reordered or altered."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest

from engine.api.snapshots import FlowState
from engine.sandbox import Sandbox
from tests.faults.rig import SHAPES, Rig, assert_identical, rig, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(420)]

KILLS = 20
RECORDS = sum(shape.records for shape in SHAPES)


async def test_kill_9_at_random_moments(sandbox: Sandbox, tmp_path: Path) -> None:
    """Killed 20 times under load over 320 MB in all three shapes."""
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    async with rig(sandbox, tmp_path) as flow:
        await flow.load(seconds=50)
        engine = flow.engine()
        for _ in range(KILLS):
            engine.start()
            await engine.reaches(FlowState.RUNNING)
            await asyncio.sleep(moments.uniform(0.0, 1.5))
            engine.kill()
        engine.start()
        await flow.load_ended()
        await flow.drained(engine)
        assert await engine.terminate() == 0
        print(f"seed {seed}")
        assert_identical(await flow.judge(), RECORDS)


async def _hand_over(flow: Rig, times: int) -> None:
    """Let two engines take the flow from each other under load."""
    engines = [flow.engine("first"), flow.engine("second")]
    for engine in engines:
        engine.start()
    await until(lambda: _settled(flow), "one owns the flow and the other stands by")
    for _ in range(times):
        owner = 0 if await _owns(flow, 0) else 1
        other = 1 - owner
        await engines[other].api.flows.take_over(flow.flow)
        await until(lambda other=other: _owns(flow, other), "it was taken over")
        stood_down = await engines[owner].reaches(FlowState.STANDBY, reason="took it over")
        await until(lambda: _settled(flow), "the other runs it")
        assert stood_down.reason is not None
        assert "engine" in stood_down.reason.text


async def _owns(flow: Rig, index: int) -> bool:
    snapshot = await flow.engines[index].flow_snapshot()
    return snapshot is not None and snapshot.owned_here


async def _settled(flow: Rig) -> bool:
    """Both may have claimed at once: the one whose claim was overtaken stands down."""
    seen = [await engine.flow_snapshot() for engine in flow.engines]
    states = {snapshot.state for snapshot in seen if snapshot is not None}
    return states == {FlowState.RUNNING, FlowState.STANDBY}


async def test_two_engines_with_one_config(sandbox: Sandbox, tmp_path: Path) -> None:
    """Both write at once around each take-over; the loser says who took the flow over."""
    async with rig(sandbox, tmp_path) as flow:
        await flow.load(seconds=20)
        await _hand_over(flow, 6)
        await flow.load_ended()
        owner = flow.engines[0 if await _owns(flow, 0) else 1]
        await flow.drained(owner)
        assert_identical(await flow.judge(), RECORDS)


async def test_frozen_engine_wakes_up_superseded(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGSTOP: another takes over by itself; the zombie, continued, writes nothing and says why."""
    async with rig(sandbox, tmp_path) as flow:
        await flow.load(seconds=25)
        frozen, second = flow.engine("frozen"), flow.engine("second")
        frozen.start()
        await frozen.reaches(FlowState.RUNNING)
        await until(lambda: _mirrors(flow), "records flow")
        frozen.signal(signal.SIGSTOP)
        second.start()
        await second.reaches(FlowState.RUNNING)
        frozen.signal(signal.SIGCONT)
        await frozen.reaches(FlowState.STANDBY, reason="took it over")
        await flow.load_ended()
        await flow.drained(second)
        assert_identical(await flow.judge(), RECORDS)


async def _mirrors(flow: Rig) -> bool:
    snapshot = await flow.engines[0].flow_snapshot()
    return snapshot is not None and snapshot.records_total > 0
