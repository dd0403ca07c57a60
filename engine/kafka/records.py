"""Records inside a batch: decode them, and write some of them again densely.

The slow path of the data path: for batches with holes, parts of batches, and timestamps that the
header alone cannot say. Record bytes (key, value, headers) are moved as they are; only length,
timestamp delta and offset delta are written anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from aiokafka import codec

from engine.kafka import batch as b
from engine.kafka import varint

_CODECS = {0: "uncompressed", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_DECODE = {1: codec.gzip_decode, 2: codec.snappy_decode, 3: codec.lz4_decode, 4: codec.zstd_decode}
_ENCODE = {1: codec.gzip_encode, 2: codec.snappy_encode, 3: codec.lz4_encode, 4: codec.zstd_encode}


class RawRecord(NamedTuple):
    """One record: where it stands, when, and its bytes from the key's length on."""

    offset: int
    timestamp: int  # milliseconds, as a consumer sees it (LogAppendTime applied)
    attributes: int  # of the record; unused by Kafka so far, carried along
    body: memoryview  # key length, key, value length, value, headers


class Batch(NamedTuple):
    """A batch's header, taken apart."""

    base_offset: int
    size: int  # bytes, prefix included
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def next_offset(self) -> int:
        """First offset after the batch."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def codec(self) -> int:
        """Compression: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""
        return self.attributes & b.CODEC_MASK

    @property
    def is_control(self) -> bool:
        """Whether it holds a transaction marker."""
        return bool(self.attributes & b.CONTROL)


def read_header(view: memoryview, at: int = 0) -> Batch:
    """Take the header at `at` apart; raises struct.error when there are too few bytes."""
    base, length, *rest = b.HEADER.unpack_from(view, at)
    return Batch(base, length + b.PREFIX_SIZE, *rest)


def batches(view: memoryview) -> Iterator[tuple[Batch, memoryview]]:
    """Yield the whole batches of a record set; the broker may cut off the last one."""
    at = 0
    while at + b.HEADER_SIZE <= len(view):
        header = read_header(view, at)
        if header.size < b.HEADER_SIZE or at + header.size > len(view):
            return
        yield header, view[at : at + header.size]
        at += header.size


def decode(view: memoryview) -> list[RawRecord]:
    """Decode the records of one batch.

    Raises CorruptBatchError when the content does not fit its header.
    """
    header = read_header(view)
    payload = view[b.HEADER_SIZE :]
    try:
        if header.codec:
            payload = decompress(header.codec, payload)
        return _decode_payload(header, payload)
    except (IndexError, ValueError) as error:
        name = _CODECS.get(header.codec, f"codec {header.codec}")
        raise b.CorruptBatchError(f"{name} records cannot be decoded: {error}") from error


def decompress(codec_id: int, payload: memoryview) -> memoryview:
    """Decompress; raises ValueError when that cannot be done."""
    if codec_id not in _DECODE:
        raise ValueError("no such codec is known")
    try:
        return memoryview(_DECODE[codec_id](payload))
    except Exception as error:  # each library has errors of its own
        raise ValueError(str(error) or type(error).__name__) from error


def _decode_payload(header: Batch, payload: memoryview) -> list[RawRecord]:
    fixed = header.max_timestamp if header.attributes & b.TIMESTAMP_LOG_APPEND else None
    records = []
    at = 0
    last_delta = -1
    if header.record_count < 0:
        raise ValueError(f"the header counts {header.record_count} records")
    for _ in range(header.record_count):
        length, at = varint.decode(payload, at)
        end = at + length
        if length < 0 or end > len(payload):
            raise ValueError("a record reaches past its batch")
        attributes = payload[at]
        timestamp_delta, body_at = varint.decode(payload, at + 1)
        offset_delta, body_at = varint.decode(payload, body_at)
        if body_at > end:
            raise ValueError("a record is shorter than what it begins with")
        if not last_delta < offset_delta <= header.last_offset_delta:
            raise ValueError(
                f"offset delta {offset_delta} is outside {last_delta + 1} to "
                f"{header.last_offset_delta}"
            )
        last_delta = offset_delta
        timestamp = header.base_timestamp + timestamp_delta if fixed is None else fixed
        records.append(
            RawRecord(
                header.base_offset + offset_delta, timestamp, attributes, payload[body_at:end]
            )
        )
        at = end
    if at != len(payload):
        raise ValueError("bytes are left over after the last record")
    return records


def encode(
    records: Iterable[RawRecord], codec_id: int, producer: tuple[int, int, int]
) -> bytearray:
    """Write records as one dense batch; offsets count from 0 in the order given.

    `producer` is (id, epoch, base sequence). At least one record is needed. Raises ValueError.
    """
    payload = bytearray()
    base = maximum = None
    count = 0
    for record in records:
        if base is None or maximum is None:
            base = maximum = record.timestamp
        maximum = max(maximum, record.timestamp)
        timestamp_delta = varint.encode(record.timestamp - base)
        offset_delta = varint.encode(count)
        payload += varint.encode(1 + len(timestamp_delta) + len(offset_delta) + len(record.body))
        payload.append(record.attributes)
        payload += timestamp_delta
        payload += offset_delta
        payload += record.body
        count += 1
    if base is None or maximum is None:
        raise ValueError("a batch needs a record")
    out = bytearray(b.HEADER_SIZE)
    out += _ENCODE[codec_id](bytes(payload)) if codec_id else payload
    b.write_header(out, codec_id, base, maximum, producer, count)
    return out


def body(
    key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]] = ()
) -> memoryview:
    """Build a record's bytes from the key's length on."""
    out = bytearray()
    for part in (key, value):
        _put(out, part)
    headers = tuple(headers)
    out += varint.encode(len(headers))
    for name, content in headers:
        _put(out, name.encode(errors="surrogateescape"))
        _put(out, content)
    return memoryview(out)


def key_and_value(record: RawRecord) -> tuple[bytes | None, bytes | None]:
    """Take key and value out of a record's bytes."""
    key, at = _take(record.body, 0)
    value, _ = _take(record.body, at)
    return key, value


def contents(
    record: RawRecord,
) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    """Take key, value and headers out of a record's bytes."""
    key, at = _take(record.body, 0)
    value, at = _take(record.body, at)
    count, at = varint.decode(record.body, at)
    headers = []
    for _ in range(count):
        name, at = _take(record.body, at)
        content, at = _take(record.body, at)
        headers.append(((name or b"").decode(errors="surrogateescape"), content))
    return key, value, headers


def _put(out: bytearray, part: bytes | None) -> None:
    if part is None:
        out += varint.encode(-1)
    else:
        out += varint.encode(len(part))
        out += part


def _take(view: memoryview, at: int) -> tuple[bytes | None, int]:
    length, at = varint.decode(view, at)
    if length < 0:
        return None, at
    return bytes(view[at : at + length]), at + length
