"""The console in a real terminal, on real engines between real clusters."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.api.snapshots import FlowState
from engine.sandbox import Sandbox
from engine.service.client import RemoteEngineApi
from engine.service.paths import service_paths
from tests.kafka.test_headless import CCR, Site, make_site, service
from tests.tui.tmux import Tmux

pytestmark = pytest.mark.kafka


@pytest.fixture
async def site(
    sandbox: Sandbox,
    fresh_topic: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    return await make_site(sandbox, fresh_topic("seen"), tmp_path, monkeypatch)


def terminal_on(site: Site, size: tuple[int, int] = (80, 24)) -> Tmux:
    passed = ("CCR_RUNTIME_DIR", "XDG_STATE_HOME")
    environment = {name: os.environ[name] for name in passed}
    return Tmux([CCR, "--config", str(site.config)], size=size, environment=environment)


async def shown(terminal: Tmux, text: str) -> str:
    return await asyncio.to_thread(terminal.wait_for, text, 60.0)


async def gone(terminal: Tmux, text: str) -> str:
    return await asyncio.to_thread(terminal.wait_gone, text, 60.0)


async def engine_pid(site: Site) -> int:
    api = RemoteEngineApi(service_paths(site.config).socket)
    try:
        return (await api.snapshot()).pid
    finally:
        await api.close()


async def test_attached_to_a_service_that_is_killed_and_comes_back(site: Site) -> None:
    await site.produce()
    async with service(site) as running:
        await site.mirrored()
        with terminal_on(site) as terminal:
            await shown(terminal, "engine attached · up")
            terminal.send_keys("Enter")
            await shown(terminal, "1 of 1 topic")
            terminal.send_keys("Enter")
            await shown(terminal, "1 of 2 partitions")
            row = re.compile(rf"{site.topic}\s+(\d) = in step\s+0\s+0s")
            await asyncio.to_thread(
                terminal.wait_until,
                lambda screen: row.findall(screen) == ["0", "1"],
                "both partitions were not shown in step",
            )
            terminal.send_keys("p")
            await shown(terminal, "‖ paused")
            await site.reached(lambda flow: flow.state is FlowState.PAUSED, "paused")
            terminal.send_keys("p")
            await site.reached(lambda flow: flow.state is FlowState.RUNNING, "running again")
            running.send_signal(signal.SIGKILL)
            await running.wait()
            screen = await shown(terminal, "ENGINE LOST")
            assert "STALE data" in screen
            assert site.topic in screen
            async with service(site) as again:
                await gone(terminal, "ENGINE LOST")
                await shown(terminal, "= in step")
                terminal.send_keys("q")
                await shown(terminal, f"the service (pid {again.pid}) goes on replicating")
                await shown(terminal, "exit code 0")
                assert again.returncode is None


async def test_an_embedded_engine_that_dies_is_started_again_and_ends_with_the_console(
    site: Site,
) -> None:
    await site.produce()
    with terminal_on(site, (120, 40)) as terminal:
        await shown(terminal, "engine embedded · up")
        await site.mirrored()
        first = await engine_pid(site)
        os.kill(first, signal.SIGKILL)
        await shown(terminal, "ENGINE LOST")
        await gone(terminal, "ENGINE LOST")
        assert await engine_pid(site) != first
        await site.reached(lambda flow: flow.state is FlowState.RUNNING, "running again")
        await site.produce()
        await site.mirrored()
        terminal.send_keys("q")
        await shown(terminal, "Quit and stop replication?")
        terminal.send_keys("Right", "Enter")
        await shown(terminal, f"replication of {site.flow} stopped.")
        await shown(terminal, "exit code 0")
        assert not service_paths(site.config).socket.exists()


async def test_an_observer_takes_over_when_told_to(site: Site) -> None:
    second = site.another_config()
    async with service(site):
        await site.reached(lambda flow: flow.state is FlowState.RUNNING, "running")
        with terminal_on(second, (120, 40)) as terminal:
            await shown(terminal, f"OBSERVER: {site.flow} is run by")
            await shown(terminal, "· observer")
            terminal.send_keys("t")
            await shown(terminal, f"Take over {site.flow}?")
            terminal.send_keys("Enter")  # Cancel is in focus
            await gone(terminal, f"Take over {site.flow}?")
            assert (await site.status())[1]["state"] == "running"
            terminal.send_keys("t")
            await shown(terminal, f"Take over {site.flow}?")
            terminal.send_keys("Tab", "Enter")
            await gone(terminal, "OBSERVER")
            await second.reached(
                lambda flow: flow.state is FlowState.RUNNING and flow.owned_here, "taken over"
            )
            await site.reached(lambda flow: not flow.owned_here, "stood down")


async def test_without_a_terminal_it_says_what_to_use(site: Site) -> None:
    process = await asyncio.create_subprocess_exec(
        *(CCR, "--config", str(site.config)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 2
    assert out == b""
    assert b"standard input and standard error must be a terminal" in err
    assert b"ccr --no-ui" in err
