"""Records in and out of batches, against aiokafka's builder and parser."""

from __future__ import annotations

import struct

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.util import decode_varint, encode_varint
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka import varint
from tests.unit import source_log as log
from tests.unit.source_log import Content, Rec

PRODUCER = (77, 3, 2**31 - 2)
int64 = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-70, 9_000))
codecs = st.sampled_from(list(log.CODECS))
several = st.lists(log.contents, min_size=1, max_size=8)
LONG = [Rec(n, 1_000 - n, b"key", b"value" * 40, (("h", b"x" * 30),)) for n in range(20)]


def raw(record: Rec) -> r.RawRecord:
    """Build our form of a record."""
    body = r.body(record.key, record.value, record.headers)
    return r.RawRecord(record.offset, record.timestamp, 0, body)


@given(int64)
def test_varints_are_aiokafkas(value: int) -> None:
    expected = bytearray()
    encode_varint(value, expected.append)
    assert varint.encode(value) == expected
    assert varint.decode(bytes(expected) + b"\xff", 0) == (value, len(expected))
    assert decode_varint(bytearray(varint.encode(value))) == (value, len(expected))


@pytest.mark.parametrize(("data", "error"), [(b"", IndexError), (b"\x80" * 9, IndexError)])
def test_a_varint_that_ends_early_is_refused(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        varint.decode(data, 0)


@pytest.mark.parametrize(
    ("data", "why"), [(b"\xff" * 11, "10 bytes"), (b"\xff" * 9 + b"\x02", "64 bits")]
)
def test_a_varint_of_more_than_64_bits_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        varint.decode(data, 0)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_number_of_more_than_64_bits_is_not_written(value: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        varint.encode(value)


@settings(max_examples=150)
@given(several, codecs, st.integers(0, 2**62), st.booleans())
def test_what_aiokafka_writes_is_read(
    rows: list[Content], codec: int, base: int, append_time: bool
) -> None:
    attributes = log.LOG_APPEND_TIME if append_time else 0
    batch = log.batch_of(log.dense(base, rows), codec=codec, attributes=attributes)
    expected = log.read(batch)
    decoded = r.decode(memoryview(batch))
    assert [(d.offset, d.timestamp) for d in decoded] == [(e.offset, e.timestamp) for e in expected]
    assert [d.body for d in decoded] == [r.body(e.key, e.value, e.headers) for e in expected]
    assert [r.key_and_value(d) for d in decoded] == [(e.key, e.value) for e in expected]


@settings(max_examples=150)
@given(several, codecs, st.integers(0, 2**40))
def test_what_is_written_aiokafka_reads(rows: list[Content], codec: int, first: int) -> None:
    records = [Rec(first + 3 * number, *row) for number, row in enumerate(rows)]
    batch = r.encode(map(raw, records), codec, PRODUCER)
    assert log.read(batch) == log.dense(0, rows)
    stamps = [row[0] for row in rows]
    assert log.header_of(batch) == {
        "base_offset": 0,
        "length": len(batch) - 12,
        "leader_epoch": -1,
        "magic": 2,
        "crc": log.header_of(batch)["crc"],
        "attributes": codec,
        "last_offset_delta": len(rows) - 1,
        "first_timestamp": stamps[0],
        "max_timestamp": max(stamps),
        "producer_id": 77,
        "producer_epoch": 3,
        "base_sequence": 2**31 - 2,
        "count": len(rows),
    }


def test_an_uncompressed_batch_is_aiokafkas_byte_by_byte() -> None:
    expected = log.with_header(log.batch_of(LONG, producer=(1, 0, 5)), leader_epoch=-1)
    assert r.encode(map(raw, LONG), 0, (1, 0, 5)) == expected


def test_timestamps_stay_where_a_delete_horizon_stands_in_their_place() -> None:
    """With a delete horizon the header's base timestamp is that, and deltas count from it."""
    horizon = 5_000_000
    batch = log.with_header(
        log.batch_of(LONG, attributes=log.DELETE_HORIZON), first_timestamp=horizon
    )
    decoded = r.decode(memoryview(batch))
    assert [d.timestamp for d in decoded] == [horizon - n for n in range(20)]
    assert [d.timestamp for d in decoded] == [e.timestamp for e in log.read(batch)]


def test_a_batch_needs_a_record() -> None:
    with pytest.raises(ValueError, match="needs a record"):
        r.encode([], 0, PRODUCER)


def test_null_header_values_and_names_in_any_script_are_kept() -> None:
    record = Rec(0, 1, b"", b"", (("größe", None), ("", b""), ("größe", b"2")))
    assert log.read(r.encode([raw(record)], 0, PRODUCER)) == [record]


def test_a_record_set_is_taken_apart_up_to_the_batch_that_was_cut_off() -> None:
    sets = [log.batch_of(LONG[at : at + 5], codec=at % 5) for at in range(0, 20, 5)]
    whole = b"".join(sets)
    edges = [sum(map(len, sets[:count])) for count in range(len(sets) + 1)]
    for cut in range(len(whole) + 1):
        view = memoryview(whole)[:cut]
        found = list(r.batches(view))
        expected = max(count for count, edge in enumerate(edges) if edge <= cut)
        assert [bytes(part) for _, part in found] == sets[:expected]
    assert [header.next_offset for header, _ in r.batches(memoryview(whole))] == [5, 10, 15, 20]


@pytest.mark.parametrize("length", [-(2**31), -13, -12, 0, 48])
def test_a_batch_shorter_than_its_header_ends_a_record_set(length: int) -> None:
    bad = bytearray(log.batch_of(LONG))
    struct.pack_into(">i", bad, 8, length)
    assert list(r.batches(memoryview(bytes(bad)))) == []


# What follows breaks the content of batches whose CRC is right, as a broken producer would.


def refused_or_read_alike(batch: bytes) -> None:
    """Our decoder raises its documented error, or finds what aiokafka finds."""
    try:
        decoded = r.decode(memoryview(batch))
    except b.CorruptBatchError:
        return
    assert len(decoded) == log.header_of(batch)["count"]
    try:
        expected = log.read(batch)
    except CorruptRecordException:
        return  # key, value or headers: ours to move, not to look into
    assert [(d.offset, d.timestamp) for d in decoded] == [(e.offset, e.timestamp) for e in expected]
    assert [d.body for d in decoded] == [r.body(e.key, e.value, e.headers) for e in expected]


@settings(max_examples=200)
@given(st.binary(max_size=120), st.integers(0, 7), st.integers(-1, 20))
@example(b"", 1, 1)
@example(b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xfc" + b"\x00" * 8, 2, 1)
def test_any_content_is_read_or_refused(payload: bytes, codec: int, count: int) -> None:
    whole = log.with_payload(log.batch_of(LONG), payload)
    refused_or_read_alike(log.with_header(whole, attributes=codec, count=count))


@settings(max_examples=200)
@given(codecs, st.data())
def test_damaged_content_is_read_or_refused(codec: int, data: st.DataObject) -> None:
    whole = log.batch_of(LONG, codec=codec)
    payload = bytearray(whole[61:])
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)))
    refused_or_read_alike(log.with_payload(whole, bytes(payload[:cut])))


