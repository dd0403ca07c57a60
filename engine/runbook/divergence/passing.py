"""Passing over what the reverse flow brought: to the flow's position, and so to groups.

While the flow rests nobody moves its position on the old primary, and a group is translated to no
offset behind that. Here it goes on over records that the reverse flow appended; it stops before the
first that somebody else wrote.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.kafka.fetch import TopicPartition
from engine.replication.checkpoints import CheckpointWriter
from engine.replication.partition import MirrorPartition
from engine.replication.positions import load_checkpoint
from engine.replication.state_records import FlowRecord
from engine.replication.verify.reading import Reader
from engine.runbook.divergence.logs import Log, partition_logs
from engine.runbook.divergence.model import Late, Remember, Sides
from engine.runbook.divergence.records import by_a_flow, count
from engine.runbook.divergence.unheard import Unheard


async def pass_over(
    sides: Sides, record: FlowRecord, remember: Remember, back: FlowRecord
) -> tuple[Late, ...]:
    """Move the flow's position behind what the reverse flow brought, to the old primary's end.

    `record` and `remember` are the flow's, `back` is the reverse flow's as its state topic has it:
    what its map covers is not read again. To be called again while that one runs, and last when it
    is drained, before its groups are translated. Returns what others wrote to the old primary in
    the meantime, which never arrived on the new one: to be found and settled as any divergence.

    Raises ConnectError, KafkaError and SupersededError.
    """
    keys = sorted(record.checkpoints)
    metadata = await sides.source.metadata({topic for topic, _ in keys})
    logs = await partition_logs(sides.source, metadata, keys, stable=True)
    passer = _Passer(sides, record, back, logs)
    try:
        for key in keys:
            await passer.partition(key)
    finally:
        passer.close()
    if passer.moved:
        writer = CheckpointWriter()
        writer.loaded(record)
        await remember(writer.encode(passer.moved).entries)
    return tuple(passer.late)


class _Passer:
    """Looks at partitions one by one."""

    def __init__(
        self,
        sides: Sides,
        record: FlowRecord,
        back: FlowRecord,
        logs: Mapping[TopicPartition, Log],
    ) -> None:
        self._committed = sides.config.isolation == "read_committed"
        self._record = record
        self._back = back
        self._logs = logs
        self._reader = Reader(sides.source)
        self.moved: list[MirrorPartition] = []
        self.late: list[Late] = []

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()

    async def partition(self, key: TopicPartition) -> None:
        """Move one, as far as there are a flow's records alone."""
        partition = MirrorPartition(key, key[0], Unheard())
        load_checkpoint(partition, self._record)
        log, first = self._logs[key], partition.acked.source
        end = (log.stable if self._committed else log.high) or 0
        if end <= first:
            return
        position = _over_theirs(self._back, key, first, end)
        if position < end:  # newer than the map, markers, or somebody's records
            extent = position, end
            found = await count(self._reader, key, extent, by_a_flow, committed=self._committed)
            if found.records:
                self.late.append(Late(*key, position, end, found.records))
            else:
                position = end
        if position > first:
            partition.acked.source = position
            partition.history.source_epoch = -1  # of records before those
            self.moved.append(partition)


def _over_theirs(back: FlowRecord, key: TopicPartition, first: int, end: int) -> int:
    """Return the first offset that the reverse flow's map does not have."""
    checkpoint = back.checkpoints.get(key)
    if checkpoint is None:
        return first
    others = checkpoint.history.foreign > 0
    reached = min(end, checkpoint.progress.target)
    return max(first, back.offset_map(key).first_strange(first, reached, others=others))
