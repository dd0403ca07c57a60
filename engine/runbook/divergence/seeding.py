"""Writing down where the reverse flow begins, before it does: in its own state topic."""

from __future__ import annotations

from engine.config.flow_section import Offsets
from engine.identity import this_engine
from engine.kafka.cluster import Cluster
from engine.kafka.metadata import ClusterMetadata
from engine.replication.both_ways.whole import whole_entry, whole_of
from engine.replication.checkpoints import CheckpointWriter, forgotten
from engine.replication.partition import MirrorPartition
from engine.replication.positions import load_checkpoint
from engine.replication.state_log import StateLog
from engine.replication.state_records import Entry, FlowRecord
from engine.runbook.divergence.model import PartitionWayBack, Sides, WayBack
from engine.runbook.divergence.unheard import Unheard


async def read_record(flow: str, target: Cluster) -> FlowRecord:
    """Return what a flow's state topic says; nothing for a flow that never ran.

    Raises ConnectError, KafkaError and ConnectionLostError.
    """
    state = StateLog(flow, target, this_engine())
    try:
        if await state.exists():
            await state.read()
        return state.record
    finally:
        await state.close()


async def seed(reverse: Sides, planned: WayBack) -> int:
    """Have the reverse flow begin as planned; return how many partitions were written.

    It is claimed for that and given up again; an engine that runs it stands by meanwhile. Done once
    more, it writes nothing. Raises ConnectError, KafkaError, ConnectionLostError, SupersededError.
    """
    state = StateLog(reverse.flow, reverse.target, this_engine())
    try:
        await state.create()
        await state.read()
        topics = {each.topic for each in planned.partitions}
        new = await reverse.source.metadata(topics)
        old = await reverse.target.metadata(topics)
        seeder = _Seeder(reverse, state.record, new, old)
        seeds = [entries for each in planned.partitions if (entries := seeder.entries(each))]
        if not seeds:
            return 0
        await state.establish_identity()
        await state.claim()
        await state.release([entry for entries in seeds for entry in entries])
        return len(seeds)
    finally:
        await state.close()


class _Seeder:
    """Makes a partition's entries; none for those that stand there already."""

    def __init__(
        self, reverse: Sides, record: FlowRecord, new: ClusterMetadata, old: ClusterMetadata
    ) -> None:
        self._identical = reverse.config.offsets is Offsets.IDENTICAL
        self._record = record
        self._new = new
        self._old = old
        self._writer = CheckpointWriter()
        self._writer.loaded(record)

    def entries(self, planned: PartitionWayBack) -> list[Entry]:
        """Return what is to be written."""
        key = planned.topic, planned.partition
        entries: list[Entry] = []
        known = whole_of(self._record, key, None)
        wanted = planned.whole_from, planned.whole_to
        if wanted[1] and (known is None or (known.first, known.end) != wanted):
            entries.append(whole_entry(key, *wanted))
        if not planned.begun:
            entries += self._position(planned)
        return entries

    def _position(self, planned: PartitionWayBack) -> list[Entry]:
        key = planned.topic, planned.partition
        partition = MirrorPartition(key, planned.topic, Unheard())
        known = load_checkpoint(partition, self._record)
        topic = self._old.topics.get(planned.topic)
        there = topic is not None and planned.partition in topic.partitions
        if not there or (planned.full and self._identical):
            # The flow makes the topic, and begins at the beginning by its own rules.
            return forgotten(partition) if known and self._outlived(partition) else []
        if known and not self._outlived(partition):
            return []  # written before, or the flow runs already
        partition.restart(planned.read_from, planned.append_at)
        partition.history.source_id = self._new.topic_id(planned.topic)
        partition.history.target_id = self._old.topic_id(planned.topic)
        partition.positioned = True
        return self._writer.encode([partition]).entries

    def _outlived(self, partition: MirrorPartition) -> bool:
        """Whether a checkpoint is of a topic that is no more."""
        return self._old.topic_id(partition.topic) != partition.history.target_id
