"""A real service is killed at random in a run; the next one leaves nothing half done."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from engine.api.runbook_snapshots import Run, RunKind, RunOptions, RunState
from engine.api.snapshots import FlowState
from engine.errors import ConnectError
from engine.kafka.topic_configs import topic_configs
from engine.sandbox import Sandbox
from tests.faults.rig import EngineProcess, Rig, assert_identical, rig, until
from tests.kafka.group_tools import cluster
from tests.kafka.switching import told

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

LONGEST_S = 5.0  # a whole run takes about that long


@pytest.mark.parametrize("seed", range(5))
async def test_killed_at_random(seed: int, sandbox: Sandbox, tmp_path: Path) -> None:
    """Undone, or done; the fence is down and both sides have the same records."""
    after = random.Random(seed).uniform(0, LONGEST_S)
    async with rig(sandbox, tmp_path) as flow:
        await flow.backlog(1)
        engine = flow.engine()
        engine.start()
        await engine.reaches(FlowState.RUNNING)
        await flow.drained(engine)
        plan = await engine.api.runbooks.plan(flow.flow, RunKind.PROMOTE, RunOptions())
        await engine.api.runbooks.start(flow.flow, RunKind.PROMOTE, RunOptions(), plan.digest)
        await asyncio.sleep(after)  # where in the run it dies is what the test is about
        engine.kill()
        engine.start()
        run = await ended(engine, flow)
        expected = RunState.DONE if run.crossed else RunState.UNDONE
        assert run.state is expected, f"killed after {after:.2f} s\n{told(run)}"
        state = FlowState.PROMOTED if run.crossed else FlowState.RUNNING
        await engine.reaches(state)
        async with cluster(sandbox, "east") as east:
            configs = await topic_configs(east, flow.topics, ["max.message.bytes"])
        assert not any("max.message.bytes" in each.own_values for each in configs.values())
        assert_identical(await flow.judge())


async def ended(engine: EngineProcess, flow: Rig) -> Run:
    """Wait until the run has ended in the new engine."""
    seen: list[Run] = []

    async def over() -> bool:
        try:
            seen[:] = (await engine.api.runbooks.runs(flow.flow)).runs[:1]
        except ConnectError:
            return False
        return bool(seen) and seen[0].state.ended

    try:
        await until(over, "the run has ended")
    except AssertionError:
        raise AssertionError(told(seen[0]) if seen else "no run") from None
    return seen[0]
