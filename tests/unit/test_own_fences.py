"""Fences that are the operator's own: a command, run for real, and a person."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from engine.config.cluster_section import ClusterConfig
from engine.errors import CcrError, RefusedError
from engine.kafka.cluster import Cluster
from engine.runbook.fences import (
    RECORD,
    CommandChoice,
    Fence,
    ManualChoice,
    make_fence,
    recorded_fence,
    shell,
)
from engine.runbook.fences.shell import MOST_OUTPUT, run_command
from tests.kafka.engines import until

SOURCE = Cluster("primary", ClusterConfig(bootstrap_servers=["one:9092", "two:9092"]))
ENVIRONMENT = (
    "CCR_FENCE", "CCR_FLOW", "CCR_SOURCE", "CCR_SOURCE_SERVERS", "CCR_TOPIC_COUNT", "CCR_TOPICS",
)  # fmt: skip


async def nobody(text: str) -> None:
    raise AssertionError(f"asked: {text}")


def command_fence(
    raise_command: str, lift_command: str = "true", *topics: str, timeout_s: float = 20.0
) -> Fence:
    choice = CommandChoice(
        raise_command=raise_command, lift_command=lift_command, timeout_s=timeout_s
    )
    return make_fence(choice, SOURCE, "orders-dr", topics or ("b", "a"), nobody)


async def test_a_command_gets_what_it_needs(tmp_path: Path) -> None:
    """Variables and, one a line, the topics; what it prints is told, both outputs."""
    script = "".join(f'echo "${name}"; ' for name in (*ENVIRONMENT, "PATH"))
    lifting = f"echo $CCR_FENCE $CCR_TOPICS > {tmp_path}/lifted; echo x >&2"
    fence = command_fence(f"{script} cat", lifting)
    record = await fence.record()
    done = await fence.raise_up(record)
    assert done.output.splitlines() == [
        "raise", "orders-dr", "primary", "one:9092,two:9092", "2", "a,b", os.environ["PATH"],
        "a", "b",
    ]  # fmt: skip
    evidence = await fence.stands(record, ["a", "b", "c"])
    assert evidence.stands is None
    assert evidence.outside == ("c",)
    lifter = recorded_fence(RECORD.validate_json(RECORD.dump_json(record)), SOURCE, nobody)
    assert (await lifter.lift(record)).output == "x\n"
    assert (tmp_path / "lifted").read_text() == "lift a,b\n"


async def test_many_topics_are_on_standard_input_only() -> None:
    """Linux refuses to start a command with a variable of more than 128 KiB."""
    topics = [f"{'long' * 50}-{number}" for number in range(1000)]
    fence = command_fence("wc -l; echo ${CCR_TOPICS-none} $CCR_TOPIC_COUNT", "true", *topics)
    done = await fence.raise_up(await fence.record())
    assert done.output.split() == ["1000", "none", "1000"]


async def test_a_command_that_fails_says_why_and_is_lifted_all_the_same(tmp_path: Path) -> None:
    fence = command_fence("echo half done; echo no route >&2; exit 3", f"touch {tmp_path}/lifted")
    record = await fence.record()
    with pytest.raises(CcrError, match="it ended with status 3; its last line: no route") as failed:
        await fence.raise_up(record)
    assert failed.value.operation == (
        "running the command that is to raise the fence of flow orders-dr"
    )
    await fence.lift(record)
    assert (tmp_path / "lifted").exists()


async def test_a_command_that_ends_by_a_signal() -> None:
    fence = command_fence("kill -9 $$")
    with pytest.raises(CcrError, match="it was ended by SIGKILL; it printed nothing"):
        await fence.raise_up(await fence.record())


@pytest.mark.parametrize("shield", ["", "trap '' TERM; "])
async def test_a_command_that_hangs_is_killed_with_all_it_started(
    shield: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "GRACE_S", 0.2)
    pids = tmp_path / "pids"
    script = f"{shield}sleep 600 & echo $$ $! > {pids}; echo began; wait; sleep 600"
    fence = command_fence(script, timeout_s=0.3)
    with pytest.raises(CcrError, match=r"did not end within 0\.3 s and was killed.*: began"):
        await fence.raise_up(await fence.record())
    await until(lambda: not any(map(alive, written(pids))), "both have ended")


async def test_a_command_does_not_outlive_who_runs_it(tmp_path: Path) -> None:
    """Ctrl-c while it runs."""
    pids = tmp_path / "pids"
    fence = command_fence(f"sleep 600 & echo $$ $! > {pids}; wait")
    running = asyncio.create_task(fence.raise_up(await fence.record()))
    await until(lambda: len(written(pids)) == 2, "it runs")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: not any(map(alive, written(pids))), "both have ended")


def written(pids: Path) -> list[int]:
    return [int(pid) for pid in pids.read_text().split()] if pids.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_the_end_of_a_long_output_is_kept() -> None:
    output = await run_command("running", "seq 1 100000; echo last", {}, "", 20)
    assert output.startswith("… (cut)\n")
    assert output.endswith("99999\n100000\nlast\n")
    assert len(output) == len("… (cut)\n") + MOST_OUTPUT


async def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    """A watcher in the background is the operator's: it keeps the output open, and stays."""
    began = time.monotonic()
    output = await run_command("running", "sleep 30 & echo $!", {}, "", 20)
    assert time.monotonic() - began < 10
    assert alive(int(output))
    os.kill(int(output), 9)


async def test_a_person_is_asked_and_has_the_last_word() -> None:
    """It stands when he says so; refusing raises; a record of another cluster is refused."""
    asked: list[str] = []

    async def agree(text: str) -> None:
        asked.append(text)

    choice = ManualChoice(raise_by="Stop the shop", lift_by="Open it")
    fence = make_fence(choice, SOURCE, "orders-dr", ["a", "b", "c", "d", "e"], agree)
    record = await fence.record()
    await fence.raise_up(record)
    await recorded_fence(RECORD.validate_json(RECORD.dump_json(record)), SOURCE, agree).lift(record)
    assert asked == [
        "Keep producers from 5 topics: a, b, c and 2 more on cluster primary: Stop the shop",
        "Let producers write again to 5 topics: a, b, c and 2 more on cluster primary: Open it",
    ]
    assert (await fence.stands(record)).stands is None

    async def refuse(text: str) -> None:
        raise RefusedError("raising", "the fence", "the operator said no")

    with pytest.raises(RefusedError, match="the operator said no"):
        await recorded_fence(record, SOURCE, refuse).raise_up(record)
    other = Cluster("elsewhere", SOURCE.config)
    with pytest.raises(RefusedError, match="it is on cluster primary, not on elsewhere"):
        recorded_fence(record, other, agree)
