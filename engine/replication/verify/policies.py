"""Which topics are compacted: there a record may be gone that a later one supersedes."""

from __future__ import annotations

from collections.abc import Iterable

from engine.kafka.cluster import Cluster
from engine.kafka.topic_configs import topic_configs


async def compacting(cluster: Cluster, topics: Iterable[str]) -> dict[str, bool]:
    """Return which topics are compacted; those that cannot be asked about are left out."""
    return {
        name: "compact" in config.values.get("cleanup.policy", "delete")
        for name, config in (await topic_configs(cluster, topics, ["cleanup.policy"])).items()
    }
