"""Messages of formats 0 and 1, written by aiokafka's builders: they arrive as it reads them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import cramjam
import pytest
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder, _LegacyRecordBatchPy
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kafka import batch as b
from engine.kafka import legacy
from engine.kafka.fetch import PartitionData
from engine.replication.pump import Pump
from engine.replication.unreadable import find_unreadable
from tests.unit import source_log as log
from tests.unit.source_log import Rec

PRODUCER = (11, 2)
APPEND_TIME = 0x08
PLENTY = 256 * 1024
CODECS = {0: (0, 1, 2), 1: (0, 1, 2, 3)}  # format 0's LZ4 is not written by aiokafka: see below


class Group(NamedTuple):
    """Messages of one wrapper, or of none when they are not compressed."""

    magic: int
    codec: int
    append_time: int | None
    rows: tuple[tuple[int, int, bytes | None, bytes | None], ...]  # gap before, timestamp, …


def with_crc(message: bytearray) -> bytes:
    """Make its CRC right."""
    struct.pack_into(">I", message, 12, crc32(message[16:]))
    return bytes(message)


def message_set(group: Group, first: int) -> tuple[list[bytes], int]:
    """Build what a broker holds of a group, and the next offset."""
    offsets = []
    for gap, *_ in group.rows:
        first += gap
        offsets.append(first)
        first += 1
    if group.codec:
        return [wrapper(group, offsets)], first
    return [single(group, row, offset) for row, offset in zip(group.rows, offsets, strict=True)], (
        first
    )


def single(group: Group, row: tuple[int, int, bytes | None, bytes | None], offset: int) -> bytes:
    """Build one message that is not compressed."""
    builder = LegacyRecordBatchBuilder(group.magic, 0, 2**30)
    builder.append(0, *row[1:])
    message = builder.build()
    struct.pack_into(">q", message, 0, offset)
    return stamped(group, message)


def wrapper(group: Group, offsets: Sequence[int]) -> bytes:
    """Build a wrapper as brokers do: its offset is the last one's."""
    builder = LegacyRecordBatchBuilder(group.magic, group.codec, 2**30)
    for (_, *row), offset in zip(group.rows, offsets, strict=True):
        inside = offset if group.magic == 0 else offset - offsets[0]
        assert builder.append(inside, *row) is not None
    message = builder.build()
    struct.pack_into(">q", message, 0, offsets[-1])
    return stamped(group, message)


def stamped(group: Group, message: bytearray) -> bytes:
    """Let the broker write its time, where it does."""
    if group.magic == 1 and group.append_time is not None:
        message[17] |= APPEND_TIME
        struct.pack_into(">q", message, 18, group.append_time)
    return with_crc(message)


def expected(messages: Sequence[bytes]) -> list[Rec]:
    """Read messages with aiokafka, its Python reader: the compiled one fails on null values."""
    found = []
    for message in messages:
        if message[16] == 2:
            found += log.read(message)
            continue
        batch = _LegacyRecordBatchPy(message, message[16])
        assert batch.validate_crc()
        for record in batch:
            stamp = -1 if record.timestamp is None else record.timestamp
            found.append(Rec(record.offset, stamp, record.key, record.value))
    return found


def answer(messages: Sequence[bytes]) -> tuple[memoryview, PartitionData]:
    """Frame messages as one partition's part of an answer."""
    view = log.joined([b"frame", *messages, b"\0" * 80])
    end = 5 + sum(map(len, messages))
    return view, PartitionData("topic", 0, 0, 99, 99, 0, (), 5, end)


def mirrored(pump: Pump, messages: Sequence[bytes]) -> list[Rec]:
    """Pump them and read the result with aiokafka, at the source's offsets."""
    found = []
    view, data = answer(messages)
    sequence = pump.sequence
    for append in pump.take(view, data, committed=True):
        assert append.sequence == sequence
        sequence += append.count
        offsets = [at + n for at, count in append.pieces for n in range(count)]
        records = log.read(append.payload)
        assert append.max_timestamp == max(record.timestamp for record in records)
        found += [
            record._replace(offset=offset) for offset, record in zip(offsets, records, strict=True)
        ]
    assert pump.sequence == sequence
    return found


