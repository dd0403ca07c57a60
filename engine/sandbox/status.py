"""What runs in a sandbox: as the operating system tells it, and as the brokers answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from engine.sandbox.broker import bootstrap_servers, kafka_version
from engine.sandbox.credentials import credential_files
from engine.sandbox.health import probe
from engine.sandbox.jars import KAFKA_VERSION
from engine.sandbox.security import Listener
from engine.sandbox.state import ClusterState, NodeState, SandboxState, StateFile

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
class ClusterStatus:
    """One cluster."""

    name: str
    bootstrap: str
    brokers: tuple[BrokerStatus, ...]
    folder: Path
    kafka_version: str = KAFKA_VERSION
    listeners: Mapping[str, str] = field(default_factory=dict)
    """Bootstrap servers of the listeners besides PLAINTEXT, by name."""

    @property
    def state(self) -> ClusterRunState:
        """The brokers' state where they agree, else `partly running`."""
        states = {broker.state for broker in self.brokers}
        return states.pop() if len(states) == 1 else "partly running"

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that are alive."""
        return tuple(broker.pid for broker in self.brokers if broker.pid is not None)


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
    """Ask every broker that runs whether it is ready."""

    async def probed(cluster: ClusterStatus) -> ClusterStatus:
        brokers = await asyncio.gather(*(_probed(broker) for broker in cluster.brokers))
        return replace(cluster, brokers=tuple(brokers))

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


def _cluster_status(name: str, cluster: ClusterState, folder: Path) -> ClusterStatus:
    brokers = tuple(_broker_status(node) for node in cluster.nodes)
    listeners = {
        name: bootstrap_servers(cluster, Listener(name)) for name in cluster.nodes[0].listener_ports
    }
    return ClusterStatus(
        name, bootstrap_servers(cluster), brokers, folder, kafka_version(cluster), listeners
    )


def _broker_status(node: NodeState) -> BrokerStatus:
    process = node.find_process()
    if process is None:
        return BrokerStatus(node.id, node.port, None, "stopped")
    state: BrokerRunState = "frozen" if process.is_frozen() else "running"
    return BrokerStatus(node.id, node.port, process.pid, state)
