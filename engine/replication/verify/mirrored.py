"""A partition with its mirror as the offset map has it, and comparing ranges of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.config.flow_section import FlowConfig
from engine.kafka.fetch import TopicPartition
from engine.replication.both_ways.marks import takes_local_only
from engine.replication.offset_map import OffsetMap
from engine.replication.partition import Progress
from engine.replication.troubles import History
from engine.replication.verify.comparer import Comparer, Rules
from engine.replication.verify.findings import Tally
from engine.replication.verify.reading import Reader
from engine.replication.verify.side import Side

TAIL_RECORDS = 10_000  # looked at behind the newest mirrored record, for strangers'


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the two logs begin, and where the mirror ends."""

    source_start: int
    target_start: int
    target_end: int


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What was mirrored of a partition, at one moment."""

    key: TopicPartition
    target_key: TopicPartition
    acked: Progress
    offset_map: OffsetMap
    skipped: Sequence[tuple[int, int]]
    skipped_known: bool
    committed: bool
    local_only: bool
    producer_id: int

    @classmethod
    def of(
        cls,
        key: TopicPartition,
        target_topic: str,
        progress: Progress,
        offset_map: OffsetMap,
        history: History,
        config: FlowConfig,
        *,
        producer_id: int,
    ) -> Mirrored:
        """Copy what goes on changing while a flow runs, the offset map apart."""
        skipped = [(row.first, row.end) for row in history.skipped]
        listed = sum(end - first for first, end in skipped)
        return cls(
            key,
            (target_topic, key[1]),
            Progress(progress.source, progress.target, progress.sequence, progress.newest_ms),
            offset_map,
            skipped,
            listed >= history.skipped_records,
            config.isolation == "read_committed",
            takes_local_only(config),
            producer_id,
        )

    def first_common(self, bounds: Bounds) -> int:
        """Return the first source offset of which both sides may still have the record.

        What the map has folded is not compared: it does not know each record's place.
        """
        first = self.offset_map.exact_since
        if first is None:
            return self.acked.source
        kept = self.offset_map.to_source(bounds.target_start)
        kept = self.acked.source if kept is None else kept
        return min(max(first, bounds.source_start, kept), self.acked.source)

    def count_gone(self, bounds: Bounds, tally: Tally) -> None:
        """Count what retention took away before the first common record."""
        for source, target, count in self.offset_map.runs():
            by_source = min(max(bounds.source_start - source, 0), count)
            by_target = min(max(bounds.target_start - target, 0), count)
            tally.gone_source += by_source
            tally.gone_target += max(by_target - by_source, 0)
            if not by_source and not by_target:
                return

    def rules(self, bounds: Bounds) -> Rules:
        """Return the rules that do not depend on topics' configs."""
        return Rules(
            source_start=bounds.source_start,
            target_start=bounds.target_start,
            mirrored_to=self.acked.target,
            producer_id=self.producer_id,
            local_only=self.local_only,
            skipped=self.skipped,
            skipped_known=self.skipped_known,
        )


async def compare_range(
    mirrored: Mirrored,
    readers: tuple[Reader, Reader],
    source_range: tuple[int, int],
    target_end: int,
    rules: Rules,
    tally: Tally,
    *,
    max_bytes: int | None = None,
    prove_compaction: bool = True,
) -> int:
    """Compare source offsets from first up to end; return how far it came (see `max_bytes`).

    The last range goes on to `target_end`; not to `prove_compaction` says that records which
    supersede others may stand behind that, too. Raises ConnectError, KafkaError, CorruptBatchError.
    """
    first, end = source_range
    offset_map = mirrored.offset_map
    last = end >= mirrored.acked.source
    begin = offset_map.to_target(first)
    if begin is None:
        begin = mirrored.acked.target
    until = min(target_end, mirrored.acked.target + TAIL_RECORDS)
    if not last:
        following = offset_map.to_target(end)
        until = mirrored.acked.target if following is None else following
    source = Side(
        readers[0].batches(
            mirrored.key, first, end, committed=mirrored.committed, max_bytes=max_bytes
        ),
        first,
        end,
    )
    target = Side(
        readers[1].batches(mirrored.target_key, begin, until, committed=False), begin, until
    )
    runs = list(offset_map.reaching(first, end))  # a copy: the map may change meanwhile
    rules = replace(rules, prove_compaction=last and prove_compaction)
    await Comparer(runs, rules, tally).run(source, target, max_bytes=max_bytes)
    return end if max_bytes is None or source.bytes_read < max_bytes else source.reached