parts = st.one_of(st.none(), st.binary(max_size=40), st.just(b"x" * 5_000))
rows = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 1, 9]), st.integers(0, 2**45), parts, parts),
    min_size=1,
    max_size=6,
).map(tuple)
groups = st.integers(0, 1).flatmap(
    lambda magic: st.builds(
        Group,
        st.just(magic),
        st.sampled_from(CODECS[magic]),
        st.one_of(st.none(), st.integers(0, 2**45)),
        rows,
    )
)


@settings(max_examples=150)
@given(st.lists(groups, min_size=1, max_size=6), st.sampled_from([1, 200, PLENTY]), st.data())
def test_they_arrive_as_aiokafka_reads_them(
    described: list[Group], limit: int, data: st.DataObject
) -> None:
    messages: list[bytes] = []
    end = 0
    for group in described:
        more, end = message_set(group, end)
        messages += more
    current = log.batch_of([Rec(end, 5, b"k", b"v" * 5_000)])  # an upgraded log goes on so
    start = data.draw(st.integers(0, end))
    pump = Pump(PRODUCER, start, 0)
    pump.merge_limit = limit
    wanted = [r for r in expected([*messages, current]) if r.offset >= start]
    assert mirrored(pump, [*messages, current]) == wanted
    assert pump.position == end + 1


ROWS = tuple((n % 3, 1_000 + n, b"key %d" % n, b"value " * 9) for n in range(12))


def test_neighbours_share_batches_up_to_the_limit() -> None:
    messages, end = message_set(Group(1, 0, None, ROWS), 0)
    view, data = answer(messages)
    pump = Pump(PRODUCER, 0, 0)
    assert [append.count for append in pump.take(view, data, committed=True)] == [12]
    assert pump.position == end
    view, data = answer(messages)
    pump = Pump(PRODUCER, 0, 0)
    pump.merge_limit = 3 * max(map(len, messages))
    assert [append.count for append in pump.take(view, data, committed=True)] == [3] * 4


def test_a_codec_is_kept() -> None:
    messages, _ = message_set(Group(1, 3, None, ROWS), 0)
    view, data = answer(messages)
    (append,) = Pump(PRODUCER, 0, 0).take(view, data, committed=True)
    assert log.header_of(append.payload)["attributes"] == 3


@pytest.mark.parametrize("cut", [1, 12, 17, 40])
def test_a_message_that_was_cut_off_comes_again(cut: int) -> None:
    messages, _ = message_set(Group(0, 0, None, ROWS[:3]), 0)
    pump = Pump(PRODUCER, 0, 0)
    assert len(mirrored(pump, [*messages[:2], messages[2][:cut]])) == 2
    assert pump.position == 3  # offset 1 is missing
    with pytest.raises(b.CorruptBatchError, match="no whole batch"):
        mirrored(pump, [messages[2][:cut]])


@pytest.mark.parametrize("extra", [b"", b"\x00" * 8], ids=["plain", "content size"])
def test_lz4_of_format_0_has_a_wrong_header_checksum(extra: bytes) -> None:
    """KAFKA-3160: Java's reader does not look at it there, in format 1 it must be right."""
    good, _ = message_set(Group(0, 0, None, ROWS[:1]), 7)
    plain = b"".join(good)
    frame = bytearray(cramjam.lz4.compress(plain))
    if extra:  # the frame says how much it holds: a longer descriptor
        assert not frame[4] & 0x08
        frame[4] |= 0x08
        frame[6:6] = struct.pack("<Q", len(plain))
    at = 6 + len(extra)
    frame[at] ^= 0x5A
    builder = LegacyRecordBatchBuilder(0, 0, 2**30)
    builder.append(0, None, None, bytes(frame))
    message = builder.build()
    struct.pack_into(">q", message, 0, 7)
    message[17] = 3
    wanted = expected(good)
    assert mirrored(Pump(PRODUCER, 0, 0), [with_crc(message)]) == wanted


