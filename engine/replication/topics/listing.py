"""A cluster's topics as they were listed a moment ago."""

from __future__ import annotations

import time

from engine.kafka.cluster import Cluster
from engine.kafka.metadata import ClusterMetadata


class Listing:
    """Asks one cluster for all its topics, and again only when the answer is too old."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._listed: tuple[float, ClusterMetadata] | None = None  # at monotonic
        self.at = 0.0
        """When it was asked last, by the wall clock; 0: never."""

    async def topics(self, *, at_most_old: float) -> ClusterMetadata:
        """Return what was listed within so many seconds, or list.

        Raises ConnectError and KafkaError.
        """
        if self._listed is None or time.monotonic() - self._listed[0] > at_most_old:
            self._listed = time.monotonic(), await self._cluster.metadata()
            self.at = time.time()
        return self._listed[1]
