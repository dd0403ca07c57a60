"""One Kafka Connect worker of the sandbox: its settings, its folder, its process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import SandboxError
from engine.sandbox.broker import ClusterSpec, bootstrap_servers, last_words, write_properties
from engine.sandbox.health import probe_worker
from engine.sandbox.java import JavaKit
from engine.sandbox.managed import Managed
from engine.sandbox.ports import HOST
from engine.sandbox.processes import TOKEN_PROPERTY, spawn
from engine.sandbox.state import ClusterState, WorkerState

MAIN_CLASS = "org.apache.kafka.connect.cli.ConnectDistributed"
READY_TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.2


def worker_url(state: WorkerState) -> str:
    """Return the address of a worker's REST API."""
    return f"http://{HOST}:{state.port}"


def worker_properties(name: str, cluster: ClusterState, state: WorkerState) -> dict[str, str]:
    """Return the settings of one worker; all workers of a cluster form one group."""
    spec = ClusterSpec.from_state(cluster.spec)
    replicas = str(min(3, spec.brokers))
    group = f"connect-{name}"
    json_converter = "org.apache.kafka.connect.json.JsonConverter"
    settings = {
        "bootstrap.servers": bootstrap_servers(cluster),
        "group.id": group,
        "listeners": worker_url(state),
        "rest.advertised.host.name": HOST,
        "rest.advertised.port": str(state.port),
        "key.converter": json_converter,
        "value.converter": json_converter,
        "config.storage.topic": f"{group}-configs",
        "config.storage.replication.factor": replicas,
        "offset.storage.topic": f"{group}-offsets",
        "offset.storage.replication.factor": replicas,
        "offset.storage.partitions": "5",
        "status.storage.topic": f"{group}-status",
        "status.storage.replication.factor": replicas,
        "status.storage.partitions": "2",
        "offset.flush.interval.ms": "1000",
        # What a killed worker ran comes to the others within seconds, not five minutes.
        "session.timeout.ms": "6000",
        "heartbeat.interval.ms": "1000",
        "scheduled.rebalance.max.delay.ms": "3000",
        # Every plugin of the class path says where it is; looking into each class takes 10 s.
        "plugin.discovery": "service_load",
        # As people keep passwords out of connectors: ${file:/path/to/secrets.properties:key}.
        "config.providers": "file",
        "config.providers.file.class": (
            "org.apache.kafka.common.config.provider.FileConfigProvider"
        ),
    }
    return {**settings, **spec.connect_properties}


@dataclass(frozen=True, slots=True)
class Worker(Managed):
    """A worker with all that acting on it takes; `save` writes the sandbox's state down."""

    cluster_name: str
    cluster: ClusterState
    state: WorkerState
    folder: Path
    save: Callable[[], None]

    def __str__(self) -> str:
        return f"Connect worker {self.state.id} of {self.cluster_name}"

    @property
    def log_file(self) -> Path:
        """What the worker logs."""
        return self.folder / "worker.log"

    @property
    def output_file(self) -> Path:
        """What the Java runtime itself says."""
        return self.folder / "output.log"

    @property
    def properties_file(self) -> Path:
        """The worker's settings."""
        return self.folder / "worker.properties"

    def start(self, kit: JavaKit) -> None:
        """Write its settings and start its process; the worker is not ready yet."""
        spec = ClusterSpec.from_state(self.cluster.spec)
        settings = worker_properties(self.cluster_name, self.cluster, self.state)
        write_properties(self.properties_file, settings)
        token = self.new_token()
        command = kit.command(
            MAIN_CLASS,
            [str(self.properties_file)],
            heap=spec.heap,
            jvm_options=spec.jvm_options,
            system_properties={TOKEN_PROPERTY: token},
            log_level=spec.log_level,
            log_file=self.log_file,
        )
        self.state.process = spawn(
            command,
            token=token,
            environment=kit.environment(),
            output=self.output_file,
            folder=self.folder,
        )
        self.save()

    async def wait_until_ready(self) -> None:
        """Wait until it has joined its group and answers. Raises `SandboxError`."""
        reason = "it has not opened its port"
        try:
            async with asyncio.timeout(READY_TIMEOUT_SECONDS):
                while (found := await probe_worker(worker_url(self.state))) is not None:
                    reason = found
                    self._require_alive()
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise SandboxError(
                "wait for", str(self), f"not ready after {READY_TIMEOUT_SECONDS:.0f} s: {reason}",
                f"See {self.log_file}", retriable=True,
            ) from None  # fmt: skip

    def _require_alive(self) -> None:
        if not self.is_running:
            why = last_words(self.log_file, self.output_file)
            raise SandboxError(
                "start", str(self), f"its process ended: {why}", f"See {self.log_file}"
            )
