"""What runs in a sandbox, as the operating system tells it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.sandbox.broker import bootstrap_servers
from engine.sandbox.jars import KAFKA_VERSION
from engine.sandbox.processes import ProcessIdentity
from engine.sandbox.state import ClusterState, SandboxState, StateFile

ClusterRunState = Literal["running", "partly running", "stopped"]


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """One cluster. `pids` holds one entry a broker, None where it does not run."""

    name: str
    state: ClusterRunState
    bootstrap: str
    pids: tuple[int | None, ...]
    folder: Path
    kafka_version: str


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """One sandbox folder. `left_behind`: its owner is gone without having cleaned up."""

    root: Path
    clusters: tuple[ClusterStatus, ...]
    owner: ProcessIdentity | None
    left_behind: bool


def sandbox_status(file: StateFile, state: SandboxState) -> SandboxStatus:
    """Return the status of one sandbox."""
    clusters = tuple(
        _cluster_status(name, cluster, file.cluster_folder(name))
        for name, cluster in state.clusters.items()
    )
    left_behind = state.owner is not None and not state.owner.is_alive()
    return SandboxStatus(file.root, clusters, state.owner, left_behind)


def _cluster_status(name: str, cluster: ClusterState, folder: Path) -> ClusterStatus:
    processes = [node.find_process() for node in cluster.nodes]
    alive = [process for process in processes if process is not None]
    state: ClusterRunState = "partly running" if alive else "stopped"
    if len(alive) == len(processes):
        state = "running"
    pids = tuple(process.pid if process else None for process in processes)
    return ClusterStatus(name, state, bootstrap_servers(cluster), pids, folder, KAFKA_VERSION)
