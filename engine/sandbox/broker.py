"""One broker of the sandbox: its settings, its folder, its process."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import SandboxError
from engine.sandbox.certificates import write_private
from engine.sandbox.jars import KAFKA_VERSION, kafka_versions
from engine.sandbox.java import DEFAULT_JVM_OPTIONS, JavaKit
from engine.sandbox.ports import HOST
from engine.sandbox.processes import TOKEN_PROPERTY, ProcessIdentity, spawn
from engine.sandbox.security import Listener, Security
from engine.sandbox.state import ClusterState, NodeState

MOST_CONTROLLERS = 3

_TELLING = re.compile(r"\b(ERROR|FATAL)\b|Exception\b|\berror: ")


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """What a cluster is to be like.

    Brokers are numbered from 1 and are controllers as well: all of the first three when there
    are three or more, else only the first (so keep broker 1 alive in a cluster of two).
    `properties` and `broker_properties` (by broker number) win over the sandbox's own settings.
    For throughput measurements pass `jvm_options=()` and a larger `heap`.
    """

    brokers: int = 1
    heap: str = "256m"
    jvm_options: tuple[str, ...] = DEFAULT_JVM_OPTIONS
    properties: Mapping[str, str] = field(default_factory=dict)
    broker_properties: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    log_level: str = "INFO"
    kafka_version: str = ""
    """Empty: the one that the cluster has, KAFKA_VERSION for a new one."""
    security: Security | None = None
    """What it asks of clients; None: nothing, and there is the PLAINTEXT listener only."""
    proxies: tuple[int, ...] = ()
    """Ports of TCP proxies of the caller's, one a broker: opens the listener PROXIED, whose clients
    are sent there. The proxies forward to the port that `Sandbox.bootstrap` tells of it."""
    connect_workers: int | None = None
    """Kafka Connect workers; None: as many as the cluster has, none for a new one."""
    connect_properties: Mapping[str, str] = field(default_factory=dict)
    """Settings of the workers that win over the sandbox's own."""

    def __post_init__(self) -> None:
        """Check what cannot be left to the broker."""
        if self.brokers < 1:
            raise SandboxError(
                "plan", "a cluster", f"{self.brokers} brokers asked for", "Ask for 1 or more."
            )
        if self.connect_workers is not None and self.connect_workers < 0:
            raise SandboxError(
                "plan", "a cluster", f"{self.connect_workers} Connect workers asked for",
                "Ask for 0 or more.",
            )  # fmt: skip
        if self.proxies and len(self.proxies) != self.brokers:
            raise SandboxError(
                "plan", "a cluster", f"{len(self.proxies)} proxies for {self.brokers} brokers",
                "Name one for each.",
            )  # fmt: skip
        if self.kafka_version and self.kafka_version not in kafka_versions():
            raise SandboxError(
                "plan", "a cluster", f"Kafka {self.kafka_version} is not one of the sandbox's",
                f"Ask for one of: {', '.join(kafka_versions())}.",
            )  # fmt: skip

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The listeners besides PLAINTEXT."""
        secure = self.security.listeners if self.security else ()
        return (*secure, Listener.PROXIED) if self.proxies else secure

    def to_state(self) -> dict[str, Any]:
        """Return the spec as JSON has it."""
        state = asdict(self)
        state["jvm_options"] = list(self.jvm_options)
        state["proxies"] = list(self.proxies)
        state["broker_properties"] = {str(n): dict(p) for n, p in self.broker_properties.items()}
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ClusterSpec:
        """Return the spec that `to_state` wrote."""
        fields = dict(state)
        fields["jvm_options"] = tuple(fields["jvm_options"])
        fields["proxies"] = tuple(fields.get("proxies", ()))
        fields["broker_properties"] = {int(n): p for n, p in fields["broker_properties"].items()}
        if fields.get("security"):
            fields["security"] = Security.from_state(fields["security"])
        return cls(**fields)


def new_cluster_id() -> str:
    """Return a random cluster id in Kafka's form (base64 of a UUID, no option by its looks)."""
    while (cluster_id := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()).startswith("-"):
        pass
    return cluster_id.rstrip("=")


def bootstrap_servers(cluster: ClusterState, listener: Listener = Listener.PLAINTEXT) -> str:
    """Return the cluster's client addresses on one of its listeners, comma separated."""
    return ",".join(f"{HOST}:{node.client_port(listener)}" for node in cluster.nodes)


def kafka_version(cluster: ClusterState) -> str:
    """Return the version that the cluster runs."""
    return ClusterSpec.from_state(cluster.spec).kafka_version or KAFKA_VERSION


