"""`ccr demo` as people start it: real clusters, a real engine, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from engine.sandbox.jars import default_cache

pytestmark = pytest.mark.kafka

CCR = str(Path(sys.executable).with_name("ccr"))
REQUIRED = {
    *("produced", "replicated", "lost", "duplicated", "reordered", "mismatched"),
    *("records_per_second", "engine_cpu_seconds", "engine_peak_rss_bytes"),
}


@pytest.fixture
def environment(tmp_path: Path, sandbox: object) -> dict[str, str]:
    """A cache, state and runtime folder of our own, but for Kafka's jars (fetched by `sandbox`)."""
    cache = tmp_path / "cache" / "ccr"
    cache.mkdir(parents=True)
    (cache / "jars").symlink_to(default_cache() / "jars")
    return {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "CCR_RUNTIME_DIR": str(tmp_path / "run"),
        "TERM": "xterm-256color",
    }


async def start(environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(CCR, "demo", *arguments),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def told(demo: asyncio.subprocess.Process, text: str) -> None:
    """Wait until the demo has said something on stderr."""
    assert demo.stderr is not None
    said = b""
    async with asyncio.timeout(90):
        while text not in said.decode():
            line = await demo.stderr.readline()
            assert line, f"it ended without saying {text!r}:\n{said.decode()}"
            said += line


async def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.05)


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all that it started: brokers, watchdog, engine, traffic."""
    parent = psutil.Process(pid)
    found = [parent, *parent.children(recursive=True)]
    commands = [" ".join(process.cmdline()) for process in found]
    for part in ("kafka.Kafka", "sandbox.watchdog", "demo.background"):
        assert any(part in command for command in commands), f"{part} is not in {commands}"
    return found


def nothing_left(processes: list[psutil.Process]) -> bool:
    def gone(process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return process.status() == psutil.STATUS_ZOMBIE
        return True

    return all(gone(process) for process in processes)


def sandboxes(environment: dict[str, str]) -> list[str]:
    return [path.name for path in Path(environment["XDG_CACHE_HOME"], "ccr", "sandbox").iterdir()]


async def test_the_headless_form_gives_its_verdict_as_json(environment: dict[str, str]) -> None:
    demo = await start(environment, "--no-ui", "--seconds", "5", "--json")
    out, err = await demo.communicate()
    assert demo.returncode == 0, err.decode()
    result = json.loads(out)
    assert result.keys() >= REQUIRED
    assert result["produced"] == result["replicated"] == sum(result["produced_by_topic"].values())
    faults = [result[name] for name in ("lost", "duplicated", "reordered", "mismatched")]
    assert faults == [0, 0, 0, 0]
    assert result["produced"] > 1_000
    assert min(result["produced_by_topic"].values()) > 100
    assert 0 < result["engine_cpu_seconds"] < 60
    assert 20 * 2**20 < result["engine_peak_rss_bytes"] < 150 * 2**20
    assert result["records_per_second"] > 100
    assert result["ok"] is True
    assert sandboxes(environment) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 130, marks=pytest.mark.soak),  # as SIGINT, by the same way
        (signal.SIGINT, 130),
        (signal.SIGKILL, -9),
    ],
)
async def test_nothing_is_left_behind_however_it_is_ended(
    environment: dict[str, str], number: signal.Signals, code: int
) -> None:
    """Without a terminal the headless form runs by itself."""
    demo = await start(environment)
    await told(demo, "records mirrored")
    started = family(demo.pid)
    demo.send_signal(number)
    out, _ = await demo.communicate()
    assert demo.returncode == code
    assert out == b""
    await until(lambda: nothing_left(started), "all processes have ended")
    await until(lambda: sandboxes(environment) == [], "the clusters' data is gone")


async def test_an_engine_that_dies_fails_the_demo(environment: dict[str, str]) -> None:
    demo = await start(environment, "--no-ui", "--json")
    await told(demo, "records mirrored")
    started = family(demo.pid)
    engine = next(
        process
        for process in started
        if "ccr_tui.cli.main" in " ".join(process.cmdline())
        and "engine.demo.tether" not in process.cmdline()
    )
    engine.kill()
    out, err = await demo.communicate()
    assert demo.returncode == 3
    assert out == b""
    assert "running the demo's engine: it ended, or no longer answers. See " in err.decode()
    assert nothing_left(started)
    assert sandboxes(environment) == []


class Terminal:
    """A terminal of 100x30 with `ccr demo` in it."""

    def __init__(self) -> None:
        self.output = b""
        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._ours, (30, 100))
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    async def run(self, environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
        theirs = self._theirs
        return await asyncio.create_subprocess_exec(
            *(CCR, "demo", *arguments),
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )

    def _read(self) -> None:
        self.output += os.read(self._ours, 65536)

    async def shown(self, text: str) -> None:
        await until(lambda: text.encode() in self.output, f"{text!r} on the screen", 90)

    def press(self, keys: bytes) -> None:
        self.output = b""
        os.write(self._ours, keys)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        os.close(self._theirs)


async def test_in_a_terminal_the_console_opens_on_live_traffic(
    environment: dict[str, str],
) -> None:
    terminal = Terminal()
    demo = await terminal.run(environment, "--rate", "500")
    try:
        await terminal.shown("ccr lag --config")  # one of the hints
        await terminal.shown("running")
        started = family(demo.pid)
        terminal.press(b"q")
        await terminal.shown("Quit and stop")
        terminal.press(b"\x1b[C\r")  # to the right of Cancel
        async with asyncio.timeout(90):
            assert await demo.wait() == 0
        assert b"Stopping the traffic and both clusters" in terminal.output
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()
        terminal.close()
    assert nothing_left(started)
    assert sandboxes(environment) == []
