"""Record batches written and read by aiokafka: what the data path's tests compare with.

Only aiokafka's code (its builder, its parser, its CRC) is used here, so that nothing of ours is
checked against itself.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import strategies as st

HEADER = DefaultRecordBase.HEADER_STRUCT
_FIELDS = (
    "base_offset",
    "length",
    "leader_epoch",
    "magic",
    "crc",
    "attributes",
    "last_offset_delta",
    "first_timestamp",
    "max_timestamp",
    "producer_id",
    "producer_epoch",
    "base_sequence",
    "count",
)

LOG_APPEND_TIME, TRANSACTIONAL, CONTROL, DELETE_HORIZON = 0x08, 0x10, 0x20, 0x40
ABORT, COMMIT = 0, 1
CODECS = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}

Headers = tuple[tuple[str, bytes | None], ...]
Content = tuple[int, bytes | None, bytes | None, Headers]  # timestamp, key, value, headers


class Rec(NamedTuple):
    """A record as a consumer sees it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def content(self) -> Content:
        """All but the offset."""
        return self[1:]


def header_of(batch: bytes | bytearray | memoryview) -> dict[str, int]:
    """Take a batch's header apart."""
    return dict(zip(_FIELDS, HEADER.unpack_from(bytes(batch[: HEADER.size])), strict=True))


def with_header(batch: bytes | bytearray, **changes: int) -> bytes:
    """Change fields of a batch's header and give it the CRC that then is right."""
    fields = header_of(batch) | changes
    out = bytearray(batch)
    HEADER.pack_into(out, 0, *fields.values())
    struct.pack_into(">I", out, 17, calc_crc32c(bytes(out[21:])))
    return bytes(out)


def with_payload(batch: bytes | bytearray, payload: bytes) -> bytes:
    """Exchange what follows the header; length and CRC are made right."""
    whole = bytes(batch[: HEADER.size]) + payload
    return with_header(whole, length=len(whole) - 12)


def batch_of(
    records: Sequence[Rec],
    *,
    codec: int = 0,
    base: int | None = None,
    next_offset: int | None = None,
    producer: tuple[int, int, int] = (-1, -1, -1),
    attributes: int = 0,
) -> bytes:
    """Build a batch as a broker holds it; offsets between the records' are holes.

    `base` and `next_offset` widen it to records that compaction removed at either end; `attributes`
    are added to the codec's.
    """
    base = records[0].offset if base is None else base
    builder = DefaultRecordBatchBuilder(2, codec, 0, *producer, 2**30)
    for record in records:
        builder.append(
            record.offset - base, record.timestamp, record.key, record.value, list(record.headers)
        )
    batch = bytes(builder.build())
    last = (records[-1].offset if next_offset is None else next_offset - 1) - base
    return with_header(
        batch,
        base_offset=base,
        leader_epoch=7,
        attributes=header_of(batch)["attributes"] | attributes,
        last_offset_delta=last,
    )


def empty_batch(base: int, next_offset: int, producer: tuple[int, int, int]) -> bytes:
    """Build what compaction leaves of a batch to remember a producer's last sequence."""
    whole = batch_of([Rec(base, 0, None, None)], producer=producer)
    return with_header(with_payload(whole, b""), count=0, last_offset_delta=next_offset - base - 1)


def marker(offset: int, producer_id: int, kind: int, timestamp: int = 1) -> bytes:
    """Build a transaction marker."""
    record = Rec(offset, timestamp, struct.pack(">hh", 0, kind), struct.pack(">hi", 0, 0))
    return batch_of([record], producer=(producer_id, 0, -1), attributes=TRANSACTIONAL | CONTROL)


def read(record_set: bytes | bytearray | memoryview) -> list[Rec]:
    """Read all records of a record set with aiokafka, CRCs checked."""
    found = []
    batches = MemoryRecords(bytes(record_set))
    while batches.has_next():
        batch = batches.next_batch()
        assert batch is not None
        assert batch.validate_crc()
        found += [
            Rec(record.offset, record.timestamp, record.key, record.value, tuple(record.headers))
            for record in batch
        ]
    return found


def joined(batches: Iterable[bytes]) -> memoryview:
    """Put batches together as a fetched record set, which is writable like a received frame."""
    return memoryview(bytearray(b"".join(batches)))


small_bytes = st.one_of(
    st.none(),
    st.binary(max_size=12),
    st.builds(lambda byte, size: bytes([byte]) * size, st.integers(0, 255), st.integers(0, 300)),
)
headers = st.lists(
    st.tuples(st.text(max_size=6), st.one_of(st.none(), st.binary(max_size=8))), max_size=3
).map(tuple)
# Around a base, with jumps both ways, and now and then far off.
timestamps = st.one_of(
    st.integers(1_700_000_000_000, 1_700_000_000_200),
    st.integers(1_699_999_000_000, 1_700_001_000_000),
    st.integers(-1, 2**53),
)
contents = st.tuples(timestamps, small_bytes, small_bytes, headers)


def dense(base: int, rows: Sequence[Content]) -> list[Rec]:
    """Number records from `base` on."""
    return [Rec(base + number, *row) for number, row in enumerate(rows)]
