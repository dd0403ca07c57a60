"""The source's ends as they were last seen, kept in the state topic for when the source is gone.

An engine that begins on another host while the source is away knows from them what is lost. Only
ends that are not mirrored yet are written, `ends/<topic>` (docs/state.md): whatever has no entry
ended where its mirror stood at the owner's last heartbeat. How fast the source was written,
`written`, tells how much more there may be by now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from engine.kafka.fetch import TopicPartition
from engine.replication.board import Board
from engine.replication.partition import Listener, MirrorPartition
from engine.replication.positions import load_checkpoint
from engine.replication.state_records import Entry, FlowRecord
from engine.replication.topics.selection import TopicSelector
from engine.replication.write_rate import WriteRate

WRITE_S = 5.0
FRESH_S = 3 * WRITE_S  # an older look at any partition tells nothing of the rate
CHANGED = 0.05  # of the rate, to be worth writing


class SeenEnds:
    """What of it is to be written."""

    def __init__(
        self, record: FlowRecord, board: Board, seen_at: Callable[[MirrorPartition], float]
    ) -> None:
        """`seen_at` tells when a partition's end was last seen, however that was; 0.0: never."""
        self._board = board
        self._seen_at = seen_at
        self._rate = WriteRate()
        self._rate_written = record.written_per_second
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
        yield from self._written_with()

    def _written_with(self) -> Iterator[Entry]:
        """Yield the rate at which the source is written, where it has changed."""
        partitions = self._board.partitions.values()
        now = time.time()
        if min(map(self._seen_at, partitions), default=0.0) < now - FRESH_S:
            return  # it keeps the rate that it had when it was last seen
        ends = [p.measures.source_end for p in partitions]
        self._rate.note(now, len(ends), sum(end for end in ends if end is not None))
        rate, before = self._rate.per_second, self._rate_written
        if rate is not None and (before is None or abs(rate - before) > CHANGED * before):
            self._rate_written = rate
            yield "written", {"r": round(rate, 3)}


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
