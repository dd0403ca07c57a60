"""How large a cluster's topics are, and how fast they grow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from itertools import islice

from engine.api.preview_snapshots import TopicSize
from engine.errors import KafkaError
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.fetch import TopicPartition
from engine.kafka.log_dirs import log_sizes
from engine.kafka.metadata import ClusterMetadata

RATE_OVER_S = (1.0, 60.0)
"""Between two looks at the ends: less says little, more says how it was."""
_SHARE = 1000  # partitions in one request: some 10 ms of parsing


class Sizes:
    """Looks at all topics of one cluster, again and again."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._seen: tuple[float, dict[TopicPartition, int]] | None = None  # monotonic, ends

    async def look(self, metadata: ClusterMetadata) -> tuple[dict[str, TopicSize], list[str]]:
        """Return the sizes by topic, and what could not be found out and why.

        The first look takes a second longer, for the rate. Raises ConnectError.
        """
        notes = []
        bytes_of: dict[TopicPartition, int] | None = None
        try:
            bytes_of = await log_sizes(self._cluster, sorted(metadata.brokers))
        except KafkaError as error:
            notes.append(str(error))
        starts = await self._offsets(EARLIEST, metadata)
        if self._seen is None or time.monotonic() - self._seen[0] > RATE_OVER_S[1]:
            self._seen = time.monotonic(), await self._offsets(LATEST, metadata)
        seen_at, before = self._seen
        await asyncio.sleep(max(0.0, seen_at + RATE_OVER_S[0] - time.monotonic()))
        now, ends = time.monotonic(), await self._offsets(LATEST, metadata)
        self._seen = now, ends
        sizes = {}
        for name, topic in metadata.topics.items():
            keys = [(name, number) for number in topic.partitions]
            growth = _differences(keys, before, ends)
            sizes[name] = TopicSize(
                _total(keys, bytes_of) if bytes_of is not None else None,
                _differences(keys, starts, ends),
                None if growth is None else max(0.0, growth / (now - seen_at)),
            )
        return sizes, notes

    async def _offsets(self, at: int, metadata: ClusterMetadata) -> dict[TopicPartition, int]:
        return await offsets(self._cluster, metadata.topics, at, metadata)


async def offsets(
    cluster: Cluster, topics: Iterable[str], at: int, metadata: ClusterMetadata
) -> dict[TopicPartition, int]:
    """Look up the offsets of many topics at LATEST or EARLIEST, in shares that nobody waits for."""
    keys = ((name, number) for name in topics for number in metadata.topics[name].partitions)
    found: dict[TopicPartition, int] = {}
    while share := dict.fromkeys(islice(keys, _SHARE), at):
        found |= await cluster.list_offsets(share, metadata)
        await asyncio.sleep(0)
    return found


def _total(keys: list[TopicPartition], values: dict[TopicPartition, int]) -> int | None:
    return sum(values[key] for key in keys) if all(key in values for key in keys) else None


def _differences(
    keys: list[TopicPartition], first: dict[TopicPartition, int], last: dict[TopicPartition, int]
) -> int | None:
    """Sum up; None where a partition was not told, as less than all would be misleading."""
    if any(key not in first or key not in last for key in keys):
        return None
    return sum(last[key] - first[key] for key in keys)
