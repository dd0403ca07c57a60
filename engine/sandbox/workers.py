"""The Kafka Connect workers of a sandbox: start them, stop them, and break them for real."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import SandboxError
from engine.sandbox.jars import KAFKA_VERSION
from engine.sandbox.java import JavaKit
from engine.sandbox.progress import Progress, ProgressCallback, silent
from engine.sandbox.state import SandboxState, StateFile
from engine.sandbox.together import together
from engine.sandbox.worker import Worker, worker_url


class Workers:
    """The workers of one sandbox, numbered from 1 in each cluster. Raises `SandboxError`.

    Their Kafka is KAFKA_VERSION, whatever the brokers': no other has Connect among its jars.
    """

    def __init__(
        self, file: StateFile, state: Callable[[], SandboxState], kit: Callable[[str], JavaKit]
    ) -> None:
        self._file = file
        self._state = state
        self._kit = kit

    def urls(self, cluster: str) -> tuple[str, ...]:
        """Return the addresses of a cluster's workers, running or not."""
        return tuple(worker_url(worker.state) for worker in self.all() if _of(worker, cluster))

    def log_file(self, cluster: str, worker: int = 1) -> Path:
        """Return the file that the worker logs to."""
        return self._one(cluster, worker).log_file

    async def start(self, cluster: str, worker: int) -> None:
        """Start a worker that was stopped or killed, on its old port, and wait for it."""
        found = self._one(cluster, worker)
        if found.is_running:
            raise SandboxError("start", str(found), "it runs already")
        await self.start_all([found])
        await found.wait_until_ready()

    async def stop(self, cluster: str, worker: int) -> None:
        """Stop a worker as an operator would (SIGTERM), and wait for its end."""
        await self._one(cluster, worker).stop()

    async def kill(self, cluster: str, worker: int) -> None:
        """Kill a worker (SIGKILL), and wait for its end."""
        await self._one(cluster, worker).stop(kill=True)

    async def freeze(self, cluster: str, worker: int) -> None:
        """Freeze a worker (SIGSTOP): it takes connections and answers nothing."""
        await self._one(cluster, worker).freeze()

    async def thaw(self, cluster: str, worker: int) -> None:
        """Let a frozen worker go on (SIGCONT)."""
        await self._one(cluster, worker).thaw()

    def all(self) -> list[Worker]:
        """Return every worker of every cluster."""
        state = self._state()
        return [
            Worker(
                cluster_name=name,
                cluster=cluster,
                state=worker,
                folder=self._file.worker_folder(name, worker.id),
                save=lambda: self._file.save(self._state()),
            )
            for name, cluster in state.clusters.items()
            for worker in cluster.workers
        ]

    async def start_all(
        self, workers: Sequence[Worker], progress: ProgressCallback = silent
    ) -> None:
        """Start processes; none of them is ready yet."""
        await together(worker.require_free_ports() for worker in workers)
        if workers:
            progress(Progress(f"Starting {', '.join(str(worker) for worker in workers)}"))
        for worker in workers:
            worker.start(self._kit(KAFKA_VERSION))

    def _one(self, cluster: str, number: int) -> Worker:
        for worker in self.all():
            if _of(worker, cluster) and worker.state.id == number:
                return worker
        raise SandboxError(
            "find", f"Connect worker {number} of {cluster}",
            f"it has {len(self.urls(cluster)) or 'none'}",
            "Start some with: ccr sandbox up --connect",
        )  # fmt: skip


def _of(worker: Worker, cluster: str) -> bool:
    return worker.cluster_name == cluster
