"""What runs in a sandbox: as the operating system tells it, and as the brokers answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from engine.sandbox.broker import bootstrap_servers, kafka_version
from engine.sandbox.credentials import credential_files
from engine.sandbox.health import probe, probe_worker
from engine.sandbox.jars import KAFKA_VERSION
from engine.sandbox.security import Listener
from engine.sandbox.state import ClusterState, NodeState, SandboxState, StateFile, WorkerState
from engine.sandbox.worker import worker_url

BrokerRunState = Literal["running", "frozen", "not ready", "stopped"]
ClusterRunState = Literal[BrokerRunState, "partly running"]

_PROBE_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """One broker. `reason` says what a broker that is not ready lacks."""

    id: int
    port: int
    pid: int | None
    state: BrokerRunState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One Kafka Connect worker; `url` is its REST API."""

    id: int
    url: str
    pid: int | None
    state: BrokerRunState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """One cluster."""

    name: str
    bootstrap: str
    brokers: tuple[BrokerStatus, ...]
    folder: Path
    kafka_version: str = KAFKA_VERSION
    listeners: Mapping[str, str] = field(default_factory=dict)
    """Bootstrap servers of the listeners besides PLAINTEXT, by name."""
    workers: tuple[WorkerStatus, ...] = ()

    @property
    def state(self) -> ClusterRunState:
        """The brokers' and workers' state where they agree, else `partly running`."""
        states = {broker.state for broker in self.brokers}
        states |= {worker.state for worker in self.workers}
        return states.pop() if len(states) == 1 else "partly running"

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that are alive."""
        pids = [broker.pid for broker in self.brokers] + [worker.pid for worker in self.workers]
        return tuple(pid for pid in pids if pid is not None)


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """One sandbox folder.

    `owner_pid` is the process it ends with, None when it runs until told to stop.
    `left_behind`: that process is gone and has not cleaned up.
    """

    root: Path
    clusters: tuple[ClusterStatus, ...]
    owner_pid: int | None
    left_behind: bool
    files: Mapping[str, Path] = field(default_factory=dict)
    """What clients need to come in: ca, certificate, password."""


def sandbox_status(file: StateFile, state: SandboxState) -> SandboxStatus:
    """Return the status without asking the brokers."""
    clusters = tuple(
        _cluster_status(name, cluster, file.cluster_folder(name))
        for name, cluster in state.clusters.items()
    )
    owner = state.owner
    return SandboxStatus(
        root=file.root,
        clusters=clusters,
        owner_pid=None if owner is None else owner.pid,
        left_behind=owner is not None and not owner.is_alive() and not state.is_elsewhere,
        files=credential_files(file.root),
    )


async def probed_status(status: SandboxStatus) -> SandboxStatus:
    """Ask every broker and worker that runs whether it is ready."""

    async def probed(cluster: ClusterStatus) -> ClusterStatus:
        brokers = await asyncio.gather(*(_probed(broker) for broker in cluster.brokers))
        workers = await asyncio.gather(*(_probed_worker(each) for each in cluster.workers))
        return replace(cluster, brokers=tuple(brokers), workers=tuple(workers))

    clusters = await asyncio.gather(*(probed(cluster) for cluster in status.clusters))
    return replace(status, clusters=tuple(clusters))


async def _probed(broker: BrokerStatus) -> BrokerStatus:
    if broker.state != "running":
        return broker
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS):
            reason = await probe(broker.port, broker.id)
    except TimeoutError:
        reason = f"no answer within {_PROBE_TIMEOUT_SECONDS:.0f} s"
    return broker if reason is None else replace(broker, state="not ready", reason=reason)


async def _probed_worker(worker: WorkerStatus) -> WorkerStatus:
    if worker.state != "running":
        return worker
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS):
            reason = await probe_worker(worker.url)
    except TimeoutError:
        reason = f"no answer within {_PROBE_TIMEOUT_SECONDS:.0f} s"
    return worker if reason is None else replace(worker, state="not ready", reason=reason)


def _cluster_status(name: str, cluster: ClusterState, folder: Path) -> ClusterStatus:
    brokers = tuple(_broker_status(node) for node in cluster.nodes)
    listeners = {
        name: bootstrap_servers(cluster, Listener(name)) for name in cluster.nodes[0].listener_ports
    }
    return ClusterStatus(
        name, bootstrap_servers(cluster), brokers, folder, kafka_version(cluster), listeners,
        tuple(_worker_status(worker) for worker in cluster.workers),
    )  # fmt: skip


def _broker_status(node: NodeState) -> BrokerStatus:
    pid, state = _run_state(node)
    return BrokerStatus(node.id, node.port, pid, state)


def _worker_status(worker: WorkerState) -> WorkerStatus:
    pid, state = _run_state(worker)
    return WorkerStatus(worker.id, worker_url(worker), pid, state)


def _run_state(member: NodeState | WorkerState) -> tuple[int | None, BrokerRunState]:
    process = member.find_process()
    if process is None:
        return None, "stopped"
    return process.pid, "frozen" if process.is_frozen() else "running"
