"""Passing over what the reverse flow brought: to the flow's position, and so to groups.

While the flow rests nobody moves its position on the old primary, and a group is translated to no
offset behind that. Here it goes on over records that the reverse flow appended; it stops before the
first that somebody else wrote.
"""

from __future__ import annotations

from engine.kafka.fetch import TopicPartition
from engine.replication.checkpoints import CheckpointWriter
from engine.replication.partition import MirrorPartition
from engine.replication.positions import load_checkpoint
from engine.replication.state_records import FlowRecord
from engine.replication.verify.reading import Reader
from engine.runbook.divergence.model import Late, Remember, Sides
from engine.runbook.divergence.records import by_a_flow, count
from engine.runbook.divergence.strange import first_strange
from engine.runbook.divergence.unheard import Unheard


async def pass_over(
    sides: Sides, record: FlowRecord, remember: Remember, back: FlowRecord
) -> tuple[Late, ...]:
    """Move the flow's position behind what the reverse flow brought.

    `record` and `remember` are the flow's, `back` is the reverse flow's as its state topic has it
    now. To be called again while that one runs, and last when it is drained, before its groups are
    translated. Returns what others wrote to the old primary in the meantime, which never arrived
    on the new one: to be looked for and settled as any divergence.

    Raises ConnectError, KafkaError and SupersededError.
    """
    reader = Reader(sides.source)
    writer = CheckpointWriter()
    writer.loaded(record)
    late, moved = [], []
    try:
        for key in sorted(record.checkpoints):
            reached = _reached(back, key)
            partition = MirrorPartition(key, key[0], Unheard())
            load_checkpoint(partition, record)
            first = partition.acked.source
            if reached <= first:
                continue
            position = _over_theirs(back, key, first, reached)
            if position < reached:  # markers, or somebody's records
                extent = position, reached
                found = await count(reader, key, extent, by_a_flow, committed=True)
                if found.records:
                    late.append(Late(*key, position, reached, found.records))
                else:
                    position = reached
            if position > first:
                partition.acked.source = position
                partition.history.source_epoch = -1  # of records before those
                moved.append(partition)
    finally:
        reader.close()
    if moved:
        await remember(writer.encode(moved).entries)
    return tuple(late)


def _reached(back: FlowRecord, key: TopicPartition) -> int:
    """Return the offset on the old primary up to which the reverse flow has appended."""
    checkpoint = back.checkpoints.get(key)
    return checkpoint.progress.target if checkpoint else 0


def _over_theirs(back: FlowRecord, key: TopicPartition, first: int, reached: int) -> int:
    others = back.checkpoints[key].history.foreign > 0
    return first_strange(back.offset_map(key), first, reached, others=others)