def test_the_header_checksum_is_xxhashs() -> None:
    frame = bytes(cramjam.lz4.compress(b"what it holds does not matter"))
    assert legacy._mended_lz4(frame) == frame


BROKEN = {
    "bit": lambda m: m[:-1] + bytes([m[-1] ^ 1]),
    "attributes": lambda m: m[:17] + bytes([m[17] ^ 8]) + m[18:],
    "codec": lambda m: with_crc(bytearray(m[:17] + bytes([4]) + m[18:])),
    "too small": lambda m: m[:8] + struct.pack(">i", 3) + m[12:],
    "key past the end": lambda m: with_crc(bytearray(m[:26] + b"\x7f" + m[27:])),
    "key of -2 bytes": lambda m: with_crc(bytearray(m[:26] + b"\xff\xff\xff\xfe" + m[30:])),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("codec", [0, 1])
def test_damage_stops_behind_what_came_before(kind: str, codec: int) -> None:
    groups = [Group(1, codec, None, ROWS[n : n + 3]) for n in (0, 3, 6)]
    messages: list[bytes] = []
    ends = [0]
    for group in groups:
        more, end = message_set(group, ends[-1])
        messages += more
        ends.append(end)
    bad = len(messages) // 3
    first = expected(messages[:bad])
    messages[bad] = BROKEN[kind](messages[bad])
    pump = Pump(PRODUCER, 0, 0)
    assert mirrored(pump, messages) == first
    assert pump.position == ends[1]
    with pytest.raises(b.CorruptBatchError):
        mirrored(pump, messages[bad:])
    assert pump.position == ends[1]


def inner_damage(change: int) -> bytes:
    """Build a wrapper whose own CRC is right and whose second message has a flipped bit."""
    rows_ = [single(Group(1, 0, None, ROWS), row, n) for n, row in enumerate(ROWS[:3])]
    inside = bytearray(b"".join(rows_))
    inside[len(rows_[0]) + change] ^= 1
    builder = LegacyRecordBatchBuilder(1, 0, 2**30)
    builder.append(0, 5, None, bytes(cramjam.lz4.compress(bytes(inside))))
    message = builder.build()
    message[17] = 3
    struct.pack_into(">q", message, 0, 2)
    return with_crc(message)


@pytest.mark.parametrize("change", [0, 7, 11, 12, 16, 17, 30, 60])
def test_messages_inside_a_wrapper_are_checked_too(change: int) -> None:
    with pytest.raises(b.CorruptBatchError):
        mirrored(Pump(PRODUCER, 0, 0), [inner_damage(change)])


def test_where_the_log_goes_on_behind_damage_is_not_guessed_from_a_wrapper() -> None:
    """The next wrapper's offset is its last message's: going on there would lose the others."""
    first, end = message_set(Group(1, 1, None, ROWS[:3]), 0)
    second, _ = message_set(Group(1, 1, None, ROWS[3:6]), end)
    bad = BROKEN["bit"](first[0])
    found = find_unreadable(memoryview(bad + second[0]), 0, ValueError("why"))
    assert found.next_offset is None
    assert found.batch == bad
    bad = BROKEN["codec"](first[0])  # its CRC is right: so is its offset, as far as one can know
    found = find_unreadable(memoryview(bad + second[0]), 0, ValueError("why"))
    assert found.next_offset == end
    current = log.batch_of([Rec(end, 5, b"k", b"v")])
    found = find_unreadable(memoryview(BROKEN["bit"](first[0]) + current), 0, ValueError("why"))
    assert found.next_offset == end
