"""The sandbox's Connect workers: told apart, ended with their owner, found when left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from engine.errors import SandboxError
from engine.sandbox import Sandbox, SandboxStatus, clean_up, find_leftovers
from tests.kafka.engines import until

pytestmark = pytest.mark.kafka

OWNER = """
import asyncio, json, sys
from pathlib import Path
from engine.sandbox import ClusterSpec, Sandbox

async def own(root):
    sandbox = Sandbox(root, {"sole": ClusterSpec(connect_workers=1)}, ephemeral=True)
    await sandbox.up()
    pids = [*sandbox.status().clusters[0].pids, sandbox._watchdog.pid]
    print(json.dumps(pids), flush=True)
    await asyncio.Event().wait()

asyncio.run(own(Path(sys.argv[1])))
"""


async def test_what_is_told_of_workers(workers: Sandbox) -> None:
    async def told() -> list[tuple[str, str]]:
        (cluster,) = (await workers.probed_status()).clusters
        return [(cluster.state, each.state) for each in cluster.workers]

    assert await told() == [("running", "running")] * 2
    (cluster,) = workers.status().clusters
    assert [each.url for each in cluster.workers] == list(workers.connect.urls("east"))
    with pytest.raises(SandboxError, match="Connect worker 1 of east: it runs already"):
        await workers.connect.start("east", 1)
    with pytest.raises(SandboxError, match="Connect worker 3 of east: it has 2"):
        await workers.connect.stop("east", 3)
    await workers.connect.freeze("east", 1)
    try:
        assert await told() == [("partly running", "frozen"), ("partly running", "running")]
    finally:
        await workers.connect.thaw("east", 1)
    await workers.connect.stop("east", 2)
    try:
        assert await told() == [("partly running", "running"), ("partly running", "stopped")]
        log = workers.connect.log_file("east", 2).read_text()
        assert "Kafka Connect stopped" in log
    finally:
        await workers.connect.start("east", 2)
    assert await told() == [("running", "running")] * 2


@pytest.fixture
async def owner(tmp_path: Path) -> AsyncIterator[Callable[[], tuple[int, list[int], int]]]:
    """Start a process that owns a sandbox; answers its, its Java processes' and watchdog's pid."""
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[int, list[int], int]:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(tmp_path / "sandbox")],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        *java, watchdog = json.loads(process.stdout.readline())
        return process.pid, java, watchdog

    yield start
    for process in started:
        process.kill()
        process.communicate()


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_killed_owner_takes_its_worker_with_it(
    tmp_path: Path, owner: Callable[[], tuple[int, list[int], int]]
) -> None:
    pid, java, _ = await asyncio.to_thread(owner)
    assert len(java) == 2
    os.kill(pid, signal.SIGKILL)
    await until(lambda: all(map(is_gone, java)), "broker and worker end with their owner")
    await until(lambda: not (tmp_path / "sandbox").exists(), "the data is deleted")


@pytest.mark.soak
async def test_a_worker_that_even_the_watchdog_left_is_found(
    tmp_path: Path, owner: Callable[[], tuple[int, list[int], int]]
) -> None:
    """Also when its broker is gone: by the worker's own settings file."""
    root = tmp_path / "sandbox"
    pid, (broker, worker), watchdog = await asyncio.to_thread(owner)
    for each in (watchdog, pid, broker):
        os.kill(each, signal.SIGKILL)

    def found() -> list[SandboxStatus]:
        return [each for each in find_leftovers(tmp_path / "none") if each.root == root]

    await until(lambda: is_gone(broker) and bool(found()), "only the worker is left, and found")
    (leftover,) = found()
    assert leftover.clusters[0].pids == (worker,)
    await clean_up(leftover)
    assert is_gone(worker)
    assert not root.exists()
