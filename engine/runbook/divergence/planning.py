"""The way back: where the reverse flow begins, and what is to be expected of it.

It reads the new primary from the first record on that did not come from the old one, and appends to
the old one's log behind all that stands there. What came from the old one it leaves out by its
producer id, re-injected records too; so what is copied is the delta, wherever it begins. Beginning
there saves reading the rest. Two exceptions, copied whole, whoever wrote it (`both_ways.whole`):
what the old primary has lost again, and everything where its topic is another one now.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.config.flow_section import StartAt
from engine.errors import KafkaError, RefusedError
from engine.kafka import records as r
from engine.kafka.cluster import Cluster
from engine.kafka.fetch import TopicPartition
from engine.kafka.log_dirs import log_sizes
from engine.kafka.metadata import NO_TOPIC_ID, ClusterMetadata
from engine.replication.both_ways.marks import takes_local_only
from engine.replication.state_records import FlowRecord
from engine.replication.topics.selection import TopicSelector
from engine.replication.verify.reading import Reader
from engine.runbook.divergence.logs import Log, partition_logs
from engine.runbook.divergence.model import (
    Divergence,
    PartitionDivergence,
    PartitionWayBack,
    Sides,
    Standing,
    WayBack,
)
from engine.runbook.divergence.records import by_a_flow, count

OPERATION = "planning the way back by flow"


async def way_back(
    divergence: Divergence, record: FlowRecord, reverse: Sides, back: FlowRecord
) -> WayBack:
    """Return where the reverse flow begins with all partitions of which it could be told.

    `record` is the flow's, settled; `back` the reverse flow's (`seeding.read_record`). What is to
    be copied is counted by reading the new primary's own records once; where that is everything, by
    offsets and the size of its logs.

    Raises RefusedError where the reverse flow is none, ConnectError, KafkaError and TooSlowError.
    """
    told = {each.key: each for each in divergence.partitions if each.standing != Standing.UNTOLD}
    new = await reverse.source.metadata()
    old = await reverse.target.metadata({topic for topic, _ in told})
    await _require_fits(divergence, reverse, new, told)
    mirrors = {(each.target_topic, each.partition) for each in told.values()}
    full = any(each.standing is Standing.REBUILT for each in told.values())
    planner = _Planner(
        reverse,
        record,
        back,
        old,
        await partition_logs(reverse.source, new, mirrors, stable=False),
        await partition_logs(reverse.target, old, told, stable=False),
        await _sizes(reverse.source, new) if full else {},
    )
    try:
        partitions = [await planner.partition(each) for each in told.values()]
    finally:
        planner.close()
    return WayBack(reverse.flow, tuple(each for each in partitions if each is not None))


async def _require_fits(
    divergence: Divergence,
    reverse: Sides,
    new: ClusterMetadata,
    told: Mapping[TopicPartition, PartitionDivergence],
) -> None:
    """Raise RefusedError when the reverse flow would not bring back what it should."""
    ends = reverse.source.name, reverse.target.name
    renamed = [each.topic for each in told.values() if each.topic != each.target_topic]
    why = ""
    if ends != (divergence.target, divergence.source):
        why = f"it goes from {ends[0]} to {ends[1]}"
    elif renamed:
        why = f"{renamed[0]} has another name on the new primary: nothing leads back to it"
    elif not takes_local_only(reverse.config):
        why = "with origin: any or rename: prefix it copies back what came from there"
    elif reverse.config.start is not StartAt.EARLIEST:
        why = "partitions without a position would not begin at their beginning (start)"
    else:
        selected = await TopicSelector(reverse.config).select(new.topics.values())
        lacking = {each.target_topic for each in told.values()} & new.topics.keys()
        lacking -= selected.keys()
        if lacking:
            why = f"it does not take {len(lacking)} topics, {min(lacking)} is one"
    if why:
        raise RefusedError(
            OPERATION, reverse.flow, why, "Write it with the same topics, and nothing else set"
        )


async def _sizes(cluster: Cluster, metadata: ClusterMetadata) -> dict[TopicPartition, int]:
    """Return how large logs are; nothing where we may not ask, they are read then."""
    try:
        return await log_sizes(cluster, sorted(metadata.brokers))
    except KafkaError:
        return {}


class _Planner:
    """Plans partition by partition."""

    def __init__(
        self,
        reverse: Sides,
        record: FlowRecord,
        back: FlowRecord,
        old: ClusterMetadata,
        new_logs: Mapping[TopicPartition, Log],
        old_logs: Mapping[TopicPartition, Log],
        sizes: Mapping[TopicPartition, int],
    ) -> None:
        self._reverse = reverse
        self._record = record
        self._back = back
        self._old = old
        self._new_logs = new_logs
        self._old_logs = old_logs
        self._sizes = sizes
        self._reader = Reader(reverse.source)

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()

    async def partition(self, found: PartitionDivergence) -> PartitionWayBack | None:
        """Plan one; None where the new primary has no such partition: there is nothing on it."""
        mirror = found.target_topic, found.partition
        new, old = self._new_logs[mirror], self._old_logs[found.key]
        if not new.there:
            return None
        if not new.answers or (old.there and not old.answers):
            name = f"{found.topic}/{found.partition}"
            raise KafkaError(OPERATION, name, "its leader does not answer", retriable=True)
        low, high = new.low or 0, new.high or 0
        full = found.standing is Standing.REBUILT
        whole = (0, found.mirrored_to) if full else (found.lost_from or 0, found.mirrored_to)
        if not full and found.lost_from is None:
            whole = (0, 0)
        own = None if full else self._own_position(found)
        if own is not None and own > whole[0] and whole[1]:
            raise RefusedError(
                OPERATION, self._reverse.flow,
                f"it has passed offset {whole[0]} of {found.target_topic}/{found.partition} "
                "already, which is to be copied back from there",
                f"Stop it, and delete its state topic on {self._reverse.target.name}",
            )  # fmt: skip
        begin = 0 if full else self._begin(found) if own is None else own
        read_from = max(low, begin)
        records, size = await self._count(mirror, (read_from, high), whole, full=full)
        return PartitionWayBack(
            *mirror,
            read_from=read_from,
            append_at=old.high or 0,
            whole_from=whole[0],
            whole_to=whole[1],
            records=records,
            bytes=size,
            counted_to=high,
            aside=self._aside(found),
            begun=own is not None,
            full=full,
        )

    def _own_position(self, found: PartitionDivergence) -> int | None:
        """Return where the reverse flow goes on by itself; None when it never mirrored this one."""
        checkpoint = self._back.checkpoints.get((found.target_topic, found.partition))
        if checkpoint is None:
            return None
        now = self._old.topic_id(found.topic)
        known = checkpoint.history.target_id
        return checkpoint.progress.source if now in (NO_TOPIC_ID, known) else None

    def _begin(self, found: PartitionDivergence) -> int:
        """Return the first offset that is to be read: a stranger's, or of what was lost again."""
        starts = [found.strangers_from, found.mirrored_to]
        if found.lost_from is not None:
            starts.append(found.lost_from)
        return min(starts)

    def _aside(self, found: PartitionDivergence) -> int:
        """Count what stands on the old primary alone, as far as it was not re-injected."""
        if found.key not in self._record.checkpoints:
            return found.records
        offset_map = self._record.offset_map(found.key)
        return found.records - min(found.records, offset_map.count(found.first, found.end))

    async def _count(
        self,
        mirror: TopicPartition,
        extent: tuple[int, int],
        whole: tuple[int, int],
        *,
        full: bool,
    ) -> tuple[int, int]:
        if full and mirror in self._sizes:
            return max(0, extent[1] - extent[0]), self._sizes[mirror]

        def leaves_out(header: r.Batch) -> bool:
            return by_a_flow(header) and not whole[0] < header.next_offset <= whole[1]

        committed = self._reverse.config.isolation == "read_committed"
        found = await count(self._reader, mirror, extent, leaves_out, committed=committed)
        return found.records, found.bytes
