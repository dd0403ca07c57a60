"""The target's disk is full: the broker gives up its log folder, and the flow waits for it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.api.snapshots import FlowState
from engine.sandbox import ClusterSpec, Sandbox
from engine.sandbox.state import StateFile
from tests.faults.rig import CLICKS, ORDERS, rig, until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a tmpfs"),
]

DISK_MB = 96
FILLER = "filler"


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """Mount a small tmpfs on a folder."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "tmpfs", str(folder)]
    unmount = ["umount", "--lazy", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield
    finally:
        subprocess.run(unmount, check=True)


def _fill(folder: Path) -> None:
    """Take up all the room that is left."""
    with contextlib.suppress(OSError), (folder / FILLER).open("wb") as filler:
        while True:
            filler.write(b"\0" * 65536)
            filler.flush()


async def test_target_disk_full(tmp_path: Path) -> None:
    """The broker halts; with room again and the broker started, the flow goes on by itself."""
    root = tmp_path / "sandbox"
    clusters = {"east": ClusterSpec(), "west": ClusterSpec()}
    disk = StateFile(root).node_folder("west", 1) / "data"
    with _small_disk(disk):
        async with (
            Sandbox(root, clusters, ephemeral=True) as sandbox,
            rig(sandbox, tmp_path) as flow,
        ):
            await flow.load(1.5, shapes=(CLICKS, ORDERS))
            engine = flow.engine()
            engine.start()
            await engine.works()
            _fill(disk)

            async def halted() -> bool:
                (west,) = (c for c in sandbox.status().clusters if c.name == "west")
                log = sandbox.log_file("west").read_text()
                return "No space left on device" in log and west.state == "stopped"

            await until(halted, "the target's broker gives its disk up")
            waiting = await engine.reaches(FlowState.WAITING, reason="west")
            assert waiting.reason is not None
            assert waiting.reason.next_step
            (disk / FILLER).unlink()
            await sandbox.stop_broker("west", 1)
            await sandbox.start_broker("west", 1)
            await engine.reaches(FlowState.RUNNING)
            await flow.intact(engine)
            await sandbox.kill_broker("west", 1)
