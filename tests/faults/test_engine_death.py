"""The engine dies, freezes, or runs twice: nothing is lost, doubled, reordered or altered."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest

from engine.api.snapshots import FlowState
from engine.sandbox import Sandbox
from tests.faults.rig import Rig, rig, until

pytestmark = [pytest.mark.kafka]


async def test_kill_9_at_random_moments(sandbox: Sandbox, tmp_path: Path) -> None:
    """Killed 10 times under load in all three shapes."""
    await _killed(sandbox, tmp_path, 10)


@pytest.mark.soak
async def test_kill_9_a_hundred_times(sandbox: Sandbox, tmp_path: Path) -> None:
    """Killed 100 times under load of about 1 GB."""
    await _killed(sandbox, tmp_path, 100)


async def _killed(sandbox: Sandbox, folder: Path, times: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    async with rig(sandbox, folder) as flow:
        await flow.load(3)
        engine = flow.engine()
        for _ in range(times):
            engine.start()
            await engine.reaches(FlowState.RUNNING)
            await asyncio.sleep(moments.uniform(0.0, 1.5))
            engine.kill()
        engine.start()
        await engine.reaches(FlowState.RUNNING)
        await flow.intact(engine)
        assert await engine.terminate() == 0


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
        await flow.load()
        await _hand_over(flow, 4)
        await flow.intact(flow.engines[0 if await _owns(flow, 0) else 1])


async def test_frozen_engine_wakes_up_superseded(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGSTOP: another takes over by itself; the zombie, continued, writes nothing and says why."""
    async with rig(sandbox, tmp_path) as flow:
        await flow.load()
        frozen, second = flow.engine("frozen"), flow.engine("second")
        frozen.start()
        await frozen.works()
        frozen.signal(signal.SIGSTOP)
        second.start()
        await second.reaches(FlowState.RUNNING)
        frozen.signal(signal.SIGCONT)
        await frozen.reaches(FlowState.STANDBY, reason="took it over")
        await flow.intact(second)


@pytest.mark.parametrize(
    "pause",
    [
        4,
        pytest.param(60, marks=pytest.mark.soak),
    ],
)
async def test_engine_frozen_for_a_time(sandbox: Sandbox, tmp_path: Path, pause: int) -> None:
    """SIGSTOP and SIGCONT, nobody else there: it goes on by itself."""
    async with rig(sandbox, tmp_path) as flow:
        await flow.load()
        engine = flow.engine()
        engine.start()
        await engine.works()
        engine.signal(signal.SIGSTOP)
        await asyncio.sleep(pause)  # the fault itself
        engine.signal(signal.SIGCONT)
        await engine.works()
        await flow.intact(engine)
