"""A test that takes too long tells what its asyncio tasks wait for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

STUCK = """
import asyncio, time
import pytest

async def answer_that_never_comes():
    await asyncio.Event().wait()

async def numbers():
    yield 1
    await answer_that_never_comes()

async def ask():
    async for _ in numbers():
        pass

@pytest.mark.timeout(0.3)
async def test_waiting():
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(), name="asking")

@pytest.mark.timeout(0.3)
async def test_busy_beside():
    async def busy():
        while True:
            time.sleep(0.05)
            await asyncio.sleep(0)
    beside = asyncio.create_task(busy())
    await answer_that_never_comes()

@pytest.fixture
def brokers():
    asyncio.run(answer_that_never_comes())

@pytest.mark.timeout(0.3)
def test_never_begun(brokers):
    pass
"""


def test_what_tests_waited_for(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((Path(__file__).parents[1] / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(STUCK)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", tmp_path, tmp_path),
            *("-p", "pytest_timeout", "-p", "pytest_asyncio.plugin", "-o", "asyncio_mode=auto"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "CCR_FAIL_ON_SKIP": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
        timeout=60,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    failures = _failures(done.stdout)
    assert failures.keys() == {"test_waiting", "test_busy_beside", "test_never_begun"}
    for failure in failures.values():
        assert "Timeout (>0.3s)" in failure
        assert "answer_that_never_comes: await asyncio.Event().wait()" in _tasks(failure)
    waiting = _tasks(failures["test_waiting"])
    assert "in test_waiting: async with asyncio.TaskGroup() as group:" in waiting
    assert "name='asking'" in waiting
    assert "in ask: async for _ in numbers():" in waiting
    busy = _tasks(failures["test_busy_beside"])
    assert "in test_busy_beside: await answer_that_never_comes()" in busy


def _failures(output: str) -> dict[str, str]:
    """Return what is said of each failed test."""
    said = output.partition("short test summary")[0]
    _, *parts = re.split(r"^_+ (?:ERROR at setup of )?(\w+) _+$", said, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _tasks(failure: str) -> str:
    return failure.partition("Captured asyncio tasks")[2]