def broker_properties(cluster: ClusterState, node: NodeState, data: Path) -> dict[str, str]:
    """Return the settings of one broker."""
    spec = ClusterSpec.from_state(cluster.spec)
    controllers = cluster.nodes[: MOST_CONTROLLERS if spec.brokers >= MOST_CONTROLLERS else 1]
    is_controller = node in controllers
    voters = ",".join(f"{voter.id}@{HOST}:{voter.controller_port}" for voter in controllers)
    for_clients = [Listener.PLAINTEXT, *spec.listeners]
    client_listeners = [f"{name}://{HOST}:{node.client_port(name)}" for name in for_clients]
    listeners = list(client_listeners)
    advertised = client_listeners
    if spec.proxies:
        proxy = f"{Listener.PROXIED}://{HOST}:{spec.proxies[cluster.nodes.index(node)]}"
        advertised = [*client_listeners[:-1], proxy]
    if is_controller:
        listeners.append(f"CONTROLLER://{HOST}:{node.controller_port}")
    replicas = str(min(3, spec.brokers))
    settings = {
        "node.id": str(node.id),
        "process.roles": "broker,controller" if is_controller else "broker",
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join(listeners),
        "advertised.listeners": ",".join(advertised),
        "listener.security.protocol.map": ",".join(
            [*(f"{name}:{name.protocol}" for name in for_clients), "CONTROLLER:PLAINTEXT"]
        ),
        "inter.broker.listener.name": Listener.PLAINTEXT,
        "log.dirs": str(data),
        # The internal topics: small, and as many copies as the cluster can hold.
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "5",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "5",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # A long test must not lose its records to retention, whatever timestamps it writes.
        "log.retention.ms": "-1",
        "log.retention.bytes": "-1",
        # A killed broker may come back once its old session has ended (9 s by default).
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "1000",
        # The default, 128 MB, is half of the heap.
        "log.cleaner.dedupe.buffer.size": "16777216",
        "num.network.threads": "2",
        "num.io.threads": "4",
        # Topics are created by whoever means to, never by a client's typing error.
        "auto.create.topics.enable": "false",
    }  # fmt: skip
    if spec.security is not None:
        settings |= spec.security.settings(node.listener_ports, data.parent)
    return {**settings, **spec.properties, **spec.broker_properties.get(node.id, {})}


@dataclass(frozen=True, slots=True)
class BrokerHome:
    """The folder of one broker: settings, data, logs."""

    folder: Path

    @property
    def data(self) -> Path:
        """Kafka's log folder."""
        return self.folder / "data"

    @property
    def log_file(self) -> Path:
        """What the broker logs."""
        return self.folder / "broker.log"

    @property
    def output_file(self) -> Path:
        """What the Java runtime itself says."""
        return self.folder / "output.log"

    @property
    def properties_file(self) -> Path:
        """The broker's settings."""
        return self.folder / "server.properties"

    @property
    def is_formatted(self) -> bool:
        """Whether the data folder was ever made ready."""
        return (self.data / "meta.properties").exists()

    def write_properties(self, settings: Mapping[str, str]) -> None:
        """Write the settings in Java's properties format."""
        write_properties(self.properties_file, settings)

    async def format(
        self, kit: JavaKit, cluster_id: str, token: str, security: Security | None
    ) -> None:
        """Make the data folder ready with Kafka's own tool."""
        users = security.format_arguments() if security else []
        result = await kit.run(
            "kafka.tools.StorageTool",
            ["format", "--cluster-id", cluster_id, "--config", str(self.properties_file), *users],
            system_properties={TOKEN_PROPERTY: token},
        )
        if result.returncode != 0:
            output = result.stdout + result.stderr
            reason = reason_in(output) or output.strip()[-300:]
            raise SandboxError("format", str(self.data), reason, f"See {self.properties_file}")

    def start(self, kit: JavaKit, spec: ClusterSpec, token: str) -> ProcessIdentity:
        """Start the broker; it is not ready yet."""
        command = kit.command(
            "kafka.Kafka",
            [str(self.properties_file)],
            heap=spec.heap,
            jvm_options=spec.jvm_options,
            system_properties={
                TOKEN_PROPERTY: token,
                **(spec.security.system_properties() if spec.security else {}),
            },
            log_level=spec.log_level,
            log_file=self.log_file,
        )
        return spawn(
            command,
            token=token,
            environment=kit.environment(),
            output=self.output_file,
            folder=self.folder,
        )

    def last_words(self) -> str:
        """Return why the broker ended, as it logged it."""
        return last_words(self.log_file, self.output_file)


def write_properties(path: Path, settings: Mapping[str, str]) -> None:
    """Write settings in Java's properties format, for nobody else to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (f"{name}={value.replace(chr(92), chr(92) * 2)}" for name, value in settings.items())
    write_private(path, "\n".join(lines) + "\n")  # it may have passwords


def last_words(*logs: Path) -> str:
    """Return why a Java program ended, as the first of its logs tells that does."""
    for path in logs:
        if path.exists():
            reason = reason_in(path.read_text(encoding="utf-8", errors="replace"))
            if reason:
                return reason
    return "it left no message"


def reason_in(text: str) -> str:
    """Return the first lines of a Java program's output that tell of an error, as one line."""
    telling = [
        line.strip()
        for line in text.splitlines()
        if _TELLING.search(line) and not line.lstrip().startswith("at ")
    ]
    return " | ".join(telling[:2])
