"""The real `ccr` in a real terminal on real clusters."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from engine.api.snapshots import FlowState
from engine.sandbox import Sandbox
from tests.faults.rig import ORDERS, rig
from tests.tui.tmux import Tmux

pytestmark = pytest.mark.kafka

CCR = str(Path(sys.executable).with_name("ccr"))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_demo_from_start_to_quit(size: tuple[int, int]) -> None:
    """What `make demo` shows: open, drill down, sort, filter, pause, resume, quit."""
    with Tmux([CCR, "demo", "--rate", "300"], size=size) as terminal:
        terminal.wait_for("● running", 120)
        terminal.send_keys("Enter")
        terminal.wait_for("demo.readings")
        terminal.wait_for("= in step")
        terminal.send_keys("s")
        terminal.wait_for("LAG▼")
        terminal.type("/clicks")
        terminal.send_keys("Enter")
        terminal.wait_gone("demo.readings")
        terminal.send_keys("p")
        terminal.wait_for("‖ paused")
        terminal.send_keys("p")
        terminal.wait_for("● running")
        terminal.send_keys("Escape", "Escape")
        terminal.wait_for("Events, newest first")
        terminal.send_keys("q")
        terminal.wait_for("Quit and stop replication?")
        terminal.send_keys("Right", "Enter")
        terminal.wait_for("exit code 0", 60)


async def test_the_console_attaches_to_a_service_and_leaves_it_running(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A service on this host runs the config: the console is a window on it, nothing more."""
    async with rig(sandbox, tmp_path) as flow:
        await flow.load(0.5, shapes=(ORDERS,))
        service = flow.engine()
        service.start()
        await service.reaches(FlowState.RUNNING)
        with Tmux([CCR, "--config", str(service.config)]) as terminal:
            await asyncio.to_thread(terminal.wait_for, "engine attached")
            await asyncio.to_thread(terminal.wait_for, "● running")
            terminal.send_keys("q")
            await asyncio.to_thread(terminal.wait_for, "exit code 0")
        await service.reaches(FlowState.RUNNING)


async def test_the_console_watches_a_flow_that_another_host_owns(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A live owner elsewhere: the console only watches; taking over is an act with a question."""
    async with rig(sandbox, tmp_path) as flow:
        await flow.load(0.5, shapes=(ORDERS,))
        owner = flow.engine("elsewhere")
        owner.start()
        await owner.reaches(FlowState.RUNNING)
        with Tmux([CCR, "--config", str(flow.config("here"))]) as terminal:
            await asyncio.to_thread(terminal.wait_for, "standby")
            snapshot = await owner.flow_snapshot()
            assert snapshot is not None
            assert snapshot.owned_here
            terminal.send_keys("t")
            await asyncio.to_thread(terminal.wait_for, "Cancel")
            terminal.send_keys("Right", "Enter")
            await asyncio.to_thread(terminal.wait_for, "● running")
            await owner.reaches(FlowState.STANDBY, reason="took it over")
