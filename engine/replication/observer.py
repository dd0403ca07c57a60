"""Watching a flow that is not run here: its source's ends, its progress from the state topic."""

from __future__ import annotations

import time

from engine.api.snapshots import PartitionState
from engine.config.flow_section import FlowConfig, Offsets
from engine.errors import CcrError
from engine.kafka import fetch
from engine.kafka.cluster import LATEST, Cluster
from engine.kafka.fetch import TopicPartition
from engine.replication.board import Board
from engine.replication.identical.identity import note_beginning
from engine.replication.partition import MirrorPartition
from engine.replication.positions import load_checkpoint
from engine.replication.seen_ends import remembered
from engine.replication.source_ends import observe_starts
from engine.replication.state_log import StateLog
from engine.replication.state_records import Checkpoint
from engine.replication.topics.selection import TopicSelector
from engine.replication.troubles import Trouble


class Observer:
    """Keeps a board up to date by looking; changes nothing anywhere."""

    def __init__(self, config: FlowConfig, source: Cluster, state: StateLog, board: Board) -> None:
        self._source = source
        self._state = state
        self._board = board
        self._selector = TopicSelector(config)
        self._isolation = (
            fetch.READ_COMMITTED if config.isolation == "read_committed" else fetch.READ_UNCOMMITTED
        )
        self._identical = config.offsets == Offsets.IDENTICAL
        self._loaded: dict[TopicPartition, Checkpoint] = {}
        self.observed_at = 0.0

    async def look(self, state: PartitionState) -> None:
        """Look once at every selected partition; those not stopped are shown as `state`.

        The state topic has to be read by the caller beforehand. Raises ConnectError and KafkaError.
        """
        try:
            metadata = await self._source.metadata()
        except CcrError:
            self._remember()
            raise
        keys = []
        selected = await self._selector.select(metadata.topics.values())
        for topic in selected.values():
            keys += [(topic.name, number) for number in topic.partitions]
        ends = await self._source.list_offsets(
            dict.fromkeys(keys, LATEST), metadata, isolation=self._isolation
        )
        now = time.time()
        for key in keys:
            partition = self._board.partitions.get(key)
            if partition is None:
                target_name = self._selector.target_name(key[0])
                partition = MirrorPartition(key, target_name, _NobodyListens())
                self._board.add(partition)
            self._refresh(partition, state)
            if key in ends:
                partition.observe_end(ends[key], now)
        await observe_starts(self._source, self._board.partitions.values(), metadata)
        self.observed_at = now

    def _remember(self) -> None:
        if not self._board.partitions:
            record = self._state.record
            for _, partition in remembered(record, self._selector, _NobodyListens()):
                self._board.add(partition)

    def _refresh(self, partition: MirrorPartition, state: PartitionState) -> None:
        partition.state, partition.reason = state, None
        checkpoint = self._state.record.checkpoints.get(partition.key)
        if checkpoint is None:
            return
        if checkpoint is not self._loaded.get(partition.key):  # its map is put together only then
            self._loaded[partition.key] = checkpoint
            before = partition.acked.source if partition.positioned else None
            load_checkpoint(partition, self._state.record)
            note_beginning(partition, identical=self._identical)
            if before is not None:
                partition.measures.acknowledged(max(0, partition.acked.source - before), 0)
        elif checkpoint.stopped is not None:
            partition.set_state(PartitionState.STOPPED, checkpoint.stopped)


class _NobodyListens:
    """A watched partition never does anything by itself."""

    def changed(self, partition: MirrorPartition) -> None:
        """Nothing to checkpoint."""

    def has_work(self, partition: MirrorPartition) -> None:
        """Nothing to send."""

    def holds(self, partition: MirrorPartition, delta: int) -> None:
        """Nothing to account for."""

    def released(self, partition: MirrorPartition) -> None:
        """Nothing to fetch."""

    def needs_resync(self, partition: MirrorPartition, sequence_refused: bool) -> None:
        """Nothing to look up."""

    def troubled(self, partition: MirrorPartition, trouble: Trouble) -> None:
        """Nothing to mend."""

    def stranger_wrote(self, partition: MirrorPartition, expected: int, actual: int) -> None:
        """Nothing to warn of."""
