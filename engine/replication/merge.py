"""Merging runs of tiny batches: the one place on the data path that works record by record.

A produce request takes one batch a partition, so a source full of one-record batches would cost a
request each. Uncompressed neighbours are joined instead: record bytes are moved as they are, only
length, timestamp delta and offset delta are written anew. Written for speed: local names, one
header unpack a batch, table look-ups for varints (2 to 3 µs a record; see benchmarks/).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from crc32c import crc32c

from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka import varint
from engine.replication.both_ways.marks import FLOW_EPOCH, Inbound, is_a_flows

TINY_BYTES = 4096
TINY_RECORDS = 16

# Joining compressed batches costs 2 to 24 µs a record more than sending each as it is, which costs
# a produce request; so it pays once several were fetched together, which says that they queue up.
LEAST_COMPRESSED = 4

# A batch with any of these attributes is not merged; transactional ones only when none was aborted.
NEVER = b.CODEC_MASK | b.TIMESTAMP_LOG_APPEND | b.CONTROL | b.DELETE_HORIZON

_unpack = b.HEADER.unpack_from
_producer = b.PRODUCER_ID.unpack_from
_table = varint.TABLE
_table_size = varint.TABLE_SIZE


class Merged:
    """A batch in the making: records behind room for the header.

    Batches of the flows in `inbound` are passed over.
    """

    __slots__ = (
        "base_timestamp",
        "batches",
        "buffer",
        "count",
        "first",
        "inbound",
        "last_at",
        "left_out",
        "max_timestamp",
        "pieces",
        "skipped",
    )

    def __init__(self, inbound: Inbound | None = None) -> None:
        self.buffer = bytearray(b.HEADER_SIZE)
        self.inbound = inbound
        self.count = 0
        self.batches = 0
        self.skipped = 0  # batches that were passed over
        self.left_out = 0  # their records
        self.first = -1  # source offset where the first batch begins, passed over or not
        self.last_at = -1  # where the last batch begins
        self.base_timestamp = 0
        self.max_timestamp = 0
        self.pieces: list[list[int]] = []  # [first source offset, records]

    def absorb(  # noqa: C901  (one loop on purpose: a call a record would double its cost)
        self, view: memoryview, at: int, end: int, position: int, excluded: int, limit: int
    ) -> tuple[int, int]:
        """Take tiny batches from `view[at:end]` as long as they come; stop before any other.

        `position` is the next source offset wanted, `excluded` the attributes that end the run,
        `limit` the size in bytes at which the batch is full. Returns (at, position) after the last
        batch. Raises CorruptBatchError, or IndexError or ValueError where records don't fit.
        """
        buffer = self.buffer
        inbound = self.inbound
        count = self.count
        base_timestamp = self.base_timestamp
        max_timestamp = self.max_timestamp
        next_piece = -1
        if self.pieces:
            next_piece = self.pieces[-1][0] + self.pieces[-1][1]
        while at + 61 <= end and len(buffer) < limit:
            base, length, _, magic, crc, attributes, last_delta, first, _, _, _, _, records = (
                _unpack(view, at)
            )
            size = length + 12
            if (
                size > TINY_BYTES
                or attributes & excluded
                or last_delta != records - 1
                or not 0 < records <= TINY_RECORDS
                or magic != 2
                or base < position
                or at + size > end
            ):
                break
            if crc32c(view[at + 21 : at + size]) != crc:
                if self.last_at >= 0:
                    break  # those before it go on
                raise b.CorruptBatchError(f"the batch at offset {base} does not match its CRC")
            if inbound is not None:
                pid, epoch = _producer(view, at + 43)
                if pid in inbound:
                    inbound[pid] += records
                    self.left_out += records
                    self.skipped += 1
                    self.first = base if self.first < 0 else self.first
                    self.last_at = at
                    position = base + records
                    at += size
                    continue
                if epoch == FLOW_EPOCH and pid >= 0:
                    break  # nobody knows it yet: the pump tells
            if count == 0:
                base_timestamp = max_timestamp = first
            read = at + 61
            for index in range(records):
                record_length = view[read]
                read += 1
                if record_length & 0x80:
                    record_length, read = varint.decode(view, read - 1)
                else:
                    record_length = (record_length >> 1) ^ -(record_length & 1)
                record_end = read + record_length
                delta = view[read + 1]
                if delta & 0x80:
                    delta, body = varint.decode(view, read + 1)
                else:
                    delta = (delta >> 1) ^ -(delta & 1)
                    body = read + 2
                # The offset delta is one byte: fewer than 64 records.
                if view[body] != index + index or body >= record_end:
                    raise b.CorruptBatchError(
                        f"record {index} of the batch at offset {base} is malformed"
                    )
                body += 1
                timestamp = first + delta
                if timestamp > max_timestamp:
                    max_timestamp = timestamp
                delta = timestamp - base_timestamp
                delta_bytes = _table[delta] if 0 <= delta < _table_size else varint.encode(delta)
                offset_bytes = _table[count] if count < _table_size else varint.encode(count)
                record_length = 1 + len(delta_bytes) + len(offset_bytes) + record_end - body
                buffer += (
                    _table[record_length]
                    if record_length < _table_size
                    else varint.encode(record_length)
                )
                buffer.append(view[read])
                buffer += delta_bytes
                buffer += offset_bytes
                buffer += view[body:record_end]
                count += 1
                read = record_end
            if read != at + size:
                raise b.CorruptBatchError(
                    f"the batch at offset {base} is not as long as its records"
                )
            if base == next_piece:
                self.pieces[-1][1] += records
            else:
                self.pieces.append([base, records])
            position = next_piece = base + records
            self.batches += 1
            self.first = base if self.first < 0 else self.first
            self.last_at = at
            at += size
        self.count = count
        self.base_timestamp = base_timestamp
        self.max_timestamp = max_timestamp
        return at, position

    def finish(self, producer: tuple[int, int, int]) -> bytearray:
        """Write the header; `producer` is (id, epoch, base sequence)."""
        b.write_header(
            self.buffer, 0, self.base_timestamp, self.max_timestamp, producer, self.count
        )
        return self.buffer


class Joined(NamedTuple):
    """The records of several small compressed batches."""

    codec: int
    records: list[r.RawRecord]
    next_offset: int
    last_at: int  # where the last batch taken begins
    end: int  # where it ends


def join_compressed(
    view: memoryview, at: int, end: int, excluded: int, limit: int, inbound: Inbound | None = None
) -> Joined | None:
    """Decode the run of small batches in one codec that begins at `at`; None when it is short.

    `excluded` are attributes that end the run, as do batches of other flows unless `inbound` is
    None; `limit` is for the records' bytes without compression: a target topic may have them so. A
    batch that cannot be read ends the run, and a run that is too short is not joined, so that it is
    told in the way of any other batch.
    """
    few = list(islice(_small_compressed(view, at, end, excluded, inbound), LEAST_COMPRESSED))
    if len(few) < LEAST_COMPRESSED:
        return None
    records: list[r.RawRecord] = []
    size = taken = 0
    last, behind = few[0][0], at
    for header, batch in _small_compressed(view, at, end, excluded, inbound):
        try:
            b.check_crc(batch, 0, header.size, header.crc)
            more = r.decode(batch)
        except b.CorruptBatchError:
            break
        size += sum(len(record.body) + _RECORD_OVERHEAD for record in more)
        if size > limit:
            break
        records += more
        taken += 1
        last, behind = header, behind + header.size
    if taken < LEAST_COMPRESSED:
        return None
    return Joined(last.codec, records, last.next_offset, behind - last.size, behind)


_RECORD_OVERHEAD = 24  # bytes at most before a record's key, of these sizes


def _small_compressed(
    view: memoryview, at: int, end: int, excluded: int, inbound: Inbound | None
) -> Iterator[tuple[r.Batch, memoryview]]:
    before: r.Batch | None = None
    for header, batch in r.batches(view[at:end]):
        if (
            header.size > TINY_BYTES
            or header.magic != 2
            or not header.codec
            or header.attributes & excluded
            or not 0 < header.record_count <= TINY_RECORDS
            or (inbound is not None and _is_anothers(header, inbound))
        ):
            return
        if before is not None and (
            header.codec != before.codec or header.base_offset < before.next_offset
        ):
            return
        yield header, batch
        before = header


def _is_anothers(header: r.Batch, inbound: Inbound) -> bool:
    return header.producer_id in inbound or is_a_flows(
        header.attributes, header.producer_id, header.producer_epoch
    )
