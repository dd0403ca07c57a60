"""RecordBatch v2 in place: header fields, patching, CRC-32C.

Format: KIP-98, `clients/.../common/record/DefaultRecordBatch.java`. A batch is 12 bytes (base
offset, length of the rest) followed by the rest; the CRC covers everything from the attributes on,
so base offset and leader epoch may change without a new CRC, all other fields need one.
"""

from __future__ import annotations

import struct

from crc32c import crc32c

HEADER = struct.Struct(">qiibIhiqqqhii")
HEADER_SIZE = HEADER.size  # 61
PREFIX = struct.Struct(">qi")  # base offset, length of what follows
PREFIX_SIZE = PREFIX.size  # 12
PRODUCER_ID = struct.Struct(">qh")  # id, epoch; at AT_PRODUCER

# Offsets of single fields from the batch's start.
AT_EPOCH, AT_MAGIC, AT_CRC, AT_ATTRIBUTES = 12, 16, 17, 21
AT_BASE_TIMESTAMP, AT_PRODUCER, AT_COUNT = 27, 43, 57

CODEC_MASK = 0x07
TIMESTAMP_LOG_APPEND = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
DELETE_HORIZON = 0x40

NO_PRODUCER_ID = -1
MAX_SEQUENCE = 2**31  # sequences are counted modulo this
MAX_TIMESTAMP = 2**63 - 1

_U32 = struct.Struct(">I")
_I32 = struct.Struct(">i")
_I16 = struct.Struct(">h")
_PRODUCER = struct.Struct(">qhi")


class CorruptBatchError(ValueError):
    """The bytes are not a batch, or its CRC does not match its content."""


def check_crc(view: memoryview, start: int, size: int, expected: int) -> None:
    """Compare the CRC of the batch at `start` with its header's.

    Raises CorruptBatchError.
    """
    actual = crc32c(view[start + AT_ATTRIBUTES : start + size])
    if actual != expected:
        raise CorruptBatchError(f"CRC is {actual:#010x}, the batch header says {expected:#010x}")


def size_at(view: memoryview, start: int, end: int) -> int:
    """Return the size in bytes of the batch at `start`; 0 where not even that is before `end`."""
    if start + PREFIX_SIZE > end:
        return 0
    length: int = _I32.unpack_from(view, start + 8)[0]
    return length + PREFIX_SIZE


def leader_epoch(view: memoryview, start: int) -> int:
    """Return the leader epoch of the batch at `start`."""
    epoch: int = _I32.unpack_from(view, start + AT_EPOCH)[0]
    return epoch


def stamp(
    view: memoryview, attributes: int, producer_id: int, producer_epoch: int, sequence: int
) -> None:
    """Make a whole batch ours: base offset 0, our producer and sequence, new attributes, new CRC.

    Base offset 0 is what a producer sends; it lets the broker keep compressed batches as they are.
    """
    PREFIX.pack_into(view, 0, 0, len(view) - PREFIX_SIZE)
    _I32.pack_into(view, AT_EPOCH, -1)
    _I16.pack_into(view, AT_ATTRIBUTES, attributes)
    _PRODUCER.pack_into(view, AT_PRODUCER, producer_id, producer_epoch, sequence)
    _U32.pack_into(view, AT_CRC, crc32c(view[AT_ATTRIBUTES:]))


def write_header(
    batch: bytearray,
    attributes: int,
    base_timestamp: int,
    max_timestamp: int,
    producer: tuple[int, int, int],
    count: int,
) -> None:
    """Fill in the header of a batch whose records already stand after byte 61.

    `producer` is (id, epoch, base sequence); offsets inside are dense from 0. Raises
    CorruptBatchError for a timestamp that no header can hold.
    """
    if max_timestamp > MAX_TIMESTAMP:
        raise CorruptBatchError(f"timestamp {max_timestamp} does not fit 64 bits")
    HEADER.pack_into(
        batch,
        0,
        0,
        len(batch) - PREFIX_SIZE,
        -1,
        2,
        0,
        attributes,
        count - 1,
        base_timestamp,
        max_timestamp,
        *producer,
        count,
    )
    with memoryview(batch) as view:
        crc = crc32c(view[AT_ATTRIBUTES:])
    _U32.pack_into(batch, AT_CRC, crc)


def add_sequence(sequence: int, count: int) -> int:
    """Advance a sequence number as brokers do: modulo 2^31."""
    return (sequence + count) % MAX_SEQUENCE


def sequence_distance(first: int, last: int) -> int:
    """Count of records from sequence `first` up to but not including `last`, modulo 2^31, signed.

    Negative when `last` lies behind `first` (by less than 2^30).
    """
    distance = (last - first) % MAX_SEQUENCE
    return distance if distance < MAX_SEQUENCE // 2 else distance - MAX_SEQUENCE
