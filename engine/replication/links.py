"""A flow's fetchers and senders, kept in step with who leads which partition."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Iterable

from engine.config.flow_section import LimitsConfig
from engine.errors import CcrError
from engine.kafka.cluster import Cluster
from engine.kafka.metadata import NO_LEADER, ClusterMetadata
from engine.replication.fetcher import Fetcher
from engine.replication.limiter import Limiter
from engine.replication.partition import MirrorPartition
from engine.replication.sender import Sender

PARTITION_SHARE_BYTES = 4 * 1024 * 1024
THROTTLE_SHOWN_S = 10.0  # so that it does not come and go on the screen
LEAST_SENDER_SHARE_BYTES = 1024 * 1024


class Links:
    """One fetcher a source broker, `connections` senders a target broker."""

    def __init__(
        self,
        source: Cluster,
        target: Cluster,
        limits: LimitsConfig,
        *,
        committed: bool,
        limiter: Limiter,
        may_fetch: Callable[[], bool],
        leader_moved: Callable[[], None],
    ) -> None:
        self._source = source
        self._target = target
        self._limits = limits
        self._committed = committed
        self._limiter = limiter
        self._may_fetch = may_fetch
        self._leader_moved = leader_moved
        self._fetchers: dict[int, tuple[Fetcher, asyncio.Task[None]]] = {}
        self._senders: dict[tuple[int, int], tuple[Sender, asyncio.Task[None]]] = {}
        self._sender_of: dict[MirrorPartition, Sender] = {}
        self.tasks: asyncio.TaskGroup | None = None

    @property
    def troubles(self) -> list[CcrError]:
        """What keeps single brokers from being reached."""
        return self.source_troubles + _troubles(sender for sender, _ in self._senders.values())

    @property
    def source_troubles(self) -> list[CcrError]:
        """What keeps single source brokers from being reached."""
        return _troubles(fetcher for fetcher, _ in self._fetchers.values())

    def seen_at(self, partition: MirrorPartition) -> float:
        """Return when a partition's source end was last seen; 0.0: never."""
        entry = self._fetchers.get(partition.source_leader)
        return entry[0].seen_at(partition) if entry else partition.measures.observed_at

    @property
    def throttled(self) -> list[str]:
        """The clusters whose quotas hold us up just now."""
        since = time.monotonic() - THROTTLE_SHOWN_S
        found = []
        if any(fetcher.throttled_at > since for fetcher, _ in self._fetchers.values()):
            found.append(self._source.name)
        if any(sender.throttled_at > since for sender, _ in self._senders.values()):
            found.append(self._target.name)
        return found

    def assign(
        self,
        partitions: Iterable[MirrorPartition],
        source: ClusterMetadata,
        target: ClusterMetadata,
    ) -> None:
        """Follow the leaders."""
        by_source: dict[int, list[MirrorPartition]] = {}
        used: set[tuple[int, int]] = set()
        for partition in partitions:
            partition.source_leader = source.leader(*partition.key)
            if partition.source_leader != NO_LEADER:
                by_source.setdefault(partition.source_leader, []).append(partition)
            leader = target.leader(*partition.target_key)
            if leader != NO_LEADER:
                place = leader, _spread(partition, self._limits.connections)
                used.add(place)
                self._move(partition, self._sender(place))
        for node in by_source.keys() | self._fetchers.keys():
            if node in source.brokers and node in by_source:
                self._fetcher(node).assign(by_source[node])
            elif node in self._fetchers:
                self._fetchers.pop(node)[1].cancel()
        self._limiter.sharers = max(1, len(self._fetchers))
        for place in self._senders.keys() - used:
            self._senders.pop(place)[1].cancel()

    def _move(self, partition: MirrorPartition, sender: Sender) -> None:
        before = self._sender_of.get(partition)
        if before is sender:
            return
        if before is not None:
            before.forget(partition)
            before.held -= partition.held
            partition.distrust()
        self._sender_of[partition] = sender
        sender.held += partition.held
        sender.adopt(partition)

    def _fetcher(self, node: int) -> Fetcher:
        if node not in self._fetchers:
            fetcher = Fetcher(
                self._source,
                node,
                committed=self._committed,
                limiter=self._limiter,
                admit=self._admit,
                leader_moved=self._leader_moved,
            )
            self._fetchers[node] = fetcher, self._start(fetcher)
        return self._fetchers[node][0]

    def _sender(self, place: tuple[int, int]) -> Sender:
        if place not in self._senders:
            sender = Sender(self._target, place[0], self._leader_moved)
            self._senders[place] = sender, self._start(sender)
        return self._senders[place][0]

    def _start(self, link: Fetcher | Sender) -> asyncio.Task[None]:
        if self.tasks is None:
            raise RuntimeError("links are used only while their flow runs")
        return self.tasks.create_task(link.run())

    def _admit(self, partition: MirrorPartition) -> bool:
        sender = self._sender_of.get(partition)
        if sender is None or not self._may_fetch():
            return False
        share = max(
            LEAST_SENDER_SHARE_BYTES, self._limits.buffer_bytes // max(1, len(self._senders))
        )
        return sender.held < share and partition.wants_data(PARTITION_SHARE_BYTES)

    # what partitions tell

    def has_work(self, partition: MirrorPartition) -> None:
        """A partition has something to send."""
        self._sender_of[partition].enqueue(partition)

    def holds(self, partition: MirrorPartition, delta: int) -> None:
        """A partition holds more or fewer bytes."""
        sender = self._sender_of.get(partition)
        if sender is not None:
            sender.held += delta
        if delta < 0:
            # All of them: what others' partitions wait for is room at the same sender.
            for fetcher, _ in self._fetchers.values():
                fetcher.poke()

    def check(self, partition: MirrorPartition) -> None:
        """Whether to fetch a partition may have changed."""
        entry = self._fetchers.get(partition.source_leader)
        if entry is not None:
            entry[0].check(partition)

    def recheck(self, partitions: Iterable[MirrorPartition]) -> None:
        """Whether to fetch any of them may have changed."""
        for partition in partitions:
            self.check(partition)


def _troubles(links: Iterable[Fetcher | Sender]) -> list[CcrError]:
    found = (link.trouble or link.silence.trouble() for link in links)
    return [trouble for trouble in found if trouble is not None]


def _spread(partition: MirrorPartition, connections: int) -> int:
    """Pick a connection, the same one every time, neighbours on different ones."""
    return (zlib.crc32(partition.target_topic.encode()) + partition.partition) % connections
