"""Looking for conflicts: the target's log once more, where both origins' writes appear.

It begins at the log's end when the flow does, reads no more than ROUND_BYTES a round, on
connections of its own, and lets go of what it cannot keep up with.
"""

from __future__ import annotations

import asyncio
import time

from engine.api.both_ways_snapshots import ConflictSample, ConflictsSnapshot
from engine.api.snapshots import Severity
from engine.kafka import records as r
from engine.kafka.cluster import LATEST
from engine.kafka.fetch import READ_COMMITTED, TopicPartition
from engine.kafka.metadata import ClusterMetadata
from engine.replication.both_ways.conflicts import Conflicts
from engine.replication.both_ways.inbound import InboundFlows
from engine.replication.both_ways.marks import is_a_flows
from engine.replication.both_ways.provenance import Provenance
from engine.replication.sync.syncer import Outcome, SyncContext
from engine.replication.verify.reading import Reader

ROUND_S = 1.0
ROUND_BYTES = 4 * 1024 * 1024
PIECE_BYTES = 256 * 1024
MOST_BEHIND = 200_000  # offsets of one partition
LOOK_S = 30.0  # between two looks at leaders, and at the flows into the target
TOLD_SPACING_S = 60.0  # between two events about one topic


class ConflictWatch:
    """One flow's; a syncer by its form, though it changes nothing."""

    name = "conflicts"
    interval = ROUND_S

    def __init__(self, context: SyncContext, provenance: Provenance, window_seconds: float) -> None:
        self._context = context
        self._provenance = provenance
        self._window = window_seconds
        self._found = Conflicts(window_seconds)
        self._reader = Reader(context.target, PIECE_BYTES)
        self._into_target = InboundFlows(context.target)
        self._positions: dict[TopicPartition, int] = {}
        self._metadata: ClusterMetadata | None = None
        self._looked_at = float("-inf")  # monotonic
        self._told: dict[str, float] = {}  # by topic, monotonic
        self._origins: dict[int, str] = {}  # cluster by producer id of a flow into the target
        self._records = self._skipped = 0

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()
        self._into_target.close()

    def snapshot(self) -> ConflictsSnapshot:
        """Return what was found so far."""
        return ConflictsSnapshot(
            self._window, self._records, self._skipped, self._found.total, self._found.topics()
        )

    async def sync_once(self) -> Outcome:
        """Read what is new, partition by partition, as far as the round's bytes reach."""
        if not self._provenance.flows:
            return Outcome()  # nobody else mirrors into the source: there is one origin
        metadata = await self._look()
        keys = {p.target_key for p in self._context.board.partitions.values() if p.positioned}
        ends = await self._context.target.list_offsets(
            dict.fromkeys(keys, LATEST), metadata, isolation=READ_COMMITTED
        )
        news = [(self._begin(key, end), key, end) for key, end in ends.items()]
        budget = ROUND_BYTES
        # Those that wait for the longest are the turn's first: a round may not reach them all.
        for behind, key, end in sorted(news, reverse=True):
            if not behind or budget <= 0:
                break
            budget -= await self._read(key, end, min(budget, PIECE_BYTES))
        return Outcome()

    async def _look(self) -> ClusterMetadata:
        now = time.monotonic()
        if self._metadata is None or now - self._looked_at > LOOK_S:
            self._metadata = await self._context.target.metadata()
            self._looked_at = now
            await self._into_target.look(self._metadata)
            self._origins = {flow.producer_id: flow.source for flow in self._into_target.flows}
        return self._metadata

    def _begin(self, key: TopicPartition, end: int) -> int:
        """Return how many offsets are to be read; those that are too many are let go."""
        position = self._positions.setdefault(key, end)
        if position > end:  # the log was cut, or begun anew
            position = self._positions[key] = end
        if end - position > MOST_BEHIND:
            self._skipped += end - position
            position = self._positions[key] = end
        return end - position

    async def _read(self, key: TopicPartition, end: int, most_bytes: int) -> int:
        size = 0
        async for header, view in self._reader.batches(
            key, self._positions[key], end, committed=True, max_bytes=most_bytes
        ):
            self._take(key, header, r.decode(view))
            self._positions[key] = header.next_offset
            size += header.size
            await asyncio.sleep(0)
        if not size:
            self._positions[key] = end  # markers and aborted data
        return size

    def _take(self, key: TopicPartition, header: r.Batch, records: list[r.RawRecord]) -> None:
        origin = self._origin(header)
        position = self._positions[key]
        for record in records:
            if record.offset < position:
                continue
            self._records += 1
            name, _ = r.key_and_value(record)
            if name is not None:
                sample = self._found.note(key, name, origin, record.timestamp, record.offset)
                if sample is not None:
                    self._tell(key[0], sample)

    def _origin(self, header: r.Batch) -> str:
        if not is_a_flows(header.attributes, header.producer_id, header.producer_epoch):
            return self._context.target.name
        return self._origins.get(header.producer_id) or f"flow {header.producer_id}"

    def _tell(self, topic: str, sample: ConflictSample) -> None:
        now = time.monotonic()
        if now - self._told.get(topic, float("-inf")) < TOLD_SPACING_S:
            return  # counted, and in every snapshot
        self._told[topic] = now
        one, other = sample.before, sample.behind
        self._context.events.emit(
            Severity.WARNING,
            f"{self._context.flow}/{topic}/{sample.partition}",
            f"key {sample.key} was written on {one.origin} and on {other.origin} within "
            f"{self._window:g} s (offsets {one.offset} and {other.offset} on "
            f"{self._context.target.name}); both clusters have both, in different orders",
            "ccr does not choose: write each key on one cluster, or let readers decide",
        )