def test_a_timestamp_beyond_64_bits_is_refused() -> None:
    """A batch may say so: the base and a delta, each of 64 bits, are added up."""
    later = [record._replace(timestamp=record.offset) for record in LONG]
    batch = log.with_header(log.batch_of(later), first_timestamp=2**63 - 5)
    with pytest.raises(b.CorruptBatchError, match="does not fit 64 bits"):
        r.encode(r.decode(memoryview(batch)), 0, PRODUCER)


@pytest.mark.parametrize("deltas", [(0, 0), (1, 0), (0, 2), (-1, 0)])
def test_offsets_inside_a_batch_that_do_not_ascend_are_refused(deltas: tuple[int, int]) -> None:
    rows = [varint.encode(5 + 1) + b"\x00\x00" + varint.encode(d) + b"\x01\x01\x00" for d in deltas]
    batch = log.with_payload(log.batch_of(LONG[:2]), b"".join(rows))
    with pytest.raises(b.CorruptBatchError, match="offset delta"):
        r.decode(memoryview(batch))


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_an_unknown_codec_is_named(codec: int) -> None:
    with pytest.raises(b.CorruptBatchError, match=f"codec {codec} records cannot be decoded"):
        r.decode(memoryview(log.with_header(log.batch_of(LONG), attributes=codec)))


@pytest.mark.parametrize("codec", list(log.CODECS)[1:])
def test_what_cannot_be_decompressed_is_told_with_the_codec(codec: int) -> None:
    whole = log.with_payload(log.batch_of(LONG, codec=codec), b"\x1f\x8b\x08\x00" + b"\xff" * 40)
    with pytest.raises(b.CorruptBatchError, match=f"{log.CODECS[codec]} records"):
        r.decode(memoryview(whole))


def record_bytes(length: int, rest: bytes) -> bytes:
    """Build a record whose length says what it likes."""
    return varint.encode(length) + rest


@pytest.mark.parametrize(
    "payload",
    [
        record_bytes(100, b"\x00\x00\x00\x01\x01\x00"),  # reaches past the batch
        record_bytes(-1, b"\x00\x00\x00\x01\x01\x00"),
        record_bytes(6, b"\x00\x00\x00\x01\x01\x00") + b"!",  # bytes left over
        record_bytes(1, b"\x00") + b"\x00\x00",  # ends before its own deltas do
        record_bytes(0, b""),
        record_bytes(2, b"\x00\x00") + b"\x00\x01\x01\x00",  # its offset delta is the next's
    ],
)
def test_a_record_that_does_not_fit_its_batch_is_refused(payload: bytes) -> None:
    whole = log.with_payload(log.batch_of(LONG[:1]), payload)
    with pytest.raises(b.CorruptBatchError):
        r.decode(memoryview(whole))
