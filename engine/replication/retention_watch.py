"""Looks at what lags: whether the source's retention overtakes it (see overtaking).

Ages and sizes are known from mirroring anyway. Asked for are the configs of topics that lag, now
and then, and where the log begins of what is nearly overtaken: one request a broker.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import replace

from engine.api.retention_snapshots import SOON_S, FlowOvertaking, Overtaking
from engine.api.snapshots import PartitionState, Severity
from engine.errors import CcrError
from engine.kafka.cluster import EARLIEST, Cluster
from engine.kafka.connection import ConnectionLostError
from engine.kafka.topic_configs import described_configs
from engine.replication.board import Board
from engine.replication.events import Events
from engine.replication.overtaking import CONFIGS, Look, Retention, forecast
from engine.replication.partition import MirrorPartition

LOOK_S = 5.0
WINDOW_S = 60.0
LAGS_S = 10.0  # a younger lag is no trouble of retention's
NEAR_S = 600.0  # before it is overtaken the log's beginning is looked at
CONFIGS_FOR_S = 300.0
SHARE = 500  # partitions judged at once: some 5 ms
_HALTED = (PartitionState.STOPPED, PartitionState.PAUSED, PartitionState.WAITING)


class RetentionWatch:
    """One flow's, while it is mirrored."""

    def __init__(self, flow: str, source: Cluster, board: Board, events: Events) -> None:
        self._flow = flow
        self._source = source
        self._board = board
        self._events = events
        self._looks: dict[MirrorPartition, deque[Look]] = {}
        self._retention: dict[str, Retention | None] = {}  # None: it may not be read
        self._read_at = float("-inf")  # monotonic
        self._warned = False
        self._unreadable_told = False

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except (CcrError, ConnectionLostError):
                continue  # the flow tells why its source is away; what was forecast stays

    async def look(self) -> None:
        """Look once. Raises ConnectError, KafkaError and ConnectionLostError."""
        now = time.time()
        lagging = [p for p in self._board.partitions.values() if _lags(p, now)]
        before = self._looks
        self._looks = {p: before.get(p) or deque() for p in lagging}
        for partition in before.keys() - self._looks.keys():
            partition.measures.overtaken = None
        await self._read_configs({p.topic for p in lagging})
        now = time.time()
        for number, partition in enumerate(lagging):
            self._judge(partition, now)
            if number % SHARE == SHARE - 1:
                await asyncio.sleep(0)
        await self._look_at_beginnings(now)
        self._warn(now)

    def snapshot(self) -> FlowOvertaking | None:
        """Return what is overtaken first; None when nothing is as things go."""
        found = self._overtaken()
        if not found:
            return None
        partition, first = min(found, key=lambda pair: pair[1].at)
        soon = sum(each.at < time.time() + SOON_S for _, each in found)
        return FlowOvertaking(partition.topic, partition.partition, first, soon)

    def _overtaken(self) -> list[tuple[MirrorPartition, Overtaking]]:
        judged = ((p, p.measures.overtaken) for p in self._looks)
        return [(p, found) for p, found in judged if found is not None]

    def _judge(self, partition: MirrorPartition, now: float) -> None:
        lag, measures = partition.lag_records, partition.measures
        retention = self._retention.get(partition.topic)
        if not lag or retention is None or not retention.limited:
            measures.overtaken = None
            return
        looks, mean = self._looks[partition], measures.mean_bytes
        if looks and looks[-1].mirrored_to > partition.acked.source:
            looks.clear()  # it went back
        size = None if mean is None else lag * mean
        looks.append(Look(now, partition.acked.source, partition.lag_seconds(now), size))
        while now - looks[0].at > WINDOW_S:
            looks.popleft()
        found = forecast(looks, retention, halted=partition.state in _HALTED)
        before = measures.overtaken
        if found is not None and before is not None:
            found = replace(found, gone_records=before.gone_records)
        measures.overtaken = found

    async def _read_configs(self, topics: set[str]) -> None:
        now = time.monotonic()
        if now - self._read_at > CONFIGS_FOR_S:
            self._read_at = now
            self._retention.clear()
        unknown = sorted(topics - self._retention.keys())
        if not unknown:
            return
        found, refused = await described_configs(self._source, unknown, CONFIGS)
        for topic in unknown:
            known = found.get(topic)
            self._retention[topic] = Retention.of(known.values) if known else None
        if refused and not self._unreadable_told:
            self._unreadable_told = True
            topic, error = next(iter(refused.items()))
            text = f"whether retention overtakes {topic} is not known: {error.cause}"
            self._events.emit(Severity.WARNING, f"{self._flow}/{topic}", text, error.next_step)

    async def _look_at_beginnings(self, now: float) -> None:
        """See what is gone already of what may be."""
        near = {p.key: p for p, found in self._overtaken() if found.at < now + NEAR_S}
        if not near:
            return
        metadata = await self._source.metadata({topic for topic, _ in near})
        starts = await self._source.list_offsets(dict.fromkeys(near, EARLIEST), metadata)
        for key, start in starts.items():
            partition = near[key]
            gone, found = max(0, start - partition.acked.source), partition.measures.overtaken
            if found is not None and gone != found.gone_records:
                partition.measures.overtaken = replace(found, gone_records=gone)

    def _warn(self, now: float) -> None:
        """Tell once when something is overtaken within a day, and again after it was not."""
        found = self.snapshot()
        warn = found is not None and found.partitions > 0
        if found is not None and warn and not self._warned:
            at = time.strftime("%d %b %H:%M:%S", time.localtime(found.first.at))
            when = f"at {at}" if found.first.at > now else "at any moment"
            text = (
                f"retention overtakes replication {when} ({found.first.by} on the source), "
                "if things go on as now"
            )
            subject = f"{self._flow}/{found.topic}/{found.partition}"
            next_step = f"Raise {found.first.by} of {found.topic} on the source until it is in step"
            self._events.emit(Severity.WARNING, subject, text, next_step)
        self._warned = warn


def _lags(partition: MirrorPartition, now: float) -> bool:
    if not partition.positioned or not partition.lag_records:
        return False
    age = partition.lag_seconds(now)
    return age is None or age >= LAGS_S
