"""One flow's loss as it is shown: now, and over the last hour."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from engine.api.group_snapshots import GroupsPage
from engine.api.loss_snapshots import GroupLoss, HistorySnapshot, LossSnapshot, PartitionLoss
from engine.api.snapshots import PartitionState
from engine.config.flow_section import FlowConfig
from engine.errors import CcrError, RefusedError
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.connection import ConnectionLostError
from engine.kafka.log_dirs import log_sizes
from engine.replication.board import Board
from engine.replication.loss import (
    NOTHING_BROUGHT,
    SeenAt,
    TopicTally,
    partition_loss,
    tally,
    topic_loss,
    total,
    whole,
)
from engine.replication.loss_history import LossHistory
from engine.replication.partition import MirrorPartition
from engine.replication.topics.sizes import offsets

log = logging.getLogger(__name__)

LISTED = 1000  # topics, and groups, in one answer; the sums are over all
OLD_LOOK_S = 2.0  # an older look makes it "at least"
ON_DISK_FOR_S = 300.0  # before the source is asked again for its sizes
ON_DISK_WAIT_S = 3.0  # for its answer, which is for estimates only


class LossReport:
    """Counts for one flow, whoever runs it."""

    def __init__(
        self,
        flow: str,
        config: FlowConfig,
        source: Cluster,
        board: Board,
        written_per_second: Callable[[], float | None] = lambda: None,
    ) -> None:
        """`written_per_second` tells the rate at which the source was written when last seen."""
        self._flow = flow
        self._written_per_second = written_per_second
        self._config = config
        self._source = source
        self._board = board
        self.brought = NOTHING_BROUGHT
        self._history = LossHistory()
        self._on_disk: dict[str, float] = {}  # bytes of a record, by topic
        self._on_disk_at = float("-inf")  # monotonic; when they were asked for

    def continue_from(self, before: LossReport) -> None:
        """Take over the last hour of the same flow, which another report has kept until now."""
        if before._config.source == self._config.source:
            self._history = before._history

    def tick(self) -> None:
        """Remember a point of the history when it is time."""
        now = time.time()
        if self._board.partitions and self._history.due(now):
            topics = tally(self._board.partitions.values(), now, self.brought)
            self._history.note(topics, now)

    def history(self, topic: str | None) -> HistorySnapshot:
        """Return the last hour; a topic is remembered from now on.

        Raises RefusedError when the flow has no such topic.
        """
        if topic is not None:
            self._partitions_of(topic)
            self._history.want(topic)
        return self._history.snapshot(self._flow, topic)

    def _partitions_of(self, topic: str) -> list[MirrorPartition]:
        found = [p for p in self._board.partitions.values() if p.topic == topic]
        if not found:
            raise RefusedError(
                "reading topic", topic, f"flow {self._flow} does not have it", "See ccr preview"
            )
        return sorted(found, key=lambda partition: partition.partition)

    async def snapshot(
        self, topic: str | None, seen_at: SeenAt, source_trouble: str
    ) -> LossSnapshot:
        """Return what would be lost now, with the partitions of `topic` if that is given.

        `source_trouble`: why the source is not seen at the moment, or empty. Raises RefusedError
        when the flow has no such topic.
        """
        partitions = list(self._board.partitions.values())
        asked = [] if topic is None else self._partitions_of(topic)
        topics = tally(partitions, time.time(), self.brought)
        if not source_trouble:
            await self._ask_sizes(
                [each.topic for each in topics.values() if each.bytes(self._on_disk) is None]
            )
        now = time.time()
        everything = total(topics.values(), self._on_disk)
        losing = [each for each in topics.values() if each.records]
        looked_at = _oldest_look(partitions, seen_at)
        at_least = bool(source_trouble) or now - looked_at > OLD_LOOK_S
        rate = self._written_per_second() if at_least and looked_at else None
        since = None if rate is None else round(rate * (now - looked_at))
        return LossSnapshot(
            self._flow,
            self._config.source,
            self._config.target,
            everything.records,
            whole(everything.bytes),
            everything.seconds,
            len(partitions),
            sum(each.unknown for each in topics.values()),
            len(losing),
            tuple(
                topic_loss(each, self._on_disk)
                for each in heapq.nlargest(LISTED, losing, key=lambda each: each.records)
            ),
            looked_at,
            now,
            at_least,
            any(each.left_out for each in losing),
            source_trouble,
            tuple(self._rows(asked, topics, now, seen_at)),
            worst=self._history.worst(now),
            written_per_second=rate,
            since_records=since,
            since_bytes=None if since is None else self._bytes_of(since, topics),
        )

    def _bytes_of(self, records: int, topics: Mapping[str, TopicTally]) -> int | None:
        """Estimate the bytes of records of all topics together; None when nothing was measured."""
        measured = sum(each.mirrored_records for each in topics.values())
        size = sum(each.mirrored_bytes for each in topics.values())
        return round(records * size / measured) if measured else None

    def _rows(
        self,
        asked: Iterable[MirrorPartition],
        topics: Mapping[str, TopicTally],
        now: float,
        seen_at: SeenAt,
    ) -> Iterator[PartitionLoss]:
        for partition in asked:
            mean = topics[partition.topic].mean_bytes(self._on_disk)
            yield partition_loss(partition, mean, now, seen_at(partition), self.brought)

    async def _ask_sizes(self, unmeasured: Collection[str]) -> None:
        """Take the mean bytes of a record from the source's disks, or go on without."""
        now = time.monotonic()
        if not unmeasured or now - self._on_disk_at < ON_DISK_FOR_S:
            return
        self._on_disk_at = now
        try:
            async with asyncio.timeout(ON_DISK_WAIT_S):
                self._on_disk = await _means_on_disk(self._source)
        except (TimeoutError, CcrError, ConnectionLostError) as error:
            # Shown as bytes that are not known; the log says why.
            log.warning("sizes of %s's topics are not known: %s", self._source.name, error)


