"""Whose a sandbox folder is, and which clusters it is to have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from engine.errors import SandboxError
from engine.sandbox.broker import ClusterSpec, kafka_version, new_cluster_id
from engine.sandbox.jars import KAFKA_VERSION
from engine.sandbox.ports import free_ports
from engine.sandbox.processes import this_process
from engine.sandbox.state import (
    ClusterState,
    NodeState,
    SandboxState,
    StateFile,
    WorkerState,
    this_host,
)

DEFAULT_CLUSTERS: Mapping[str, ClusterSpec] = {"east": ClusterSpec(), "west": ClusterSpec()}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def require_usable(state: SandboxState, file: StateFile) -> None:
    """Raise `SandboxError` when the sandbox is another host's or another running process's."""
    if state.is_elsewhere:
        raise SandboxError(
            "use", f"the sandbox in {file.root}", f"it was started on the host {state.host}",
            f"Use another folder (--dir); if that host is gone for good, delete {file.root}.",
        )  # fmt: skip
    owner = state.owner
    if owner is not None and owner != this_process() and owner.is_alive():
        raise SandboxError(
            "use", f"the sandbox in {file.root}", f"it belongs to the running process {owner.pid}",
            "End that process, or use another folder (--dir).",
        )  # fmt: skip


def claim(state: SandboxState, file: StateFile, *, ephemeral: bool) -> None:
    """Make sure that the folder is free for us; own it when it is to end with us."""
    require_usable(state, file)
    us = this_process()
    if state.owner not in {None, us}:
        raise SandboxError(
            "use", f"the sandbox in {file.root}", "a ccr that was killed left it behind",
            f"Clean up with: ccr sandbox down --dir {file.root}",
        )  # fmt: skip
    if ephemeral and state.owner is None:
        if state.clusters:
            # It would be deleted with us, and somebody meant to keep it.
            raise SandboxError(
                "use", str(file.root), "it holds a sandbox that is to outlive this process",
                "Use another folder.",
            )  # fmt: skip
        state.owner = us
    state.host = this_host()


def plan_clusters(
    state: SandboxState, file: StateFile, asked: Mapping[str, ClusterSpec] | None
) -> None:
    """Give every cluster that was asked for its place in the state.

    A cluster that exists keeps its brokers; new settings take effect when a broker starts.
    """
    if asked is None:
        asked = {} if state.clusters else DEFAULT_CLUSTERS
    for name, spec in asked.items():
        known = state.clusters.get(name)
        if known is None:
            state.clusters[name] = _new_cluster(name, spec, state)
        elif len(known.nodes) != spec.brokers:
            raise SandboxError(
                "start", f"{name} with {spec.brokers} broker(s)",
                f"in {file.root} it has {len(known.nodes)}",
                f"Delete it first: ccr sandbox down --remove-data --dir {file.root}",
            )  # fmt: skip
        else:
            known.spec = _with_what_stays(known, spec, name, file).to_state()
        _plan_workers(state.clusters[name], spec.connect_workers, state, name, file)


def _plan_workers(
    cluster: ClusterState, wanted: int | None, state: SandboxState, name: str, file: StateFile
) -> None:
    """Add the Connect workers that are asked for beyond those that the cluster has."""
    there = len(cluster.workers)
    if wanted is None or wanted == there:
        return
    if wanted < there:
        raise SandboxError(
            "start", f"{name} with {wanted} Connect worker(s)", f"in {file.root} it has {there}",
            f"Delete it first: ccr sandbox down --remove-data --dir {file.root}",
        )  # fmt: skip
    ports = free_ports(wanted - there, _taken(state))
    cluster.workers += [
        WorkerState(there + number, port) for number, port in enumerate(ports, start=1)
    ]


def _taken(state: SandboxState) -> list[int]:
    return [port for member in state.members() for port in member.ports]


def _with_what_stays(
    known: ClusterState, spec: ClusterSpec, name: str, file: StateFile
) -> ClusterSpec:
    """Return the spec with the cluster's own version and security; its data are bound to both."""
    version = kafka_version(known)
    security = ClusterSpec.from_state(known.spec).security
    if spec.security not in (None, security):
        raise SandboxError(
            "start", f"{name} with other listeners or users",
            f"in {file.root} it was made with those that it has",
            f"Delete it first: ccr sandbox down --remove-data --dir {file.root}",
        )  # fmt: skip
    if spec.kafka_version not in {"", version}:
        raise SandboxError(
            "start", f"{name} with Kafka {spec.kafka_version}",
            f"in {file.root} it has Kafka {version}",
            f"Delete it first: ccr sandbox down --remove-data --dir {file.root}",
        )  # fmt: skip
    return replace(spec, kafka_version=version, security=security)


def _new_cluster(name: str, spec: ClusterSpec, state: SandboxState) -> ClusterState:
    if not _NAME.fullmatch(name):
        raise SandboxError(
            "name", f"a cluster {name!r}", "it is not 1 to 64 letters, digits, - and _",
            "Choose another name.",
        )  # fmt: skip
    listeners = spec.listeners
    each = 2 + len(listeners)
    ports = free_ports(each * spec.brokers, _taken(state))
    nodes = []
    for number in range(spec.brokers):
        port, controller_port, *others = ports[each * number : each * (number + 1)]
        named = {str(name): other for name, other in zip(listeners, others, strict=True)}
        nodes.append(NodeState(number + 1, port, controller_port, listener_ports=named))
    version = spec.kafka_version or KAFKA_VERSION
    return ClusterState(new_cluster_id(), replace(spec, kafka_version=version).to_state(), nodes)
