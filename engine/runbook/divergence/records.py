"""Reading and counting: what never arrived, of the source; what is the target's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

from engine.errors import KafkaError
from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.fetch import TopicPartition
from engine.replication.both_ways.marks import is_a_flows, takes_local_only
from engine.replication.verify.reading import Reader
from engine.runbook.divergence.model import PartitionDivergence, Sides

MOST_KEYED = 2_000_000
"""Records of a partition whose keys are looked at: some seconds, and 200 MB at the very most."""

LeavesOut = Callable[[r.Batch], bool]


@dataclass(slots=True)
class Count:
    """Of records and their bytes, as batches stand in the log."""

    records: int = 0
    bytes: int = 0
    left_out: int = 0
    first_ms: int | None = None
    last_ms: int | None = None


class Keys:
    """The keys of counted records, by their hashes; gives up where there are too many."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._looked_at = 0

    @property
    def known(self) -> bool:
        """Whether all were looked at."""
        return self._looked_at <= MOST_KEYED

    def note(self, count: int, decoded: Callable[[], list[r.RawRecord]]) -> None:
        """Take in the keys of some records, unless there are too many by now."""
        self._looked_at += count
        if not self.known:
            self._hashes.clear()
            return
        for row in decoded():
            key, _ = r.key_and_value(row)
            if key is not None:
                self._hashes.add(hash(key))

    def shared(self, others: Keys) -> int | None:
        """Count the keys that both have; None when that is not known."""
        if not (self.known and others.known):
            return None
        return len(self._hashes & others._hashes)


async def count(
    reader: Reader,
    key: TopicPartition,
    extent: tuple[int, int],
    leaves_out: LeavesOut,
    *,
    committed: bool,
    keys: Keys | None = None,
) -> Count:
    """Count what stands between two offsets, and note the keys where asked for.

    Raises ConnectError and KafkaError.
    """
    start, end = extent
    found = Count()
    async for header, view in reader.batches(key, start, end, committed=committed):
        whole = header.base_offset >= start and header.next_offset <= end
        if whole and leaves_out(header):
            found.left_out += header.record_count
            continue
        if keys is not None and not leaves_out(header):
            keys.note(header.record_count, partial(_rows, key, header, view))
        if whole and not header.attributes & b.DELETE_HORIZON:
            timed = bool(header.attributes & b.TIMESTAMP_LOG_APPEND)
            first = header.max_timestamp if timed else header.base_timestamp
            _add(found, header.record_count, header.size, first, header.max_timestamp)
            continue
        rows = [row for row in _rows(key, header, view) if start <= row.offset < end]
        if leaves_out(header):
            found.left_out += len(rows)
        elif rows:
            size = header.size * len(rows) // header.record_count
            times = [row.timestamp for row in rows]
            _add(found, len(rows), size, min(times), max(times))
    return found


def _add(found: Count, records: int, size: int, first_ms: int, last_ms: int) -> None:
    found.records += records
    found.bytes += size
    found.first_ms = first_ms if found.first_ms is None else min(found.first_ms, first_ms)
    found.last_ms = last_ms if found.last_ms is None else max(found.last_ms, last_ms)


def _rows(key: TopicPartition, header: r.Batch, view: memoryview) -> list[r.RawRecord]:
    try:
        return r.decode(view)
    except b.CorruptBatchError as error:
        name = f"{key[0]}/{key[1]} at offset {header.base_offset}"
        raise KafkaError("reading", name, str(error)) from error


def flows_batches(sides: Sides) -> LeavesOut:
    """Return what tells the source's batches that the flow leaves out: other flows brought them."""
    if not takes_local_only(sides.config):
        return lambda _: False
    return by_a_flow


def by_a_flow(header: r.Batch) -> bool:
    """Whether a flow of ccr wrote a batch."""
    return is_a_flows(header.attributes, header.producer_id, header.producer_epoch)


async def diverged_records(
    sides: Sides, reader: Reader, partition: PartitionDivergence
) -> AsyncIterator[tuple[r.Batch, list[r.RawRecord]]]:
    """Yield what never arrived of a partition, batch by batch, in the log's order.

    Raises KafkaError when there are fewer or more of them than were found: retention took some, or
    the topic was written to before its end.
    """
    if not partition.records:
        return
    leaves_out = flows_batches(sides)
    committed = sides.config.isolation == "read_committed"
    seen = 0
    async for header, view in reader.batches(
        partition.key, partition.first, partition.end, committed=committed
    ):
        if leaves_out(header):
            continue
        rows = [
            row
            for row in _rows(partition.key, header, view)
            if partition.first <= row.offset < partition.end
        ]
        seen += len(rows)
        if rows:
            yield header, rows
    if seen != partition.records:
        raise KafkaError(
            "reading what never arrived of",
            f"{partition.topic}/{partition.partition} on cluster {sides.source.name}",
            f"{partition.records} records were found, {seen} are there now",
            "Its retention or compaction has gone on, or the topic was written to: find again",
        )
