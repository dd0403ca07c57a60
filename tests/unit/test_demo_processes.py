"""Helper processes of the demo: measured by the operating system, and gone when we are."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from engine.demo.children import Child
from engine.errors import CcrError

TETHER = "engine.demo.tether"
FOREVER = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
BUSY = """
block = bytearray(200 * 2**20)
import time
while time.process_time() < 0.5: pass
"""


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def test_a_tether_tells_what_its_command_cost(tmp_path: Path) -> None:
    child = await Child.start("it", TETHER, [sys.executable, "-c", BUSY], tmp_path / "log")
    await until(lambda: child.has_ended)
    usage = await child.stop(20)
    assert usage["exit_code"] == 0
    assert 0.5 <= usage["cpu_seconds"] < 5
    assert 200 * 2**20 <= usage["peak_rss_bytes"] < 260 * 2**20


async def test_a_small_command_is_not_as_big_as_the_process_that_measures(tmp_path: Path) -> None:
    ballast = bytearray(150 * 2**20)
    child = await Child.start("it", TETHER, [sys.executable, "-c", "pass"], tmp_path / "log")
    usage = await child.stop(20)
    assert len(ballast) > usage["peak_rss_bytes"]


async def test_stopping_ends_the_command_with_sigterm(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = await Child.start("it", TETHER, FOREVER, log)
    await until(lambda: log.read_text() == "here\n")
    assert is_running(child.greeting["pid"])
    usage = await child.stop(20)
    assert usage["exit_code"] == -signal.SIGTERM
    assert not is_running(child.greeting["pid"])


async def test_a_command_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    owner = (
        "import asyncio, sys, pathlib\n"
        "from engine.demo.children import Child\n"
        "async def main():\n"
        f"    child = await Child.start('it', {TETHER!r}, {FOREVER!r}, pathlib.Path('log'))\n"
        "    print(child.greeting['pid'], flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", owner, stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    assert is_running(pid)
    process.kill()
    await process.wait()
    await until(lambda: not is_running(pid))


async def test_a_command_that_does_not_exist_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(CcrError, match=f"running it: it ended with exit code 1. See {log}"):
        await Child.start("it", TETHER, [str(tmp_path / "nothing")], log)
    assert "FileNotFoundError" in log.read_text()


async def test_traffic_that_cannot_begin_says_why(tmp_path: Path) -> None:
    arguments = ["127.0.0.1:1", "--rate", "1", "--seed", "1"]
    with pytest.raises(CcrError, match=r"the demo's traffic: .*127\.0\.0\.1:1"):
        await Child.start(
            "the demo's traffic", "engine.demo.background", arguments, tmp_path / "log"
        )


async def test_starting_may_be_cancelled_without_leaving_anything(tmp_path: Path) -> None:
    """The module says nothing and waits, as a helper that hangs would."""
    (tmp_path / "silent.py").write_text("import os, sys\nos.read(0, 1)\n")
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        starting = asyncio.create_task(Child.start("it", "silent", [], tmp_path / "log"))
        mine = psutil.Process()

        def helper() -> list[psutil.Process]:
            return [p for p in mine.children() if "silent" in p.cmdline()]

        await until(lambda: bool(helper()))
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert helper() == []
    finally:
        del os.environ["PYTHONPATH"]
