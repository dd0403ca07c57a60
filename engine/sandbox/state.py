"""What a sandbox folder says about itself: `state.json`, written before and after every change."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import SandboxError
from engine.sandbox.processes import ProcessIdentity, find_by_token

FORMAT = 1


@dataclass(slots=True)
class NodeState:
    """One broker: its ports for good, and its process while it has one.

    A token without a process means that we ended between starting it and writing its pid down.
    """

    id: int
    port: int
    controller_port: int
    token: str | None = None
    process: ProcessIdentity | None = None
    listener_ports: dict[str, int] = field(default_factory=dict)

    @property
    def ports(self) -> tuple[int, ...]:
        """Its ports for clients and its port for the other controllers."""
        return self.port, self.controller_port, *self.listener_ports.values()

    def client_port(self, listener: str) -> int:
        """Return the port of a listener; PLAINTEXT's is there always. Raises `SandboxError`."""
        if listener == "PLAINTEXT":
            return self.port
        if listener not in self.listener_ports:
            known = ", ".join(["PLAINTEXT", *self.listener_ports])
            raise SandboxError("find", f"the listener {listener}", f"the broker has {known}")
        return self.listener_ports[listener]

    def find_process(self) -> ProcessIdentity | None:
        """Return the broker's process if it runs."""
        return _running(self.process, self.token)


@dataclass(slots=True)
class WorkerState:
    """One Kafka Connect worker: the port of its REST API for good, and its process if it has one.

    A token means what it does in NodeState.
    """

    id: int
    port: int
    token: str | None = None
    process: ProcessIdentity | None = None

    @property
    def ports(self) -> tuple[int, ...]:
        """Its ports."""
        return (self.port,)

    def find_process(self) -> ProcessIdentity | None:
        """Return the worker's process if it runs."""
        return _running(self.process, self.token)


def _running(process: ProcessIdentity | None, token: str | None) -> ProcessIdentity | None:
    if process is not None:
        return process if process.is_alive() else None
    return find_by_token(token) if token else None


@dataclass(slots=True)
class ClusterState:
    """One cluster: its identity, settings, brokers and Connect workers."""

    cluster_id: str
    spec: dict[str, Any]
    nodes: list[NodeState]
    workers: list[WorkerState] = field(default_factory=list)


@dataclass(slots=True)
class SandboxState:
    """A whole sandbox.

    `owner` is the process that it ends with, None when it runs on its own. `host` is where it was
    started: in a folder that several hosts share, a pid means nothing to the others.
    """

    owner: ProcessIdentity | None = None
    host: str | None = None
    clusters: dict[str, ClusterState] = field(default_factory=dict)

    @property
    def is_elsewhere(self) -> bool:
        """Whether another host (or container) started it."""
        return self.host is not None and self.host != this_host()

    def nodes(self) -> list[NodeState]:
        """All brokers of all clusters."""
        return [node for cluster in self.clusters.values() for node in cluster.nodes]

    def members(self) -> list[NodeState | WorkerState]:
        """All that has a process: the Connect workers, then the brokers that they need."""
        workers = [worker for cluster in self.clusters.values() for worker in cluster.workers]
        return [*workers, *self.nodes()]


def this_host() -> str:
    """Return this host's name, which in a container is the container's."""
    return socket.gethostname()


class StateFile:
    """The state file of one sandbox folder, and the folder's layout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "state.json"
        self.clusters = root / "clusters"
        self.scratch = root / "scratch"
        self.security = root / "security"
        self._lock = root / "state.lock"

    def cluster_folder(self, cluster: str) -> Path:
        """Where a cluster keeps everything."""
        return self.clusters / cluster

    def node_folder(self, cluster: str, node: int) -> Path:
        """Where a broker keeps its settings, data and logs."""
        return self.cluster_folder(cluster) / f"broker-{node}"

    def worker_folder(self, cluster: str, worker: int) -> Path:
        """Where a Connect worker keeps its settings and logs."""
        return self.cluster_folder(cluster) / f"connect-{worker}"

    def load(self) -> SandboxState | None:
        """Read the state; None when the folder holds no sandbox."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable("read", error) from error
        try:
            return _parse(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SandboxError(
                "read", str(self.path), f"it is not a sandbox state of this ccr ({error!r})",
                f"Stop what runs from {self.root} and delete that folder.",
            ) from error  # fmt: skip

    def save(self, state: SandboxState) -> None:
        """Write the state so that a crash leaves the old or the new one, never half of it."""
        text = json.dumps({"format": FORMAT, **dataclasses.asdict(state)}, indent=1)
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            temporary.touch(mode=0o600)  # users' passwords are in it
            temporary.write_text(text + "\n", encoding="utf-8")
            temporary.replace(self.path)
        except OSError as error:
            raise self._unusable("write", error) from error

    def remove_all(self, state: SandboxState) -> None:
        """Delete what the sandbox made, and nothing else that may be in the folder."""
        for folder in (self.scratch, self.security, *map(self.cluster_folder, state.clusters)):
            shutil.rmtree(folder, ignore_errors=True)
        for path in (self.path, self._lock):
            path.unlink(missing_ok=True)
        for folder in (self.clusters, self.root):
            with contextlib.suppress(OSError):
                folder.rmdir()

    @contextlib.asynccontextmanager
    async def locked(self, timeout_seconds: float = 60.0) -> AsyncIterator[None]:
        """Hold the folder against other processes of ccr."""
        deadline = time.monotonic() + timeout_seconds
        while (descriptor := self._try_lock()) is None:
            if time.monotonic() > deadline:
                raise SandboxError(
                    "use", str(self.root), "another ccr is busy starting or stopping it",
                    "Wait for that one, then try again.", retriable=True,
                )  # fmt: skip
            await asyncio.sleep(0.1)
        try:
            yield
        finally:
            os.close(descriptor)

    def _try_lock(self) -> int | None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unusable("use", error) from error
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever removed the sandbox meanwhile also removed the file that we locked.
            if self._lock.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)
        return None

    def _unusable(self, operation: str, error: OSError) -> SandboxError:
        return SandboxError(
            operation, f"the sandbox folder {self.root}", error.strerror or str(error),
            "Name another folder with --dir, or free space there.",
        )  # fmt: skip


def _parse(data: dict[str, Any]) -> SandboxState:
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']}, not {FORMAT}")
    clusters = {
        name: ClusterState(
            entry["cluster_id"],
            entry["spec"],
            [_parse_node(node) for node in entry["nodes"]],
            [_parse_worker(worker) for worker in entry.get("workers", ())],
        )
        for name, entry in data["clusters"].items()
    }
    return SandboxState(_parse_process(data["owner"]), data["host"], clusters)


def _parse_node(data: dict[str, Any]) -> NodeState:
    return NodeState(
        data["id"],
        data["port"],
        data["controller_port"],
        data["token"],
        _parse_process(data["process"]),
        data.get("listener_ports", {}),
    )


def _parse_worker(data: dict[str, Any]) -> WorkerState:
    return WorkerState(data["id"], data["port"], data["token"], _parse_process(data["process"]))


def _parse_process(data: dict[str, Any] | None) -> ProcessIdentity | None:
    return None if data is None else ProcessIdentity(data["pid"], data["started"], data["token"])
