"""Clusters restart or freeze: the flow goes on and says what it waits for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.api.snapshots import FlowState
from tests.faults.conftest import Linked
from tests.faults.rig import CLICKS, ORDERS, rig

pytestmark = [pytest.mark.kafka]


async def test_both_clusters_restart_under_load(linked: Linked, tmp_path: Path) -> None:
    """Both single-broker clusters are killed and started again while records flow."""
    sandbox = linked.sandbox
    async with rig(sandbox, tmp_path) as flow:
        await flow.load(2, shapes=(CLICKS, ORDERS))
        engine = flow.engine()
        engine.start()
        await engine.works()
        for cluster in ("west", "east"):
            await sandbox.kill_broker(cluster, 1)
            waiting = await engine.reaches(FlowState.WAITING, reason=cluster)
            assert waiting.reason is not None
            assert waiting.reason.next_step
            await sandbox.start_broker(cluster, 1)
            await engine.reaches(FlowState.RUNNING)
        await flow.intact(engine)


@pytest.mark.parametrize(
    "longer",
    [
        0,
        pytest.param(60, marks=pytest.mark.soak),
    ],
)
async def test_brokers_frozen_for_a_time(linked: Linked, tmp_path: Path, longer: int) -> None:
    """SIGSTOP and SIGCONT, first the target's broker, then the source's.

    It says so within seconds, long before the `request_timeout` (30 s) ends the connection.
    """
    sandbox = linked.sandbox
    async with rig(sandbox, tmp_path) as flow:
        await flow.load(1.5)
        engine = flow.engine()
        engine.start()
        await engine.works()
        for cluster in ("west", "east"):
            await sandbox.pause_broker(cluster, 1)
            waiting = await engine.reaches(FlowState.WAITING, 20, reason="has answered nothing")
            assert waiting.reason is not None
            assert cluster in waiting.reason.text
            if longer:
                await asyncio.sleep(longer)  # the fault itself
                waiting = await engine.reaches(FlowState.WAITING, 5)
                assert waiting.reason is not None
                assert cluster in waiting.reason.text
            await sandbox.continue_broker(cluster, 1)
            await engine.works()
        await flow.intact(engine)
