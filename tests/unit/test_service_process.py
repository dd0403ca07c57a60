"""The service and the console's engine as processes; their clusters are away, which is a state."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from engine.api.snapshots import EngineMode, FlowSnapshot, FlowState
from engine.errors import ConfigError, ConnectError, RefusedError
from engine.service import attach
from engine.service.attach import attach_or_spawn
from engine.service.client import EngineGoneError, EngineHangsError, RemoteEngineApi
from engine.service.paths import service_paths

CCR = str(Path(sys.executable).with_name("ccr"))
CONFIG = """
version: 1
clusters:
  east: {bootstrap_servers: ["127.0.0.1:1"]}
  west: {bootstrap_servers: ["127.0.0.1:1"]}
flows:
  dr: {source: east, target: west}
"""
CONSOLE = """
import asyncio, sys
from engine.service.attach import attach_or_spawn
async def main():
    async with attach_or_spawn(sys.argv[1]) as attached:
        print((await attached.api.snapshot()).pid, flush=True)
        await asyncio.sleep(3600)
asyncio.run(main())
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCR_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "ccr.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def wrong_config(config: Path) -> Path:
    config.write_text(CONFIG.replace("bootstrap_servers", "bootstrap_server", 1))
    return config


@asynccontextmanager
async def running(config: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `ccr --no-ui` until it has said that it started."""
    process = await asyncio.create_subprocess_exec(
        *(CCR, "--no-ui", "--config", str(config)),
        *("--log-format", "json", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert json.loads(await process.stdout.readline())["event"] == "service.started"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def verb(*arguments: str) -> tuple[int, str, str]:
    """Run a verb; returns its exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *(CCR, *arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def ended(pid: int) -> None:
    """Wait until a process that is not our child has gone."""
    async with asyncio.timeout(30):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.05)


async def waiting_flow(api: RemoteEngineApi) -> FlowSnapshot:
    """Wait until the flow has found out that its clusters are away."""
    async with asyncio.timeout(30):
        while True:
            flow = (await api.snapshot()).flows[0]
            if flow.state is FlowState.WAITING:
                return flow
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_drains_and_ends_with_0(
    config: Path, number: signal.Signals
) -> None:
    async with running(config) as service:
        socket = service_paths(config).socket
        assert socket.exists()
        service.send_signal(number)
        told, _ = await service.communicate()
        events = {line["event"]: line for line in map(json.loads, told.splitlines())}
        assert service.returncode == 0
        assert events["service.draining"]["cause"] == number.name
        assert events["service.stopped"]["drained"] is True
        assert not socket.exists()


async def test_a_reader_that_does_not_read_holds_up_neither_engine_nor_end(config: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, b"x" * 4096):
            pass
    os.set_blocking(writing, True)
    service = await asyncio.create_subprocess_exec(
        *(CCR, "--no-ui", "--config", str(config), "--log-format", "json"), stdout=writing
    )
    api = RemoteEngineApi(service_paths(config).socket)
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(EngineGoneError):
                await waiting_flow(api)
                break
            await asyncio.sleep(0.05)
        service.terminate()
        assert await service.wait() == 0
    await api.close()
    assert "stopped after" in service_paths(config).log.read_text()
    os.close(reading)
    os.close(writing)


async def test_clusters_that_are_away_are_a_state_and_are_told(config: Path) -> None:
    async with running(config):
        api = RemoteEngineApi(service_paths(config).socket)
        flow = await waiting_flow(api)
        assert flow.reason is not None
        assert "127.0.0.1:1: connection refused" in flow.reason.text
        assert {event.subject for event in await api.events()} >= {"east", "west"}
        with pytest.raises(RefusedError, match="steering flow dr: it is not running"):
            await api.flows.pause("dr")
        page = await api.log(limit=5)
        assert (page.path, page.newer) == (str(service_paths(config).log), False)
        newest = await api.log(before=page.end, limit=1000)
        assert newest.records[-5:] == page.records
        assert f"runs {config}" in newest.records[0].text
        first = (await api.events())[0]
        assert not (await api.older_events(first.id)).events
        assert (await api.older_events(first.id + 1)).events == (first,)
        await api.close()
        kept = service_paths(config).log.read_text()
        assert "connection refused. Is the broker running" in kept


async def test_a_second_service_is_refused_and_the_first_goes_on(config: Path) -> None:
    async with running(config) as first:
        second = await asyncio.create_subprocess_exec(
            *(CCR, "--no-ui", "--config", str(config)),
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await second.communicate()
        assert second.returncode == 1
        assert f"already runs this configuration on this host (pid {first.pid})" in told.decode()
        api = RemoteEngineApi(service_paths(config).socket)
        assert (await api.snapshot()).pid == first.pid
        await api.close()


async def test_a_killed_service_leaves_nothing_in_the_way(config: Path) -> None:
    async with running(config) as first:
        first.kill()
        await first.wait()
        assert service_paths(config).socket.exists()
    async with running(config) as second:
        api = RemoteEngineApi(service_paths(config).socket)
        assert (await api.snapshot()).pid == second.pid
        await api.close()


async def test_the_console_attaches_to_a_service_and_leaves_it_running(config: Path) -> None:
    async with running(config) as service:
        async with attach_or_spawn(config) as attached:
            assert attached.mode == "attached"
            snapshot = await attached.api.snapshot()
            assert (snapshot.pid, snapshot.mode) == (service.pid, EngineMode.SERVICE)
            assert attached.log_path == service_paths(config).log
        assert service.returncode is None


async def test_without_a_service_the_console_runs_a_child_that_ends_with_it(config: Path) -> None:
    async with attach_or_spawn(config) as attached:
        assert attached.mode == "embedded"
        snapshot = await attached.api.snapshot()
        assert snapshot.mode is EngineMode.EMBEDDED
        assert snapshot.pid != os.getpid()
        assert os.getsid(snapshot.pid) == snapshot.pid  # ctrl+c and hang-up don't reach it
        assert not snapshot.read_only
    await ended(snapshot.pid)
    assert attached.log_path is not None
    assert "the console has gone: draining" in attached.log_path.read_text()


async def test_a_read_only_console_has_a_read_only_engine(config: Path) -> None:
    async with attach_or_spawn(config, read_only=True) as own:
        api = RemoteEngineApi(own.socket)
        assert (await api.snapshot()).read_only
        with pytest.raises(RefusedError, match="this engine is read-only"):
            await api.flows.pause("dr")
        await api.close()


async def test_two_consoles_at_once_share_one_engine(config: Path) -> None:
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        both = await asyncio.gather(
            *(stack.enter_async_context(attach_or_spawn(config)) for stack in (first, second))
        )
        assert sorted(attached.mode for attached in both) == ["attached", "embedded"]
        pids = {(await attached.api.snapshot()).pid for attached in both}
        assert len(pids) == 1


async def test_a_console_that_is_killed_takes_its_engine_with_it(config: Path) -> None:
    console = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CONSOLE, str(config)), stdout=asyncio.subprocess.PIPE
    )
    assert console.stdout is not None
    async with asyncio.timeout(30):
        engine_pid = int(await console.stdout.readline())
    console.kill()
    await console.wait()
    await ended(engine_pid)
    log = service_paths(config).embedded_log.read_text()
    assert "the console has gone: draining" in log
    assert "INFO    stopped after" in log


