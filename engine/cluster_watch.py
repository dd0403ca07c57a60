"""Asking a cluster for its brokers now and then, so that the screen knows when it is away."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections import deque

from engine.api.cluster_snapshots import ClusterListing, Reach
from engine.api.snapshots import ClusterSnapshot, Reason, SecretSnapshot, Severity
from engine.config.cluster_section import ClusterConfig
from engine.config.problems import dotted
from engine.config.secrets import SecretRef
from engine.config.sections import secrets_of
from engine.errors import CcrError
from engine.kafka.cluster import Cluster
from engine.kafka.metadata import ClusterMetadata
from engine.kafka.quorum import controller_of
from engine.kafka.releases import release
from engine.replication.events import Events

log = logging.getLogger(__name__)

LOOK_S = 5.0
_LATENCIES = 24  # looks: two minutes


class ClusterWatch:
    """What is seen of one cluster; `start` and `stop` are its life."""

    def __init__(self, cluster: Cluster, events: Events) -> None:
        self._cluster = cluster
        self._events = events
        self._reachable: bool | None = None
        self._reason: Reason | None = Reason("not asked yet")
        self._since = 0.0
        self._metadata: ClusterMetadata | None = None
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._observed_at = 0.0
        self._now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look, in a task of this loop, until stopped."""
        self._task = asyncio.create_task(self._run(), name=f"watch {self._cluster.name}")

    async def stop(self) -> None:
        """End looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def look_now(self) -> None:
        """Look at once instead of when it is time."""
        self._now.set()

    async def _run(self) -> None:
        while True:
            self._now.clear()
            await self._look()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._now.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        connected = bool(self._cluster.versions)
        asked_at = time.monotonic()
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
        if connected:  # otherwise connecting took a part of it
            self._latencies.append(time.monotonic() - asked_at)
        self._observed_at = time.time()
        if not self._reachable:
            self._since = self._observed_at
        self._reachable, self._reason = True, None
        self._metadata = metadata

    def _set_away(self, error: CcrError) -> None:
        text = f"{error.operation} {error.object}: {error.cause}"
        if self._reachable is not False or self._reason is None or self._reason.text != text:
            self._reason = Reason(text, error.next_step, time.time())
            self._events.emit(Severity.ERROR, self._cluster.name, text, error.next_step)
        if self._reachable is not False:
            self._since = time.time()
            self._latencies.clear()
        self._reachable = False

    @property
    def why_away(self) -> str:
        """Why it was not reached at the last look; empty when it was, or was not asked yet."""
        return self._reason.text if self._reachable is False and self._reason else ""

    def snapshot(self) -> ClusterSnapshot:
        """Return the cluster as last seen."""
        config = self._cluster.config
        return ClusterSnapshot(
            self._cluster.name,
            tuple(config.bootstrap_servers),
            config.environment.value,
            bool(self._reachable),
            self._reason,
            len(self._metadata.brokers) if self._metadata else 0,
            self._observed_at,
            _secrets(config),
            config.read_only,
        )

    def listing(self, source_of: tuple[str, ...], target_of: tuple[str, ...]) -> ClusterListing:
        """Return more of it, for the list of clusters, with the flows that use it."""
        config, metadata = self._cluster.config, self._metadata
        reach = {None: Reach.UNTRIED, True: Reach.REACHED, False: Reach.AWAY}[self._reachable]
        versions = self._cluster.versions
        latencies = self._latencies
        return ClusterListing(
            self._cluster.name,
            tuple(config.bootstrap_servers),
            config.environment.value,
            config.read_only,
            reach,
            self._reason if reach is Reach.AWAY else None,
            self._since,
            self._observed_at,
            release(versions) if versions else "",
            metadata.cluster_id if metadata else "",
            len(metadata.brokers) if metadata else 0,
            controller_of(metadata, versions) if metadata else None,
            statistics.median(latencies) if latencies else None,
            latencies[-1] if latencies else None,
            config.security_protocol.value,
            config.sasl.mechanism.value if config.sasl else "",
            (config.sasl.username or config.sasl.client_id or "") if config.sasl else "",
            _secrets(config),
            source_of,
            target_of,
        )


def _secrets(config: ClusterConfig) -> tuple[SecretSnapshot, ...]:
    return tuple(
        SecretSnapshot(key, str(secret), secret.state)
        for key, secret in secrets_by_key(config).items()
    )


def secrets_by_key(cluster: ClusterConfig) -> dict[str, SecretRef]:
    """Return the secrets that a cluster's section refers to, by key within it."""
    return {dotted(path): secret for path, secret in secrets_of(cluster)}
