"""The source's ends as they were last seen, kept in the state topic for when the source is gone.

An engine that begins on another host while the source is away knows from them what is lost. Only
ends that are not mirrored yet are written, `ends/<topic>` (docs/state.md): whatever has no entry
ended where its mirror stood at the owner's last heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.kafka.fetch import TopicPartition
from engine.replication.board import Board
from engine.replication.partition import Listener, MirrorPartition
from engine.replication.positions import load_checkpoint
from engine.replication.state_records import Entry, FlowRecord
from engine.replication.topics.selection import TopicSelector

WRITE_S = 5.0


class SeenEnds:
    """What of it is to be written."""

    def __init__(self, record: FlowRecord, board: Board) -> None:
        self._board = board
        self._written = {
            topic: {int(number): end for number, end in value["e"].items()}
            for topic, value in record.ends_seen.items()
        }

    def entries(self) -> Iterator[Entry]:
        """Yield what has changed since the last time."""
        ends: dict[str, dict[int, int]] = {}
        seen: dict[str, float] = {}
        for (topic, number), partition in self._board.partitions.items():
            measures = partition.measures
            end, at = measures.source_end, measures.observed_at
            if end is not None and partition.positioned and end > partition.acked.source:
                ends.setdefault(topic, {})[number] = end
                seen[topic] = min(seen.get(topic, at), at)
        for topic in sorted(ends.keys() | self._written.keys()):
            if ends.get(topic, {}) != self._written.get(topic, {}):
                rows = {str(number): end for number, end in ends.get(topic, {}).items()}
                yield f"ends/{topic}", {"at": seen[topic], "e": rows} if rows else None
        self._written = ends


def remembered(
    record: FlowRecord, selector: TopicSelector, listener: Listener
) -> Iterator[tuple[TopicPartition, MirrorPartition]]:
    """Yield the partitions that the state topic knows, with their ends as they were last seen."""
    beat = record.owner.at if record.owner else 0.0
    for key in record.checkpoints:
        partition = MirrorPartition(key, selector.target_name(key[0]), listener)
        load_checkpoint(partition, record)
        value = record.ends_seen.get(key[0], {"at": beat, "e": {}})
        end = value["e"].get(str(key[1]))
        if end is None or end < partition.acked.source:
            partition.observe_end(partition.acked.source, beat)
        else:
            partition.observe_end(end, value["at"])
        partition.wait("the source was not reached since this engine began")
        yield key, partition
