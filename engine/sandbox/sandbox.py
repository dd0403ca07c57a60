"""Named Kafka clusters on this machine: start them, stop them, and break them for real."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.errors import SandboxError
from engine.sandbox import watchdog
from engine.sandbox.broker import BrokerHome, ClusterSpec, bootstrap_servers, kafka_version
from engine.sandbox.certificates import CertificateAuthority
from engine.sandbox.jars import KAFKA_VERSION, default_cache
from engine.sandbox.java import JavaKit
from engine.sandbox.node import Node
from engine.sandbox.plan import claim, plan_clusters, require_usable
from engine.sandbox.progress import Progress, ProgressCallback, silent
from engine.sandbox.security import TLS_FILE, Listener
from engine.sandbox.state import ClusterState, SandboxState, StateFile
from engine.sandbox.status import SandboxStatus, probed_status, sandbox_status
from engine.sandbox.together import each, together
from engine.sandbox.worker import Worker
from engine.sandbox.workers import Workers


def sandbox_home() -> Path:
    """Return the folder of the sandboxes that nobody named a folder for."""
    return default_cache() / "sandbox"


class Sandbox:
    """Kafka clusters in one folder; `connect` has their Connect workers.

    An ephemeral sandbox ends with this process, however the process ends, and its data with it.
    Any other runs on until `down`, and keeps its ports and data from one `up` to the next.
    `clusters` defaults to those the folder has, else to `east` and `west` with one broker each.
    As a context manager it is up inside and down after.

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
            root = sandbox_home() / (f"ephemeral-{uuid.uuid4().hex[:12]}" if ephemeral else name)
        self.root = root.absolute()
        self.ephemeral = ephemeral
        self._asked = None if clusters is None else dict(clusters)
        self._file = StateFile(self.root)
        self._state = self._file.load() or SandboxState()
        self._kits = {} if java is None else {KAFKA_VERSION: java}
        self._watchdog: subprocess.Popen[bytes] | None = None
        self.connect = Workers(self._file, lambda: self._state, self._kit)

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.down()

    @property
    def java(self) -> JavaKit:
        """The Java runtime and Kafka's tools, known once `up` began (or call `JavaKit.resolve`)."""
        return self._kit(KAFKA_VERSION)

    @property
    def clusters(self) -> tuple[str, ...]:
        """The names of the clusters."""
        return tuple(self._state.clusters)

    @property
    def scratch(self) -> Path:
        """A folder for files that are to go when the sandbox's data goes."""
        self._file.scratch.mkdir(parents=True, exist_ok=True)
        return self._file.scratch

    @property
    def authority(self) -> CertificateAuthority:
        """The certificate authority of the clusters that have TLS."""
        return CertificateAuthority.open(self._file.security)

    def broker_certificate(self, cluster: str, broker: int = 1) -> Path:
        """Return the file with the key and certificate that a broker with TLS shows."""
        return self._node(cluster, broker).home.folder / TLS_FILE

    def bootstrap(self, cluster: str, listener: Listener = Listener.PLAINTEXT) -> str:
        """Return the cluster's bootstrap servers on a listener, `127.0.0.1:PORT[,…]`."""
        return bootstrap_servers(self._cluster(cluster), listener)

    def status(self) -> SandboxStatus:
        """Return which processes run, as the operating system tells it."""
        return sandbox_status(self._file, self._state)

    async def probed_status(self) -> SandboxStatus:
        """Return the status with brokers that run but do not answer told apart."""
        return await probed_status(self.status())

    def log_file(self, cluster: str, broker: int = 1) -> Path:
        """Return the file that the broker logs to."""
        return self._node(cluster, broker).home.log_file

    async def up(self, progress: ProgressCallback = silent) -> None:
        """Start every cluster that does not run yet, and wait until all are ready.

        When that fails, what it started is stopped again.
        """
        await self._resolve_kits(progress)
        async with self._file.locked():
            self._state = self._file.load() or SandboxState()
            claim(self._state, self._file, ephemeral=self.ephemeral)
            plan_clusters(self._state, self._file, self._asked)
            self._file.save(self._state)
            if self.ephemeral and self._watchdog is None:
                self._watchdog = watchdog.start(self.root)
            nodes = self._nodes()
            stopped = [node for node in nodes if not node.is_running]
            workers = self.connect.all()
            idle = [worker for worker in workers if not worker.is_running]
            self._report_running([*stopped, *idle], progress)
            try:
                await self._start(stopped, progress)
                await self._continue_frozen(progress)
                await self._ready(nodes)
                await self.connect.start_all(idle, progress)
                await together(worker.wait_until_ready() for worker in workers)
            except BaseException:
                await each(member.stop(kill=True) for member in (*idle, *stopped))
                raise
        for name in self._state.clusters:
            progress(Progress(f"{name} is ready on {self.bootstrap(name)}"))
            for url in self.connect.urls(name):
                progress(Progress(f"Kafka Connect of {name} is ready on {url}"))

    async def down(self, *, remove_data: bool = False) -> None:
        """Stop every broker; an ephemeral sandbox's data is deleted, another's when asked."""
        if self._file.load() is not None:
            async with self._file.locked():
                await self._down(remove_data=remove_data)
        if self._watchdog is not None:
            await asyncio.to_thread(watchdog.dismiss, self._watchdog)
            self._watchdog = None

    async def _down(self, *, remove_data: bool) -> None:
        self._state = self._file.load() or SandboxState()
        require_usable(self._state, self._file)
        remove = remove_data or self._state.owner is not None
        # Workers first: without brokers they do not end by themselves.
        await each(worker.stop(kill=remove) for worker in self.connect.all())
        await each(node.stop(kill=remove) for node in self._nodes())
        self._state.owner = self._state.host = None
        if remove:
            await asyncio.to_thread(self._file.remove_all, self._state)
            self._state = SandboxState()
        else:
            self._file.save(self._state)

    async def start_broker(self, cluster: str, broker: int, *, wait: bool = True) -> None:
        """Start a broker that was stopped or killed, with its old ports and data."""
        node = self._node(cluster, broker)
        if node.is_running:
            raise SandboxError("start", str(node), "it runs already")
        await self._start([node], silent)
        if wait:
            await node.wait_until_ready([])

    async def stop_broker(self, cluster: str, broker: int) -> None:
        """Stop a broker as an operator would (SIGTERM), and wait for its end."""
        await self._node(cluster, broker).stop()

    async def kill_broker(self, cluster: str, broker: int) -> None:
        """Kill a broker (SIGKILL), and wait for its end."""
        await self._node(cluster, broker).stop(kill=True)

    async def pause_broker(self, cluster: str, broker: int) -> None:
        """Freeze a broker (SIGSTOP): its connections stay open and nothing answers."""
        await self._node(cluster, broker).freeze()

    async def continue_broker(self, cluster: str, broker: int) -> None:
        """Let a frozen broker go on (SIGCONT)."""
        await self._node(cluster, broker).thaw()

    async def restart_cluster(self, cluster: str, *, kill: bool = False) -> None:
        """Stop (or kill) all of a cluster's brokers at once, then start them again."""
        self._cluster(cluster)
        nodes = [node for node in self._nodes() if node.cluster_name == cluster]
        await each(node.stop(kill=kill) for node in nodes)
        await self._start(nodes, silent)
        await self._ready(nodes)

    async def _resolve_kits(self, progress: ProgressCallback) -> None:
        known = self._file.load() or SandboxState()
        versions = {
            KAFKA_VERSION,
            *(spec.kafka_version or KAFKA_VERSION for spec in (self._asked or {}).values()),
            *(kafka_version(cluster) for cluster in known.clusters.values()),
        }
        for version in versions - set(self._kits):
            self._kits[version] = await JavaKit.resolve(progress, kafka_version=version)

    def _kit(self, version: str) -> JavaKit:
        if version not in self._kits:
            raise SandboxError("use", "Java", "the sandbox is not up yet", "Call up() first.")
        return self._kits[version]

    def _cluster(self, name: str) -> ClusterState:
        try:
            return self._state.clusters[name]
        except KeyError:
            known = ", ".join(self._state.clusters) or "none, it was never up"
            raise SandboxError("find", f"cluster {name}", f"this sandbox has {known}") from None

    def _nodes(self) -> list[Node]:
        return [
            Node(
                cluster_name=name,
                cluster=cluster,
                state=state,
                home=BrokerHome(self._file.node_folder(name, state.id)),
                authority_folder=self._file.security,
                save=lambda: self._file.save(self._state),
            )
            for name, cluster in self._state.clusters.items()
            for state in cluster.nodes
        ]

    def _node(self, cluster: str, broker: int) -> Node:
        count = len(self._cluster(cluster).nodes)
        for node in self._nodes():
            if (node.cluster_name, node.state.id) == (cluster, broker):
                return node
        raise SandboxError("find", f"broker {broker} of {cluster}", f"it has brokers 1 to {count}")

    def _report_running(self, stopped: Sequence[Node | Worker], progress: ProgressCallback) -> None:
        starting = {member.cluster_name for member in stopped}
        for name in self._state.clusters:
            if name not in starting:
                progress(Progress(f"{name} runs already"))

    async def _start(self, nodes: Sequence[Node], progress: ProgressCallback) -> None:
        await together(node.require_free_ports() for node in nodes)
        if nodes:
            progress(Progress(f"Starting {', '.join(str(node) for node in nodes)}"))
        kits = [self._kit(kafka_version(node.cluster)) for node in nodes]
        await together(node.prepare(kit) for node, kit in zip(nodes, kits, strict=True))
        for node, kit in zip(nodes, kits, strict=True):
            node.start(kit)

    async def _continue_frozen(self, progress: ProgressCallback) -> None:
        for member in (*self._nodes(), *self.connect.all()):
            process = member.state.find_process()
            if process is not None and process.is_frozen():
                progress(Progress(f"{member} was frozen; letting it go on"))
                await process.thaw()

    async def _ready(self, nodes: Sequence[Node]) -> None:
        await together(
            node.wait_until_ready([peer.id for peer in node.cluster.nodes]) for node in nodes
        )
