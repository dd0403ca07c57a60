"""A process is signalled only when it is certainly the one that was meant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engine.sandbox.ports import is_free
from engine.sandbox.processes import (
    ProcessIdentity,
    arguments,
    find_by_token,
    spawn,
    start_time,
    this_process,
    token_argument,
)

Start = Callable[[], ProcessIdentity]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start real processes that bear a token, as the brokers do."""
    started: list[ProcessIdentity] = []

    def one() -> ProcessIdentity:
        token = uuid.uuid4().hex
        process = spawn(
            [sys.executable, "-c", "import time; time.sleep(60)", token_argument(token)],
            token=token,
            environment=os.environ,
            output=tmp_path / "output.log",
            folder=tmp_path,
        )
        started.append(process)
        return process

    yield one
    for process in started:
        process.send(signal.SIGKILL)


async def test_the_right_process_is_killed(start: Start) -> None:
    process = start()
    assert process.is_alive()
    assert process.send(signal.SIGKILL)
    assert await process.ended(10)
    assert not psutil.pid_exists(process.pid), "it was reaped"
    assert not process.send(signal.SIGKILL)


@pytest.mark.parametrize(
    "mistake",
    [lambda it: replace(it, started="1"), lambda it: replace(it, token=uuid.uuid4().hex)],
    ids=["start time", "token"],
)
def test_a_process_that_only_has_the_pid_is_left_alone(
    mistake: Callable[[ProcessIdentity], ProcessIdentity],
) -> None:
    token = uuid.uuid4().hex
    # Not started by spawn(): what a process read from a state file is to a later ccr.
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", token_argument(token)]
    )
    try:
        identity = ProcessIdentity(stranger.pid, start_time(stranger.pid) or "", token)
        deadline = time.monotonic() + 20
        while not any(arguments(stranger.pid)):  # the kernel is about to give it its own
            assert time.monotonic() < deadline
        assert identity.is_alive()
        other = mistake(identity)
        assert not other.is_alive()
        assert not other.send(signal.SIGKILL)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_another_process_on_the_pid_of_a_child_is_told_apart(start: Start) -> None:
    child = start()
    earlier = replace(child, token=uuid.uuid4().hex)
    assert not earlier.is_alive()
    assert not earlier.send(signal.SIGKILL)
    assert child.is_alive()


def test_a_zombie_is_not_alive() -> None:
    token = uuid.uuid4().hex
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", token_argument(token)]
    )
    identity = ProcessIdentity(child.pid, start_time(child.pid) or "", token)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert not identity.is_alive()
    child.wait()


def test_a_process_whose_pid_was_never_noted_is_found_by_its_token(start: Start) -> None:
    process = start()
    start()
    assert find_by_token(process.token) == process
    assert find_by_token(uuid.uuid4().hex) is None


async def test_freezing_and_thawing_are_done_when_they_return(start: Start) -> None:
    process = start()
    assert await process.freeze()
    assert psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
    assert process.is_frozen()
    assert process.is_alive()
    assert await process.thaw()
    assert psutil.Process(process.pid).status() != psutil.STATUS_STOPPED
    process.send(signal.SIGKILL)
    assert await process.ended(10)
    assert not await process.freeze()


def test_this_process_is_alive() -> None:
    assert this_process().pid == os.getpid()
    assert this_process().is_alive()


HOLDING_A_PORT = """
import socket, threading, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", 0))
server.listen()
memory = bytearray(200_000_000)
for _ in range(50):
    threading.Thread(target=time.sleep, args=(60,)).start()
print(server.getsockname()[1], flush=True)
"""


def test_a_dying_process_counts_until_its_port_is_free() -> None:
    token = uuid.uuid4().hex
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDING_A_PORT, token_argument(token)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    port = int(child.stdout.readline())
    identity = ProcessIdentity(child.pid, start_time(child.pid) or "", token)
    identity.send(signal.SIGKILL)
    while identity.is_alive():
        pass
    assert is_free(port)
    child.communicate()
