"""Batch headers: stamped in place, checked, counted, as aiokafka and Kafka's Java code do it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.kafka import batch as b
from engine.kafka import records as r
from tests.unit import source_log as log
from tests.unit.source_log import Content, Rec

RECORDS = [Rec(100, 1_000, b"k", b"v" * 50, (("h", None),)), Rec(101, 990, None, b"w" * 50)]
INT_MAX = 2**31 - 1
sequences = st.one_of(st.integers(0, INT_MAX), st.integers(INT_MAX - 50, INT_MAX))


def java_increment_sequence(sequence: int, increment: int) -> int:
    """DefaultRecordBatch.incrementSequence, as it stands there."""
    if sequence > INT_MAX - increment:
        return increment - (INT_MAX - sequence) - 1
    return sequence + increment


def test_the_header_is_laid_out_as_aiokafka_has_it() -> None:
    assert b.HEADER.format == log.HEADER.format
    assert b.HEADER_SIZE == 61


@pytest.mark.parametrize("codec", log.CODECS)
@pytest.mark.parametrize("extra", [0, log.TRANSACTIONAL, log.TRANSACTIONAL | log.LOG_APPEND_TIME])
def test_a_stamped_batch_is_ours_and_its_records_are_untouched(codec: int, extra: int) -> None:
    view = bytearray(log.batch_of(RECORDS, codec=codec, producer=(5, 1, 77), attributes=extra))
    before = log.header_of(view)
    assert before["attributes"] == codec | extra
    b.stamp(memoryview(view), codec, 4_000, 3, 12)
    changed = {
        "base_offset": 0,
        "leader_epoch": -1,
        "attributes": codec,
        "producer_id": 4_000,
        "producer_epoch": 3,
        "base_sequence": 12,
    }
    after = log.header_of(view)
    assert after == before | changed | {"crc": after["crc"]}
    assert [record.content() for record in log.read(view)] == [rec.content() for rec in RECORDS]


def test_every_flipped_bit_behind_the_crc_is_noticed() -> None:
    good = log.batch_of(RECORDS)
    for position in range(b.AT_ATTRIBUTES * 8, len(good) * 8):
        bad = bytearray(good)
        bad[position // 8] ^= 1 << position % 8
        view = memoryview(bad)
        with pytest.raises(b.CorruptBatchError, match="CRC"):
            b.check_crc(view, 0, len(bad), r.read_header(view).crc)


def test_a_batch_in_the_middle_of_a_frame_is_checked_by_itself() -> None:
    first, second = log.batch_of(RECORDS), log.batch_of(RECORDS[:1])
    view = log.joined([b"frame header", first, second, b"trailer"])
    at = len(b"frame header") + len(first)
    b.check_crc(view, at, len(second), log.header_of(second)["crc"])


@given(sequences, st.integers(0, 100_000))
def test_sequences_wrap_as_brokers_wrap_them(sequence: int, count: int) -> None:
    assert b.add_sequence(sequence, count) == java_increment_sequence(sequence, count)


@given(sequences, st.integers(-100_000, 100_000))
def test_the_distance_of_sequences_is_what_was_added(sequence: int, count: int) -> None:
    moved = (sequence + count) % 2**31
    assert b.sequence_distance(sequence, moved) == count


@settings(max_examples=50)
@given(st.lists(log.contents, min_size=1, max_size=5), sequences)
def test_a_written_header_says_what_aiokafka_would_have_written(
    rows: list[Content], sequence: int
) -> None:
    stamps = [row[0] for row in rows]
    assume(stamps[0] != -1)  # aiokafka's builder takes it for "no timestamp yet"
    expected = log.batch_of(log.dense(0, rows), producer=(9, 2, sequence))
    batch = bytearray(61) + expected[61:]
    b.write_header(batch, 0, stamps[0], max(stamps), (9, 2, sequence), len(rows))
    assert bytes(batch) == log.with_header(expected, leader_epoch=-1)