async def test_a_wrong_configuration_is_told_by_the_child(wrong_config: Path) -> None:
    with pytest.raises(ConfigError, match="bootstrap_server"):
        async with attach_or_spawn(wrong_config):
            pass


async def test_a_child_that_dies_without_a_word_is_told_with_its_last_one(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'Segmentation fault (so to speak)' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(attach.sys, "executable", str(broken))
    with pytest.raises(ConnectError, match=r"exit code 3: Segmentation fault \(so to speak\)"):
        async with attach_or_spawn(config):
            pass


async def test_a_folder_named_engine_where_the_user_stands_is_not_ours(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("raise SystemExit('the wrong engine')")
    monkeypatch.chdir(tmp_path)
    async with attach_or_spawn(config) as attached:
        assert (await attached.api.snapshot()).mode is EngineMode.EMBEDDED


async def test_a_service_that_hangs_is_not_replaced(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.service.wire.READ_TIMEOUT_S", 0.3)
    async with running(config) as service:
        service.send_signal(signal.SIGSTOP)
        with pytest.raises(EngineHangsError, match="did not answer in time"):
            async with attach_or_spawn(config):
                pass


@pytest.mark.parametrize("with_service", [False, True])
async def test_status_of_clusters_that_are_away_tells_what_is_known(
    config: Path, *, with_service: bool
) -> None:
    async with AsyncExitStack() as stack:
        if with_service:
            await stack.enter_async_context(running(config))
        code, told, _ = await verb("status", "--config", str(config), "--json")
        status = json.loads(told)
        assert (code, status["mode"]) == (3, "service" if with_service else "one-shot")
        assert [cluster["reachable"] for cluster in status["clusters"]] == [False, False]
        assert "connection refused" in status["clusters"][0]["reason"]["text"]
        code, told, complaint = await verb("lag", "no-such-flow", "--config", str(config))
        assert (code, told) == (1, "")
        assert "the configuration has no such flow (dr)" in complaint
