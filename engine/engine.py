"""The engine: a config's clusters and flows, running on one event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterator
from typing import Literal

from pydantic import SecretStr

from engine import __version__
from engine.api.snapshots import (
    ClusterSnapshot,
    EngineMode,
    EngineSnapshot,
    Reason,
    SecretSnapshot,
    Severity,
)
from engine.config.cluster_section import ClusterConfig
from engine.config.flow_section import Rename
from engine.config.model import Config
from engine.config.problems import dotted
from engine.config.secrets import SecretRef
from engine.config.sections import secrets_of
from engine.errors import CcrError, RefusedError
from engine.identity import this_engine
from engine.kafka.cluster import Cluster
from engine.replication.board import Board
from engine.replication.both_ways.marks import takes_local_only
from engine.replication.events import Events
from engine.replication.flow import TICK_S, Flow, Role
from engine.replication.loss import Brought

log = logging.getLogger(__name__)

CLUSTER_LOOK_S = 5.0


class Engine:
    """Runs (or watches) the flows of a config."""

    def __init__(
        self,
        config: Config,
        *,
        config_path: str,
        mode: EngineMode,
        standby: Literal["auto", "observe"] = "auto",
        read_only: bool = False,
        only: Collection[str] | None = None,
    ) -> None:
        self.config = config
        self.config_path = config_path
        self.mode = mode
        self.read_only = read_only or config.read_only
        self.events = Events()
        self.identity = this_engine()
        self.started_at = time.time()
        self.clusters = {name: Cluster(name, section) for name, section in config.clusters.items()}
        self._watches = {
            name: _ClusterWatch(cluster, config.clusters[name], self.events)
            for name, cluster in self.clusters.items()
        }
        role = Role.RUN if standby == "auto" else Role.OBSERVE
        if mode == EngineMode.ONE_SHOT or self.read_only:
            role = Role.LOOK
        self.flows = {
            name: Flow(
                name,
                section,
                (self.clusters[section.source], self.clusters[section.target]),
                self.identity,
                self.events,
                Role.LOOK if config.clusters[section.target].read_only else role,
            )
            for name, section in config.flows.items()
            if only is None or name in only
        }
        for flow in self.flows.values():
            flow.losses.brought = Brought(self._inbound(flow))
        self._tasks: list[asyncio.Task[None]] = []

    def _inbound(self, flow: Flow) -> Iterator[Board]:
        """Yield the boards of the flows that bring `flow` records which it leaves out."""
        if not takes_local_only(flow.config):
            return
        for other in self.flows.values():
            keeps_names = other.config.rename == Rename.IDENTITY
            if other.config.target == flow.config.source and keeps_names:
                yield other.board

    async def start(self) -> None:
        """Begin everything; a cluster that is away is a state, not an error."""
        for flow in self.flows.values():
            flow.start()
        self._tasks.append(asyncio.create_task(self._tick_loop(), name="ticks"))
        self._tasks += [
            asyncio.create_task(watch.run(), name=f"watch {name}")
            for name, watch in self._watches.items()
        ]

    async def looked(self) -> None:
        """Wait until every flow was looked at once, or failed."""
        await asyncio.gather(*(flow.looked.wait() for flow in self.flows.values()))
        for flow in self.flows.values():
            flow.tick()

    async def stop(self, deadline_seconds: float) -> bool:
        """Drain for at most so long and end; return whether everything was drained."""
        drained = await asyncio.gather(
            *(flow.stop(deadline_seconds) for flow in self.flows.values())
        )
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for cluster in self.clusters.values():
            await cluster.close()
        return all(drained)

    async def _tick_loop(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for flow in self.flows.values():
                flow.tick()

    def flow(self, name: str) -> Flow:
        """Find a flow; raises RefusedError naming those there are."""
        if name not in self.flows:
            known = ", ".join(self.flows) or "none"
            raise RefusedError(
                "finding flow", name, f"it is not one of this config's flows ({known})"
            )
        return self.flows[name]

    def why_away(self, cluster: str) -> str:
        """Return why a cluster was not reached at the last look; empty when it was."""
        return self._watches[cluster].why_away

    def give_secret(self, cluster: str, key: str, value: SecretStr) -> None:
        """Hold a secret in memory, for all keys that refer to the same place.

        Whoever waits for it tries again by itself within seconds. Raises RefusedError.
        """
        if cluster not in self.config.clusters:
            known = ", ".join(self.config.clusters)
            raise RefusedError("finding cluster", cluster, f"it is none of this config's ({known})")
        wanted = secrets_by_key(self.config.clusters[cluster])
        if key not in wanted:
            known = ", ".join(wanted) or "none"
            raise RefusedError(
                "giving a secret for cluster", cluster, f"{key} is none of its secrets ({known})"
            )
        if not value.get_secret_value():
            raise RefusedError("giving a secret for cluster", cluster, "it is empty")
        for _, secret in secrets_of(self.config):
            if secret == wanted[key]:
                secret.give(value)
        self.events.emit(
            Severity.INFO, cluster, f"{key} was given by an operator, until the engine ends"
        )

    def snapshot(self) -> EngineSnapshot:
        """Return everything but the partitions as it is now."""
        return EngineSnapshot(
            version=__version__,
            engine_id=self.identity.engine_id,
            mode=self.mode,
            host=self.identity.host,
            pid=int(self.identity.process.rpartition("/")[2].partition("@")[0]),
            config_path=self.config_path,
            read_only=self.read_only,
            started_at=self.started_at,
            taken_at=time.time(),
            clusters=tuple(watch.snapshot() for watch in self._watches.values()),
            flows=tuple(flow.snapshot() for flow in self.flows.values()),
            last_event_id=self.events.last_id,
        )


class _ClusterWatch:
    """Asks a cluster for its brokers now and then, so that the screen knows when it is away."""

    def __init__(self, cluster: Cluster, config: ClusterConfig, events: Events) -> None:
        self._cluster = cluster
        self._config = config
        self._events = events
        self._reachable: bool | None = None
        self._reason: Reason | None = Reason("not asked yet")
        self._brokers = 0
        self._observed_at = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(CLUSTER_LOOK_S)

    async def _look(self) -> None:
        try:
            metadata = await self._cluster.metadata([])
        except CcrError as error:
            self._set_away(error)
            return
        except Exception as error:  # a defect of ours: shown, and tried again
            log.exception("looking at cluster %s failed", self._cluster.name)
            cause = f"internal error: {type(error).__name__}: {error}"
            next_step = "It is tried again; please report it with the log file"
            self._set_away(CcrError("asking cluster", self._cluster.name, cause, next_step))
            return
        if self._reachable is False:
            self._events.emit(Severity.INFO, self._cluster.name, "reachable again")
        self._reachable, self._reason = True, None
        self._brokers = len(metadata.brokers)
        self._observed_at = time.time()

    def _set_away(self, error: CcrError) -> None:
        text = f"{error.operation} {error.object}: {error.cause}"
        if self._reachable is not False or self._reason is None or self._reason.text != text:
            self._reason = Reason(text, error.next_step, time.time())
            self._events.emit(Severity.ERROR, self._cluster.name, text, error.next_step)
        self._reachable = False

    @property
    def why_away(self) -> str:
        """Why it was not reached at the last look; empty when it was, or was not asked yet."""
        return self._reason.text if self._reachable is False and self._reason else ""

    def snapshot(self) -> ClusterSnapshot:
        """Return the cluster as last seen."""
        return ClusterSnapshot(
            self._cluster.name,
            tuple(self._config.bootstrap_servers),
            self._config.environment.value,
            bool(self._reachable),
            self._reason,
            self._brokers,
            self._observed_at,
            tuple(
                SecretSnapshot(key, str(secret), secret.state)
                for key, secret in secrets_by_key(self._config).items()
            ),
        )


def secrets_by_key(cluster: ClusterConfig) -> dict[str, SecretRef]:
    """Return the secrets that a cluster's section refers to, by key within it."""
    return {dotted(path): secret for path, secret in secrets_of(cluster)}
