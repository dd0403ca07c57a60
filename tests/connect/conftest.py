"""A Kafka cluster with two Connect workers of its own, that all tests of this folder share."""

from __future__ import annotations

import asyncio
import contextlib
import io
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccr_tui.cli.main import main
from engine.config.connect_section import ConnectConfig
from engine.connect.client import ConnectClient
from engine.connect.models import ConnectorStatus, Settings
from engine.connect.proving import reached, told
from engine.connect.settings import SecretKeys
from engine.connect.steering import Steering
from engine.sandbox import ClusterSpec, Sandbox

CCR = str(Path(sys.executable).with_name("ccr"))
WAIT_S = 60.0
NEW_TOPICS = {
    "topic.creation.default.replication.factor": "1",
    "topic.creation.default.partitions": "1",
}


@pytest.fixture(scope="session")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Cluster `east` with two workers."""
    clusters = {"east": ClusterSpec(connect_workers=2)}
    made = Sandbox(tmp_path_factory.mktemp("connect"), clusters, ephemeral=True)
    asyncio.run(made.up())
    try:
        yield made
    finally:
        asyncio.run(made.down())


@dataclass
class Site:
    """The workers, a folder, and what speaks with them."""

    sandbox: Sandbox
    folder: Path
    client: ConnectClient
    steering: Steering
    made: list[str]

    def name(self, kind: str) -> str:
        """Return the name of a connector that goes when the test has ended."""
        self.made.append(f"{kind}-{uuid.uuid4().hex[:8]}")
        return self.made[-1]

    def source(self, name: str, lines: int = 10) -> Settings:
        """Return the settings of a connector that reads a file of so many lines."""
        file = self.folder / f"{name}.txt"
        file.write_text("".join(f"line {number}\n" for number in range(lines)))
        return {
            "connector.class": "FileStreamSource",
            "file": str(file),
            "topic": f"topic-{name}",
            "tasks.max": "1",
            **NEW_TOPICS,
        }

    def sink(self, topic: str, file: Path, tasks: int = 1) -> Settings:
        """Return the settings of a connector that writes a file; its folder need not exist."""
        return {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "file": str(file),
            "topics": topic,
            "tasks.max": str(tasks),
            "consumer.override.auto.offset.reset": "earliest",
        }

    async def until(self, name: str, right: Callable[[ConnectorStatus], bool]) -> ConnectorStatus:
        """Wait for a status."""
        there, status = await reached(self.client, name, right, WAIT_S)
        assert status is not None, f"{name} has no status"
        assert there, told(status)
        return status

    def config(self, **more: str) -> Path:
        """Write a configuration with these workers as `east`."""
        urls = ", ".join(self.client.urls)
        extra = "".join(f", {key}: {value}" for key, value in more.items())
        path = self.folder / "ccr.yaml"
        bootstrap = self.sandbox.bootstrap("east")
        path.write_text(
            f"version: 1\nclusters: {{east: {{bootstrap_servers: ['{bootstrap}']}}}}\n"
            f"connect: {{east: {{urls: [{urls}]{extra}}}}}\n"
        )
        return path

    async def ccr(self, *words: str, stdin: str = "") -> tuple[int, str, str]:
        """Do as `ccr connect …` does; return its exit code and what it said."""
        return await asyncio.to_thread(self._main, words, stdin)

    def _main(self, words: tuple[str, ...], stdin: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        keyboard, sys.stdin = sys.stdin, io.StringIO(stdin)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(["connect", *words, "--config", str(self.folder / "ccr.yaml")])
        finally:
            sys.stdin = keyboard
        return code, out.getvalue(), err.getvalue()

    async def process(self, *words: str) -> tuple[int, str, str]:
        """Run `ccr connect …` as a process of its own."""
        ended = await asyncio.create_subprocess_exec(
            CCR, "connect", *words, "--config", str(self.folder / "ccr.yaml"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(WAIT_S):
            out, err = await ended.communicate()
        return ended.returncode or 0, out.decode(), err.decode()


@pytest.fixture
async def site(
    workers: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    """The two workers, with what a test has made on them taken away afterwards."""
    monkeypatch.setenv("CCR_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    section = ConnectConfig(urls=list(workers.connect.urls("east")))
    client = ConnectClient("east", section)
    made = Site(workers, tmp_path, client, Steering(client, SecretKeys(client)), [])
    made.config()
    try:
        yield made
        for name in set(made.made) & set(await client.names()):
            await client.delete(name)
    finally:
        await client.close()
