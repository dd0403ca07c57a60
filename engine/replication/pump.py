"""The pump: fetched record sets in, batches ready to be appended to the target out.

For each source batch the cheapest way that is right (design, section 3): stamp the header in place,
merge a run of tiny ones, write it again densely (messages of formats 0 and 1 too), or leave it out
(transaction markers, aborted data, what another flow mirrored into the source). The pump numbers
what it puts out; it knows nothing of connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.kafka import batch as b
from engine.kafka import legacy
from engine.kafka import records as r
from engine.kafka.fetch import PartitionData
from engine.replication.aborted import AbortedFilter
from engine.replication.already_there import AlreadyThere, DivergedError, pieces_of
from engine.replication.both_ways.marks import Inbound, UnknownOriginError, is_a_flows
from engine.replication.merge import NEVER, TINY_BYTES, Joined, Merged, join_compressed

MERGE_LIMIT_BYTES = 256 * 1024
_REWRITE = b.TIMESTAMP_LOG_APPEND | b.DELETE_HORIZON


class UnsupportedBatchError(ValueError):
    """A batch that this version cannot mirror; the partition stops rather than lose it."""


class DisorderError(b.CorruptBatchError):
    """A batch's base offset, which no CRC covers, does not fit those around it."""


@dataclass(slots=True, eq=False)
class Append:
    """One batch on its way to the target."""

    payload: memoryview | bytearray
    count: int
    sequence: int
    pieces: Sequence[Sequence[int]]  # [first source offset, records], in order
    next_source: int  # where to go on once this is acknowledged
    max_timestamp: int  # ms
    left_out: int = 0  # other flows' records between the append before and `next_source`


