"""The engine: a config's clusters and flows, running on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Literal

from pydantic import SecretStr

from engine import __version__
from engine.api.cluster_snapshots import ClusterList
from engine.api.snapshots import EngineMode, EngineSnapshot, Severity
from engine.cluster_watch import ClusterWatch, secrets_by_key
from engine.config.cluster_section import ClusterConfig
from engine.config.flow_section import FlowConfig, Rename
from engine.config.model import Config
from engine.config.os_keyring import Entry
from engine.config.sections import secrets_of
from engine.errors import RefusedError
from engine.identity import this_engine
from engine.kafka.cluster import Cluster
from engine.replication.board import Board
from engine.replication.both_ways.marks import takes_local_only
from engine.replication.events import Events
from engine.replication.flow import TICK_S, Flow, Role
from engine.replication.loss import Brought


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
        self._told_read_only = read_only
        self._role = Role.RUN if standby == "auto" else Role.OBSERVE
        self.events = Events()
        self.identity = this_engine()
        self.started_at = time.time()
        self._started = self.is_stopping = False
        self.clusters: dict[str, Cluster] = {}
        self._watches: dict[str, ClusterWatch] = {}
        self.flows: dict[str, Flow] = {}
        self._tasks: list[asyncio.Task[None]] = []
        for name, cluster in config.clusters.items():
            self.open_cluster(name, cluster)
        for name, flow in config.flows.items():
            if only is None or name in only:
                self.open_flow(name, flow)
        self.connect_flows()

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed, on any cluster or in the configuration."""
        return self.would_be_read_only(self.config)

    def would_be_read_only(self, config: Config) -> bool:
        """Whether it would be so with another configuration."""
        return self._told_read_only or config.read_only

    # what it is made of

    def open_cluster(self, name: str, section: ClusterConfig) -> None:
        """Add a cluster, and look at it from now on (or from the start on)."""
        cluster = self.clusters[name] = Cluster(name, section)
        watch = self._watches[name] = ClusterWatch(cluster, self.events)
        if self._started:
            watch.start()

    def forget_cluster(self, name: str) -> Callable[[], Awaitable[None]]:
        """Take out a cluster that no flow uses any more; returns what ends its connections."""
        cluster, watch = self.clusters.pop(name), self._watches.pop(name)

        async def close() -> None:
            await watch.stop()
            await cluster.close()

        return close

    def open_flow(self, name: str, section: FlowConfig, before: Flow | None = None) -> None:
        """Add a flow, and run it from now on (or from the start on).

        `before` is the same flow as it was until now, which has ended: what is shown goes on.
        """
        role = self._role
        if self.mode == EngineMode.ONE_SHOT or self.read_only:
            role = Role.LOOK
        if self.config.clusters[section.target].read_only:
            role = Role.LOOK
        clusters = self.clusters[section.source], self.clusters[section.target]
        flow = self.flows[name] = Flow(
            name, section, clusters, self.identity, self.events, role, before
        )
        if self._started:
            flow.start()

    def put_in_order(self) -> None:
        """Show everything in the configuration's order, after some of it came or went."""
        self.clusters = {name: self.clusters[name] for name in self.config.clusters}
        self._watches = {name: self._watches[name] for name in self.config.clusters}
        self.flows = {name: self.flows[name] for name in self.config.flows}
        self.connect_flows()

    def connect_flows(self) -> None:
        """Tell flows of each other, after some came or went."""
        for flow in self.flows.values():
            flow.losses.brought = Brought(self._inbound(flow))

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
        self._started = True
        for flow in self.flows.values():
            flow.start()
        self._tasks.append(asyncio.create_task(self._tick_loop(), name="ticks"))
        for watch in self._watches.values():
            watch.start()

    async def looked(self) -> None:
        """Wait until every flow was looked at once, or failed."""
        await asyncio.gather(*(flow.looked.wait() for flow in self.flows.values()))
        for flow in self.flows.values():
            flow.tick()

    async def stop(self, deadline_seconds: float) -> bool:
        """Drain for at most so long and end; return whether everything was drained."""
        self.is_stopping = True
        drained = await asyncio.gather(
            *(flow.stop(deadline_seconds) for flow in self.flows.values())
        )
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for watch in self._watches.values():
            await watch.stop()
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

    def renew_secret(self, entry: Entry) -> list[str]:
        """Read a keyring's entry again, it is a new one; return the clusters that need it.

        They are tried again at once. What was given into memory instead of it is let go.
        """
        needing: list[str] = []
        for name, section in self.config.clusters.items():
            secrets = [each for _, each in secrets_of(section) if each.entry == entry]
            for secret in secrets:
                secret.forget()
            if secrets:
                needing.append(name)
                self.clusters[name].renew()
                self._watches[name].look_now()
        for flow in self.flows.values():
            if flow.config.source in needing or flow.config.target in needing:
                flow.try_now()
        return needing

    def list_clusters(self) -> ClusterList:
        """Return the clusters as last seen, with the flows that use them."""
        sections = self.config.flows
        return ClusterList(
            time.time(),
            tuple(
                watch.listing(
                    tuple(flow for flow, each in sections.items() if each.source == name),
                    tuple(flow for flow, each in sections.items() if each.target == name),
                )
                for name, watch in self._watches.items()
            ),
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
