"""Messages of formats 0 and 1 (before Kafka 0.11), read as records.

Format: KIP-31, KIP-32, `clients/.../common/record/LegacyRecord.java` and
`AbstractLegacyRecordBatch.java`. A message is offset, size, CRC-32 (of all that follows it),
format, attributes, in format 1 a timestamp, key, value. Several compressed together are the value
of a wrapper, whose offset is its last message's; those inside count from 0 in format 1 and have
their own offsets in format 0.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

from engine.kafka import batch as b
from engine.kafka import records as r

SMALLEST = 26  # bytes of a format 0 message without key and value
NO_TIMESTAMP = -1

_HEAD = struct.Struct(">qiIbb")  # offset, size of the rest, CRC, format, attributes
_I32 = struct.Struct(">i")
_I64 = struct.Struct(">q")
_LAST_CODEC = 3  # zstd came with format 2
_LZ4 = 3


class _Message(NamedTuple):
    offset: int
    magic: int
    attributes: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Run(NamedTuple):
    """Messages that stand one behind the other, compressed alike."""

    codec: int
    records: list[r.RawRecord]  # ascending offsets
    next_offset: int  # behind them
    end: int  # where in the record set they end


def is_legacy(view: memoryview, at: int, end: int) -> bool:
    """Whether what begins at `at` is of format 0 or 1."""
    return at + b.AT_MAGIC < end and view[at + b.AT_MAGIC] < 2


def is_compressed(view: memoryview, at: int) -> bool:
    """Whether the message of format 0 or 1 at `at` is a wrapper; false where it is cut off."""
    return at + _HEAD.size <= len(view) and bool(view[at + _HEAD.size - 1] & b.CODEC_MASK)


def read_run(view: memoryview, at: int, end: int, limit: int) -> Run | None:
    """Read messages from `at` on, no more than `limit` bytes of them if they are several.

    None when not even the first one is whole. Raises CorruptBatchError when the first one cannot be
    read; a later one that cannot ends the run.
    """
    start = at
    size = _size(view, at)
    if at + size > end:
        return None
    codec, records, next_offset = _read(view[at : at + size])
    at += size
    while is_legacy(view, at, end):
        try:
            size = _size(view, at)
            if at + size > end or at + size - start > limit:
                break
            following, more, behind = _read(view[at : at + size])
        except b.CorruptBatchError:
            break  # those before it go on
        if following != codec or more[0].offset < next_offset:
            break
        records += more
        next_offset = behind
        at += size
    return Run(codec, records, next_offset, at)


def next_offset_of(batch: bytes) -> int | None:
    """Return the offset behind a message whose CRC is right, None for any other."""
    try:
        return _take_apart(memoryview(batch)).offset + 1
    except b.CorruptBatchError:
        return None


def _size(view: memoryview, at: int) -> int:
    offset, length = b.PREFIX.unpack_from(view, at)
    size: int = length + b.PREFIX_SIZE
    if size < SMALLEST:
        raise b.CorruptBatchError(f"the message at offset {offset} says that it has {size} bytes")
    return size


def _read(view: memoryview) -> tuple[int, list[r.RawRecord], int]:
    """Return codec, records and next offset of one message, or of all in a wrapper."""
    outer = _take_apart(view)
    codec = outer.attributes & b.CODEC_MASK
    inner = [outer] if not codec else _unwrap(outer, codec)
    return codec, [_record(message) for message in inner], outer.offset + 1


def _record(message: _Message) -> r.RawRecord:
    return r.RawRecord(message.offset, message.timestamp, 0, r.body(message.key, message.value))


def _take_apart(view: memoryview) -> _Message:
    """Take one message apart, its CRC checked."""
    if len(view) < SMALLEST:
        raise b.CorruptBatchError(f"a message has {len(view)} bytes")
    offset, _, crc, magic, attributes = _HEAD.unpack_from(view)
    actual = crc32(view[b.AT_MAGIC :])
    if actual != crc:
        raise b.CorruptBatchError(
            f"the message at offset {offset} has CRC {actual:#010x}, its header says {crc:#010x}"
        )
    at = _HEAD.size
    timestamp = NO_TIMESTAMP
    try:
        if magic == 1:
            timestamp = _I64.unpack_from(view, at)[0]
            at += _I64.size
        key, at = _field(view, at)
        value, at = _field(view, at)
    except struct.error as error:
        raise b.CorruptBatchError(f"the message at offset {offset} is cut off") from error
    if at != len(view):
        raise b.CorruptBatchError(f"the message at offset {offset} is not as long as it says")
    return _Message(offset, magic, attributes, timestamp, key, value)


def _field(view: memoryview, at: int) -> tuple[bytes | None, int]:
    length: int = _I32.unpack_from(view, at)[0]
    at += _I32.size
    if length < 0:
        if length < -1:
            raise struct.error(f"a length of {length}")
        return None, at
    return bytes(view[at : at + length]), at + length


def _unwrap(outer: _Message, codec: int) -> list[_Message]:
    """Return the messages in a wrapper, with their offsets in the log and effective timestamps."""
    where = f"the messages compressed at offset {outer.offset}"
    if codec > _LAST_CODEC or outer.value is None:
        raise b.CorruptBatchError(f"{where} cannot be decoded: codec {codec} in format 0 or 1")
    packed = _mended_lz4(outer.value) if codec == _LZ4 and outer.magic == 0 else outer.value
    try:
        payload = r.decompress(codec, memoryview(packed))
    except ValueError as error:
        raise b.CorruptBatchError(f"{where} cannot be decompressed: {error}") from error
    inner = _inner_messages(payload, outer)
    base = outer.offset - inner[-1].offset if outer.magic == 1 else 0
    append_time = outer.magic == 1 and outer.attributes & b.TIMESTAMP_LOG_APPEND
    out = []
    last = -1
    for message in inner:
        offset = base + message.offset
        if not last < offset <= outer.offset:
            raise b.CorruptBatchError(f"{where} have offset {offset} behind {last}")
        last = offset
        timestamp = outer.timestamp if append_time else message.timestamp
        out.append(message._replace(offset=offset, timestamp=timestamp))
    return out


def _inner_messages(payload: memoryview, outer: _Message) -> list[_Message]:
    found: list[_Message] = []
    at = 0
    while at < len(payload):
        if at + b.PREFIX_SIZE > len(payload):
            raise b.CorruptBatchError("bytes are left over after the last compressed message")
        size = _size(payload, at)
        message = _take_apart(payload[at : at + size])
        if message.magic != outer.magic or message.attributes & b.CODEC_MASK:
            raise b.CorruptBatchError(
                f"a message of format {message.magic}, attributes {message.attributes}, stands in "
                f"a wrapper of format {outer.magic}"
            )
        found.append(message)
        at += size
    if not found:
        raise b.CorruptBatchError(f"the wrapper at offset {outer.offset} holds no message")
    return found


# Clients of format 0 wrote a wrong header checksum into LZ4 frames (KAFKA-3160), for which any LZ4
# library refuses them; Java's consumer does not look at it.

_LZ4_FLAGS = 4  # where the frame's descriptor begins, behind its magic number
_LZ4_HAS_SIZE, _LZ4_HAS_DICTIONARY = 0x08, 0x01


def _mended_lz4(frame: bytes) -> bytes:
    if len(frame) <= _LZ4_FLAGS:
        return frame
    flags = frame[_LZ4_FLAGS]
    size = 2 + (8 if flags & _LZ4_HAS_SIZE else 0) + (4 if flags & _LZ4_HAS_DICTIONARY else 0)
    at = _LZ4_FLAGS + size
    descriptor = frame[_LZ4_FLAGS:at]
    checksum = _xxh32_of_short(descriptor) >> 8 & 0xFF
    return frame[:at] + bytes([checksum]) + frame[at + 1 :]


def _xxh32_of_short(data: bytes) -> int:
    """XXH32 with seed 0 of less than 16 bytes (`xxhash_spec.md`)."""
    mask = 0xFFFFFFFF
    hashed = (374_761_393 + len(data)) & mask
    at = 0
    while at + 4 <= len(data):
        word = int.from_bytes(data[at : at + 4], "little")
        hashed = _rotated((hashed + word * 3_266_489_917) & mask, 17) * 668_265_263 & mask
        at += 4
    for byte in data[at:]:
        hashed = _rotated((hashed + byte * 374_761_393) & mask, 11) * 2_654_435_761 & mask
    hashed = (hashed ^ hashed >> 15) * 2_246_822_519 & mask
    hashed = (hashed ^ hashed >> 13) * 3_266_489_917 & mask
    return hashed ^ hashed >> 16


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & 0xFFFFFFFF