class Pump:
    """One partition's. `position` is the next source offset, `sequence` the next number."""

    __slots__ = (
        "already_there",
        "dropped_at",
        "epoch",
        "inbound",
        "left_out",
        "matched",
        "matched_left_out",
        "merge_limit",
        "position",
        "producer",
        "sequence",
    )

    def __init__(self, producer: tuple[int, int], position: int, sequence: int) -> None:
        self.producer = producer  # id, epoch
        self.position = position
        self.sequence = sequence
        self.epoch = -1  # leader epoch of the last batch that was dealt with
        self.merge_limit = MERGE_LIMIT_BYTES
        self.already_there: AlreadyThere | None = None
        self.matched: list[tuple[int, int, int]] = []  # runs found to be on the target already
        self.inbound: Inbound | None = None  # flows whose batches are left out; None: nobody's are
        self.left_out = 0  # their records since the last append
        self.matched_left_out = 0  # and before the last record in `matched`
        self.dropped_at = -1  # the first batch with a marker or aborted records: its first offset

    def take(self, view: memoryview, data: PartitionData, *, committed: bool) -> list[Append]:
        """Turn the record set `view[data.start:data.end]` into appends and move on behind it.

        `committed` leaves out aborted transactions. Raises ValueError (CorruptBatchError,
        UnsupportedBatchError, DivergedError, content out of bounds) or IndexError when the first
        batch that is wanted cannot be mirrored. Where a later one cannot, those before it are
        returned, and the next record set begins with it; but where offsets do not ascend, any batch
        of the set may be the wrong one, and nothing of it is taken. So it is, too, with a batch of
        a flow that `inbound` does not have: UnknownOriginError.
        """
        out: list[Append] = []
        before = self.position, self.sequence, self.epoch, self.left_out
        try:
            self._take_all(view, data, out, committed=committed)
        except DisorderError:
            self.position, self.sequence, self.epoch, self.left_out = before
            raise
        except DivergedError:
            raise
        except (ValueError, IndexError):
            if not out:
                raise
        return out

    def _take_all(
        self, view: memoryview, data: PartitionData, out: list[Append], *, committed: bool
    ) -> None:
        filter_ = AbortedFilter(data.aborted if committed else ())
        excluded = NEVER | (b.TRANSACTIONAL if data.aborted else 0)
        at, end = data.start, data.end
        reached = -1  # where the batches so far end
        while at < end:
            if self.already_there is None and b.size_at(view, at, end) <= TINY_BYTES:
                merged = Merged(self.inbound)
                at_next, position = merged.absorb(
                    view, at, end, self.position, excluded, self.merge_limit
                )
                if merged.batches > 1 or merged.skipped:
                    self._take_merged(merged, position, out)
                    self.epoch = b.leader_epoch(view, merged.last_at)
                    _check_order(merged.first, reached)
                    at, reached = at_next, position
                    continue
            if legacy.is_legacy(view, at, end):
                run = legacy.read_run(view, at, end, self.merge_limit)
                if run is None:
                    break
                _check_order(run.records[0].offset, reached)
                self._take_run(run, out)
                at, reached = run.end, run.next_offset
                continue
            if at + b.HEADER_SIZE > end:
                break
            header = r.read_header(view, at)
            _check_format(header)
            if at + header.size > end:
                break  # the broker cut the last batch off; it comes whole with the next fetch
            _check_order(header.base_offset, reached)
            joined = self._join(view, at, end, header, excluded)
            if joined is not None:
                self._take_run(joined, out)
                self.epoch = b.leader_epoch(view, joined.last_at)
                at, reached = joined.end, joined.next_offset
                continue
            self._take_one(view[at : at + header.size], header, filter_, out)
            reached = header.next_offset
            self.epoch = header.leader_epoch
            at += header.size
        if at == data.start < end:
            _explain_fragment(view[at:end])

    def _take_merged(self, merged: Merged, position: int, out: list[Append]) -> None:
        self.left_out += merged.left_out
        self.position = position
        if merged.batches:
            payload = merged.finish((*self.producer, self.sequence))
            self._put(payload, merged.count, merged.pieces, position, merged.max_timestamp, out)

    def _put(
        self,
        payload: memoryview | bytearray,
        count: int,
        pieces: Sequence[Sequence[int]],
        next_source: int,
        max_timestamp: int,
        out: list[Append],
    ) -> None:
        """Put out a batch that is stamped with the next number."""
        sequence, left_out = self._number(count), self.left_out
        self.left_out = 0
        out.append(Append(payload, count, sequence, pieces, next_source, max_timestamp, left_out))

    def _number(self, count: int) -> int:
        sequence = self.sequence
        self.sequence = b.add_sequence(sequence, count)
        return sequence

    def _take_one(
        self, view: memoryview, header: r.Batch, filter_: AbortedFilter, out: list[Append]
    ) -> None:
        b.check_crc(view, 0, header.size, header.crc)
        next_offset = header.next_offset
        if next_offset <= self.position:
            return
        dropped = filter_.drops(header)
        if dropped and self.dropped_at < 0:
            self.dropped_at = header.base_offset
        if dropped or header.record_count == 0 or self._is_anothers(header):
            self.position = next_offset
            return
        if self.already_there is not None or self._needs_rewrite(header):
            self._write(r.decode(view), header.codec, next_offset, out)
        else:
            b.stamp(view, header.codec, *self.producer, self.sequence)
            pieces = ((header.base_offset, header.record_count),)
            self._put(view, header.record_count, pieces, next_offset, header.max_timestamp, out)
        self.position = next_offset

    def _is_anothers(self, header: r.Batch) -> bool:
        """Whether another flow mirrored the batch into the source; counts it then."""
        inbound = self.inbound
        if inbound is None:
            return False
        if header.producer_id in inbound:
            inbound[header.producer_id] += header.record_count
            self.left_out += header.record_count
            return True
        if is_a_flows(header.attributes, header.producer_id, header.producer_epoch):
            raise UnknownOriginError(header.producer_id, header.base_offset)
        return False

    def _needs_rewrite(self, header: r.Batch) -> bool:
        holes = header.last_offset_delta != header.record_count - 1
        return bool(holes or header.base_offset < self.position or header.attributes & _REWRITE)

    def _join(
        self, view: memoryview, at: int, end: int, header: r.Batch, excluded: int
    ) -> Joined | None:
        if not header.codec or header.size > TINY_BYTES or self.already_there is not None:
            return None
        return join_compressed(
            view, at, end, excluded & ~b.CODEC_MASK, self.merge_limit, self.inbound
        )

    def _take_run(self, run: legacy.Run | Joined, out: list[Append]) -> None:
        if run.next_offset <= self.position:
            return
        self._write(run.records, run.codec, run.next_offset, out)
        self.position = run.next_offset

    def _write(
        self, records: list[r.RawRecord], codec: int, next_offset: int, out: list[Append]
    ) -> None:
        """Write those of the records that are wanted as one dense batch."""
        wanted = [record for record in records if record.offset >= self.position]
        if self.already_there is not None:
            wanted = self._match(self.already_there, wanted)
        if not wanted:
            return
        payload = r.encode(wanted, codec, (*self.producer, self.sequence))
        timestamp = max(record.timestamp for record in wanted)
        self._put(payload, len(wanted), pieces_of(wanted), next_offset, timestamp, out)

    def _match(self, there: AlreadyThere, wanted: list[r.RawRecord]) -> list[r.RawRecord]:
        """Pair records with those already on the target; return the rest."""
        found = there.match(wanted)
        self.matched += found
        used = sum(count for _, _, count in found)
        self._number(used)
        self.matched_left_out += self.left_out
        self.left_out = 0
        if not there.ranges:
            self.already_there = None
        return wanted[used:]


def _check_format(header: r.Batch) -> None:
    if header.magic != 2:
        raise UnsupportedBatchError(
            f"the batch at offset {header.base_offset} has message format {header.magic}"
        )
    if header.size < b.HEADER_SIZE:
        raise b.CorruptBatchError(
            f"the batch at offset {header.base_offset} says that it has {header.size} bytes"
        )


def _check_order(offset: int, reached: int) -> None:
    if offset < reached:
        raise DisorderError(
            f"the batch at offset {offset} stands behind one that ends at offset {reached}"
        )


def _explain_fragment(view: memoryview) -> None:
    """A record set without one whole batch: since Fetch v3 brokers send none. Always raises."""
    raise b.CorruptBatchError(f"the source sent {len(view)} bytes, which are no whole batch")
