"""How old the look at each partition's source end is, and looks at those that nobody looks at.

Fetching and discovery see most ends as they go. They do not when the target is away, when a limit
or a full buffer keeps a partition out of the fetch, or when discovery fails: just then what would
be lost grows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from itertools import islice

from engine.config.flow_section import FlowConfig
from engine.errors import CcrError
from engine.kafka import fetch
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.connection import ConnectionLostError
from engine.kafka.metadata import ClusterMetadata
from engine.replication.board import Board
from engine.replication.partition import MirrorPartition

LOOK_S = 5.0
OLD_S = 3.0  # later than whoever looks normally should have looked
_SHARE = 1000  # partitions in one request: some 10 ms of parsing


async def observe_ends(
    source: Cluster, config: FlowConfig, partitions: Iterable[MirrorPartition]
) -> None:
    """Look at the source ends of partitions, and at the starts of those without a position.

    Raises ConnectError, KafkaError and ConnectionLostError.
    """
    committed = config.isolation == "read_committed"
    isolation = fetch.READ_COMMITTED if committed else fetch.READ_UNCOMMITTED
    left = iter(partitions)
    while share := list(islice(left, _SHARE)):
        metadata = await source.metadata({partition.topic for partition in share})
        ends = await source.list_offsets(
            {partition.key: LATEST for partition in share}, metadata, isolation=isolation
        )
        now = time.time()
        for partition in share:
            if partition.key in ends:
                partition.observe_end(ends[partition.key], now)
        await observe_starts(source, share, metadata)
        await asyncio.sleep(0)


async def observe_starts(
    source: Cluster, partitions: Iterable[MirrorPartition], metadata: ClusterMetadata
) -> None:
    """Look at where the source's logs begin of which nothing is mirrored: all of them counts.

    Raises ConnectError, KafkaError and ConnectionLostError.
    """
    unplaced = {p.key: p.measures for p in partitions if not p.positioned}
    if unplaced:
        starts = await source.list_offsets(dict.fromkeys(unplaced, EARLIEST), metadata)
        for key, start in starts.items():
            unplaced[key].source_start = max(0, start)


class SourceEnds:
    """Looks at what others have not looked at for a while. `trouble` says why it cannot."""

    def __init__(
        self,
        source: Cluster,
        config: FlowConfig,
        board: Board,
        seen_at: Callable[[MirrorPartition], float],
    ) -> None:
        """`seen_at` tells when a partition's end was last seen, however that was; 0.0: never."""
        self._source = source
        self._config = config
        self._board = board
        self._seen_at = seen_at
        self._old_after = min(config.topic_refresh, LOOK_S) + OLD_S
        self.trouble: CcrError | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await observe_ends(self._source, self._config, self._old())
                self.trouble = None
            except CcrError as error:
                self.trouble = error
            except ConnectionLostError:
                continue  # asked again on another connection

    def _old(self) -> list[MirrorPartition]:
        before = time.time() - self._old_after
        return [
            partition
            for partition in self._board.partitions.values()
            if not partition.positioned or self._seen_at(partition) < before
        ]
