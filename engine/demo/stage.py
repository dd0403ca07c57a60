"""What both forms of the demo stand on: a folder, two clusters, a configuration, traffic."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import yaml

from engine.demo.background import start_traffic, stop_traffic
from engine.demo.children import Child
from engine.demo.shapes import SHAPES
from engine.demo.topics import create_topics
from engine.demo.traffic import TrafficReport
from engine.errors import RefusedError, SandboxError
from engine.sandbox import Sandbox
from engine.sandbox.jars import default_cache
from engine.sandbox.progress import ProgressCallback
from engine.service.lock import ServiceLock
from engine.service.paths import service_paths

SOURCE, TARGET = "east", "west"
FLOW = "east-to-west"
TOPICS = tuple(shape.topic for shape in SHAPES)
MOST_AT_ONCE = 9
CONFIG_FILE = "demo.yaml"


class Stage:
    """One demo's surroundings. Belongs to no event loop: calls may come from one after another.

    The clusters end with this process and their data with them; the folder keeps the configuration
    and the logs until the next demo uses it.
    """

    def __init__(self) -> None:
        """Take a folder; raises RefusedError when all are in use."""
        self.folder, self._lock = _take_folder()
        self.config = self.folder / CONFIG_FILE
        self.sandbox = Sandbox(ephemeral=True)
        self._traffic: Child | None = None

    async def up(self, progress: ProgressCallback) -> None:
        """Start the clusters, create the topics, write the configuration; raises SandboxError."""
        await self.sandbox.up(progress)
        await create_topics(
            self.sandbox.bootstrap(SOURCE), {shape.topic: shape.partitions for shape in SHAPES}
        )
        text = _config_text(self.sandbox.bootstrap)
        self.config.write_text(text, encoding="utf-8")

    async def start_traffic(self, *, rate: float, seed: int) -> None:
        """Begin to produce to the source; raises CcrError."""
        self._traffic = await start_traffic(
            self.sandbox.bootstrap(SOURCE), rate=rate, seed=seed, log=self.folder / "traffic.log"
        )

    async def stop_traffic(self) -> TrafficReport:
        """Stop producing and return the account; raises CcrError."""
        traffic, self._traffic = self._traffic, None
        if traffic is None:
            return TrafficReport()
        return await stop_traffic(traffic)

    async def down(self) -> None:
        """Stop all that still runs and delete the clusters; raises SandboxError."""
        try:
            await self.stop_traffic()
        finally:
            await self.sandbox.down()
            os.close(self._lock)


def _config_text(bootstrap: Callable[[str], str]) -> str:
    clusters = {
        name: {"bootstrap_servers": bootstrap(name).split(","), "environment": "development"}
        for name in (SOURCE, TARGET)
    }
    flow = {"source": SOURCE, "target": TARGET, "topics": {"include": [r"demo\..*"]}}
    config = {"version": 1, "clusters": clusters, "flows": {FLOW: flow}}
    return "# Written by `ccr demo`; the clusters end with it.\n" + yaml.safe_dump(
        config, sort_keys=False
    )


def _take_folder() -> tuple[Path, int]:
    """Return the first folder that no demo uses and no engine serves, and our lock on it.

    The names are few and stay, so that the files derived from them (log, control socket) do.
    """
    home = default_cache() / "demo"
    for number in range(1, MOST_AT_ONCE + 1):
        folder = home / str(number)
        try:
            lock = _lock(folder)
        except OSError as error:
            raise SandboxError(
                "using the folder", str(folder), error.strerror or str(error),
                "Make it writable, or set XDG_CACHE_HOME to another one",
            ) from error  # fmt: skip
        if lock is not None:
            return folder, lock
    raise RefusedError(
        "starting", "a demo", f"{MOST_AT_ONCE} of them run already", "Leave one of them"
    )


def _lock(folder: Path) -> int | None:
    """Lock a folder against other demos; None when it is in use."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The engine of a demo that was killed may still be ending.
        with ServiceLock(service_paths(folder / CONFIG_FILE)):
            return lock
    except (BlockingIOError, RefusedError):
        os.close(lock)
        return None