async def _means_on_disk(cluster: Cluster) -> dict[str, float]:
    """Return the bytes of a record by topic, as they are on disk.

    Raises ConnectError, KafkaError and ConnectionLostError.
    """
    metadata = await cluster.metadata()
    sizes = await log_sizes(cluster, sorted(metadata.brokers))
    starts = await offsets(cluster, metadata.topics, EARLIEST, metadata)
    ends = await offsets(cluster, metadata.topics, LATEST, metadata)
    size_of: dict[str, int] = {}
    records_of: dict[str, int] = {}
    for key in sizes.keys() & starts.keys() & ends.keys():
        size_of[key[0]] = size_of.get(key[0], 0) + sizes[key]
        records_of[key[0]] = records_of.get(key[0], 0) + ends[key] - starts[key]
    return {name: size_of[name] / count for name, count in records_of.items() if count > 0}


def _oldest_look(partitions: Iterable[MirrorPartition], seen_at: SeenAt) -> float:
    """Return when all ends had been seen that are followed; 0.0: none ever was.

    A stopped partition's is not followed any more where its topic is gone from the source.
    """
    seen = [
        (seen_at(p), p.state == PartitionState.STOPPED)
        for p in partitions
        if p.measures.source_end is not None
    ]
    followed = [at for at, stopped in seen if not stopped]
    return min(followed or [at for at, _ in seen], default=0.0)


def with_groups(loss: LossSnapshot, page: GroupsPage) -> LossSnapshot:
    """Add what consumer groups would meet; nothing when they were never looked at."""
    if not page.looked_at:
        return loss
    concerned = [
        GroupLoss(group.name, group.again, group.lost)
        for group in page.groups
        if group.again != 0 or group.lost != 0
    ]
    again = [group.again for group in page.groups]
    return replace(
        loss,
        groups=tuple(heapq.nlargest(LISTED, concerned, key=_again)),
        groups_looked_at=page.looked_at,
        again_records=sum(count for count in again if count is not None),
    )


def _again(group: GroupLoss) -> tuple[int, int]:
    return group.again_records or 0, group.lost_records or 0
