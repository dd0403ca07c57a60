"""The guide through a planned switch, in a real terminal, on a real service and real clusters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.api.snapshots import FlowState
from engine.sandbox import Sandbox
from tests.kafka.test_headless import Site, make_site, service
from tests.tui.test_tmux_engine import gone, shown, terminal_on
from tests.tui.tmux import Tmux

pytestmark = pytest.mark.kafka

ASKED = "d says that it is done"


@pytest.fixture
async def site(
    sandbox: Sandbox,
    fresh_topic: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    return await make_site(sandbox, fresh_topic("guided"), tmp_path, monkeypatch)


async def test_the_guide_from_the_plan_to_the_report(site: Site) -> None:
    """With the operator as the fence: the console is closed meanwhile, and opened again."""
    await site.produce()
    async with service(site):
        await site.mirrored()
        with terminal_on(site) as terminal:
            await shown(terminal, "engine attached")
            await begun(terminal, site)
            await shown(terminal, ASKED)
            terminal.send_keys("q")
            await shown(terminal, "exit code 0")
        with terminal_on(site, (120, 40)) as terminal:
            await shown(terminal, "PRODUCERS ON east ARE FENCED: promote is running")
            terminal.send_keys("F")
            screen = await answered_to_the_end(terminal)
            assert f"west is the primary for flow {site.flow} since" in screen
            await site.reached(lambda flow: flow.state is FlowState.PROMOTED, "promoted")
            terminal.send_keys("BTab")
            await shown(terminal, "[reports]")
            await shown(terminal, "HOW IT WENT")
            terminal.send_keys("Enter")
            report = await shown(terminal, f"# Planned promotion of {site.flow}: east to west")
            assert "options: fence manual" in report
            terminal.send_keys("G", "End")
            await shown(terminal, "The promotion stands.")
            terminal.send_keys("Escape")
            await gone(terminal, "Esc closes")
            terminal.send_keys("q")
            await shown(terminal, "exit code 0")


async def begun(terminal: Tmux, site: Site) -> None:
    """Choose the plan and its fence, read it, type the name."""
    terminal.send_keys("F")
    await shown(terminal, "No run of this flow is on record.")
    terminal.send_keys("Tab")
    await shown(terminal, "b begins it")
    for fence in ("max-message-bytes", "acl", "command", "manual"):
        terminal.send_keys("f")
        await shown(terminal, f"Fence: {fence} (f)")
    await shown(terminal, "Fence producers on east: by hand")
    await shown(terminal, "b begins it")
    terminal.send_keys("b")
    await shown(terminal, f"Type {site.flow} to confirm")
    terminal.type(site.flow)
    terminal.send_keys("Enter")
    await shown(terminal, "Enter once more: Begin")
    terminal.send_keys("Enter")


async def answered_to_the_end(terminal: Tmux) -> str:
    """Say that it is done whenever the run asks for something; return the last screen."""
    async with asyncio.timeout(120):
        while True:
            screen = await asyncio.to_thread(
                terminal.wait_until,
                lambda screen: ASKED in screen or "is the primary for flow" in screen,
                "the run neither asked for anything nor ended",
            )
            if ASKED not in screen:
                return screen
            terminal.send_keys("d")
            await shown(terminal, "Confirm: ")
            await asyncio.to_thread(
                terminal.wait_until, lambda screen: ASKED not in screen, "it still asks"
            )
