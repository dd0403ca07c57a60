"""Named Kafka clusters on this machine: start them, stop them, and break them for real."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import SandboxError
from engine.sandbox import watchdog
from engine.sandbox.broker import (
    BrokerHome,
    ClusterSpec,
    bootstrap_servers,
    broker_properties,
    new_cluster_id,
)
from engine.sandbox.health import wait_until_ready
from engine.sandbox.jars import default_cache
from engine.sandbox.java import JavaKit
from engine.sandbox.ports import free_ports, is_free
from engine.sandbox.processes import ProcessIdentity, this_process
from engine.sandbox.progress import Progress, ProgressCallback, silent
from engine.sandbox.state import ClusterState, NodeState, SandboxState, StateFile
from engine.sandbox.status import SandboxStatus, sandbox_status

DEFAULT_CLUSTERS: Mapping[str, ClusterSpec] = {"east": ClusterSpec(), "west": ClusterSpec()}
READY_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 30.0


def sandbox_home() -> Path:
    """Return the folder that holds the sandboxes nobody named a folder for."""
    return default_cache() / "sandbox"


@dataclass(frozen=True, slots=True)
class _Node:
    """One broker with all that acting on it takes."""

    cluster: str
    state: NodeState
    home: BrokerHome

    def __str__(self) -> str:
        return f"broker {self.state.id} of {self.cluster}"


class Sandbox:
    """Kafka clusters in one folder.

    An ephemeral sandbox ends with this process, however it ends, and its data with it. Any other
    runs on until `down`, and keeps its ports and data from one `up` to the next.
    `clusters` defaults to those the folder has, or else to `east` and `west` with one broker each.
    An instance belongs to no event loop: its calls may come from one after another.
    All methods raise `SandboxError`.
    """

    def __init__(
        self,
        root: Path | None = None,
        clusters: Mapping[str, ClusterSpec] | None = None,
        *,
        ephemeral: bool = False,
        name: str = "default",
        java: JavaKit | None = None,
    ) -> None:
        if root is None:
            unique = f"ephemeral-{uuid.uuid4().hex[:12]}" if ephemeral else name
            root = sandbox_home() / unique
        self.root = root.absolute()
        self.ephemeral = ephemeral
        self._asked = None if clusters is None else dict(clusters)
        self._file = StateFile(self.root)
        self._state = self._file.load() or SandboxState()
        self._java = java
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def java(self) -> JavaKit:
        """The Java runtime and jars in use (known after `up`)."""
        if self._java is None:
            raise SandboxError("use", "Java", "the sandbox is not up yet", "Call up() first.")
        return self._java

    @property
    def clusters(self) -> tuple[str, ...]:
        """The names of the clusters."""
        return tuple(self._state.clusters)

    def bootstrap(self, cluster: str) -> str:
        """Return the cluster's bootstrap servers, `127.0.0.1:PORT[,…]`."""
        return bootstrap_servers(self._cluster(cluster))

    def status(self) -> SandboxStatus:
        """Return what runs, as the operating system tells it."""
        return sandbox_status(self._file, self._state)

    def log_file(self, cluster: str, broker: int = 1) -> Path:
        """Return the file that the broker logs to."""
        return self._node(cluster, broker).home.log_file

    async def up(self, progress: ProgressCallback = silent) -> None:
        """Start every cluster that does not run yet, and wait until all are ready."""
        self._java = self._java or await JavaKit.resolve(progress)
        async with self._file.locked():
            self._state = self._file.load() or SandboxState()
            self._claim()
            self._plan()
            nodes = list(self._nodes())
            stopped = [node for node in nodes if node.state.find_process() is None]
            self._check_ports(stopped)
            self._file.save(self._state)
            self._watch()
            for name in self._state.clusters:
                if not any(node.cluster == name for node in stopped):
                    progress(Progress(f"{name} runs already on {self.bootstrap(name)}"))
            try:
                await self._start(stopped, progress)
                await self._ready(nodes)
            except BaseException:
                for node in stopped:
                    self._signal(node, signal.SIGKILL)
                raise
        for name in self._state.clusters:
            progress(Progress(f"{name} is ready on {self.bootstrap(name)}"))

    async def down(self, *, remove_data: bool = False) -> None:
        """Stop every broker; delete the data too when asked or when the sandbox is ephemeral."""
        remove = remove_data or self.ephemeral
        async with self._file.locked():
            self._state = self._file.load() or SandboxState()
            nodes = list(self._nodes())
            await asyncio.gather(*(self._stop(node, kill=remove) for node in nodes))
            self._state.owner = None
            if remove:
                self._file.remove_all(self._state)
            else:
                self._file.save(self._state)
        if self._watchdog is not None:
            await asyncio.to_thread(watchdog.dismiss, self._watchdog)
            self._watchdog = None

    async def start_broker(self, cluster: str, broker: int, *, wait: bool = True) -> None:
        """Start a broker that was stopped or killed, with its old ports and data."""
        node = self._node(cluster, broker)
        if node.state.find_process() is not None:
            raise SandboxError("start", str(node), "it runs already")
        self._check_ports([node])
        await self._start([node], silent)
        if wait:
            await self._ready([node], alone=True)

    async def stop_broker(self, cluster: str, broker: int) -> None:
        """Stop a broker as an operator would (SIGTERM), and wait for its end."""
        await self._stop(self._node(cluster, broker))

    async def kill_broker(self, cluster: str, broker: int) -> None:
        """Kill a broker (SIGKILL), and wait for its end."""
        await self._stop(self._node(cluster, broker), kill=True)

    async def pause_broker(self, cluster: str, broker: int) -> None:
        """Freeze a broker (SIGSTOP): its connections stay open and nothing answers."""
        self._signal_running(self._node(cluster, broker), signal.SIGSTOP)

    async def continue_broker(self, cluster: str, broker: int) -> None:
        """Let a frozen broker go on (SIGCONT)."""
        self._signal_running(self._node(cluster, broker), signal.SIGCONT)

    async def restart_cluster(self, cluster: str, *, kill: bool = False) -> None:
        """Stop (or kill) all of a cluster's brokers at once, then start them again."""
        nodes = [node for node in self._nodes() if node.cluster == cluster]
        self._cluster(cluster)
        await asyncio.gather(*(self._stop(node, kill=kill) for node in nodes))
        self._check_ports(nodes)
        await self._start(nodes, silent)
        await self._ready(nodes)

    def _cluster(self, name: str) -> ClusterState:
        try:
            return self._state.clusters[name]
        except KeyError:
            known = ", ".join(self._state.clusters) or "none, it was never up"
            raise SandboxError("find", f"cluster {name}", f"this sandbox has {known}") from None

    def _nodes(self) -> Iterator[_Node]:
        for name, cluster in self._state.clusters.items():
            for state in cluster.nodes:
                yield _Node(name, state, BrokerHome(self._file.node_folder(name, state.id)))

    def _node(self, cluster: str, broker: int) -> _Node:
        count = len(self._cluster(cluster).nodes)
        for node in self._nodes():
            if (node.cluster, node.state.id) == (cluster, broker):
                return node
        raise SandboxError("find", f"broker {broker} of {cluster}", f"it has brokers 1 to {count}")

    def _claim(self) -> None:
        """Make sure that nobody else owns the folder; own it ourselves when ephemeral."""
        owner, us = self._state.owner, this_process()
        if owner is not None and owner != us:
            if owner.is_alive():
                raise SandboxError(
                    "use", str(self.root), f"it belongs to the running process {owner.pid}",
                    "Name another folder with --dir.",
                )  # fmt: skip
            raise SandboxError(
                "use", str(self.root), f"process {owner.pid} left it behind when it was killed",
                f"Clean up with: ccr sandbox down --dir {self.root}",
            )  # fmt: skip
        if self.ephemeral:
            self._state.owner = us

    def _plan(self) -> None:
        """Give every cluster asked for its place in the state."""
        asked = self._asked
        if asked is None:
            asked = {} if self._state.clusters else dict(DEFAULT_CLUSTERS)
        for name, spec in asked.items():
            known = self._state.clusters.get(name)
            if known is None:
                self._state.clusters[name] = self._new_cluster(spec)
            elif len(known.nodes) != spec.brokers:
                raise SandboxError(
                    "start", name, f"it has {len(known.nodes)} brokers in {self.root}, "
                    f"not {spec.brokers}",
                    f"Delete it first: ccr sandbox down --remove-data --dir {self.root}",
                )  # fmt: skip
            else:
                known.spec = spec.to_state()

    def _new_cluster(self, spec: ClusterSpec) -> ClusterState:
        taken = {port for n in self._state.nodes() for port in (n.port, n.controller_port)}
        ports = free_ports(2 * spec.brokers, taken)
        nodes = [
            NodeState(id=number + 1, port=ports[2 * number], controller_port=ports[2 * number + 1])
            for number in range(spec.brokers)
        ]
        return ClusterState(new_cluster_id(), spec.to_state(), nodes)

    def _check_ports(self, nodes: list[_Node]) -> None:
        for node in nodes:
            for port in (node.state.port, node.state.controller_port):
                if not is_free(port):
                    raise SandboxError(
                        "start", str(node), f"port {port} is taken by another program",
                        "Stop that program, or use another sandbox folder (--dir).",
                    )  # fmt: skip

    def _watch(self) -> None:
        if self.ephemeral and self._watchdog is None:
            self._watchdog = watchdog.start(self.root)

    async def _start(self, nodes: list[_Node], progress: ProgressCallback) -> None:
        for node in nodes:
            cluster = self._state.clusters[node.cluster]
            node.home.write_properties(broker_properties(cluster, node.state, node.home.data))
        new = [node for node in nodes if not node.home.is_formatted]
        if new:
            progress(Progress("Preparing data folders"))
            await asyncio.gather(*(self._format(node) for node in new))
        for node in nodes:
            progress(Progress(f"Starting {node}"))
            self._spawn(node)

    async def _format(self, node: _Node) -> None:
        await node.home.format(self.java, self._state.clusters[node.cluster].cluster_id)

    def _spawn(self, node: _Node) -> None:
        # The token is written down first: should we end before the pid is, the broker can
        # still be found by it.
        node.state.token, node.state.process = uuid.uuid4().hex, None
        self._file.save(self._state)
        spec = ClusterSpec.from_state(self._state.clusters[node.cluster].spec)
        node.state.process = node.home.start(self.java, spec, node.state.token)
        self._file.save(self._state)

    async def _ready(self, nodes: list[_Node], *, alone: bool = False) -> None:
        """Wait until the brokers are ready; unless `alone`, also for all of their peers."""

        async def ready(node: _Node) -> None:
            cluster = self._state.clusters[node.cluster]
            peers = [] if alone else [peer.id for peer in cluster.nodes]
            await wait_until_ready(
                node.state.port,
                node.state.id,
                peers,
                timeout_seconds=READY_TIMEOUT_SECONDS,
                check_alive=lambda: self._check_alive(node),
            )

        await asyncio.gather(*(ready(node) for node in nodes))

    def _check_alive(self, node: _Node) -> None:
        if node.state.find_process() is None:
            raise SandboxError(
                "start", str(node), f"its process ended: {node.home.last_words()}",
                f"See {node.home.log_file}",
            )  # fmt: skip

    async def _stop(self, node: _Node, *, kill: bool = False) -> None:
        process = node.state.find_process()
        if process is not None:
            await self._end(process, kill=kill)
        node.state.process = node.state.token = None
        self._file.save(self._state)

    async def _end(self, process: ProcessIdentity, *, kill: bool) -> None:
        if not kill:
            process.send(signal.SIGCONT)
            process.send(signal.SIGTERM)
            if await process.ended(STOP_TIMEOUT_SECONDS):
                return
        process.send(signal.SIGKILL)
        if not await process.ended(STOP_TIMEOUT_SECONDS):
            raise SandboxError("stop", f"process {process.pid}", "it does not end on SIGKILL")

    def _signal(self, node: _Node, signal_number: signal.Signals) -> bool:
        process = node.state.find_process()
        return process is not None and process.send(signal_number)

    def _signal_running(self, node: _Node, signal_number: signal.Signals) -> None:
        if not self._signal(node, signal_number):
            raise SandboxError("signal", str(node), "it does not run", "Start it first.")
