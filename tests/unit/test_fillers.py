"""Fillers as others read them: aiokafka's own codec is the oracle."""

from __future__ import annotations

import struct

import pytest
from aiokafka.record.default_records import DefaultRecordBatch

from engine.kafka import batch as b
from engine.kafka import records as r
from engine.replication.identical.cost import AT_ONCE, alignment_cost, total_cost
from engine.replication.identical.fillers import BYTES_EACH, LARGEST, Fillers, largest_batch

DEFAULT_MAX_MESSAGE_BYTES = 1_048_588


@pytest.mark.parametrize("count", [1, 2, 64, 128, 8192, 16384])
async def test_every_filler_as_aiokafka_reads_it(count: int) -> None:
    """Dense offsets, an empty key (compacted topics want one), no value, transactional."""
    batch = await Fillers().batch(count, (4711, 3), 99)
    read = DefaultRecordBatch(bytes(batch))
    assert read.validate_crc()
    assert (read.is_transactional, read.is_control_batch) == (True, False)
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == (4711, 3, 99)
    assert (read.base_offset, read.last_offset_delta) == (0, count - 1)
    records = list(read)
    assert [record.offset for record in records] == list(range(count))
    assert {(record.key, record.value, tuple(record.headers)) for record in records} == {
        (b"", None, ())
    }


async def test_the_largest_batch_fits_a_topic_with_default_settings() -> None:
    """And its last record is at the last offset: three bytes of delta, the longest there is."""
    batch = await Fillers().batch(LARGEST, (4711, 3), 0)
    assert len(batch) <= DEFAULT_MAX_MESSAGE_BYTES
    assert len(batch) / LARGEST == pytest.approx(BYTES_EACH, rel=0.05)
    header = r.read_header(memoryview(batch))
    assert header.record_count == header.last_offset_delta + 1 == LARGEST
    body = r.decompress(header.codec, memoryview(batch)[b.HEADER_SIZE :])
    # length 8, attributes, timestamp delta, offset delta 2^20 - 1 as zigzag, key, value, headers
    assert bytes(body[-9:]) == bytes([16, 0, 0, 0xFE, 0xFF, 0x7F, 0x00, 0x01, 0x00])


async def test_only_the_header_differs_from_batch_to_batch() -> None:
    fillers = Fillers()
    one = await fillers.batch(1024, (1, 0), 0)
    other = await fillers.batch(1024, (2, 7), 4096)
    assert one[b.HEADER_SIZE :] == other[b.HEADER_SIZE :]
    assert struct.unpack_from(">qhi", other, b.AT_PRODUCER) == (2, 7, 4096)
    for batch in (one, other):
        b.check_crc(memoryview(batch), 0, len(batch), r.read_header(memoryview(batch)).crc)


def test_sizes() -> None:
    assert [largest_batch(wanted, LARGEST) for wanted in (1, 2, 3, 7, 8)] == [1, 2, 2, 4, 8]
    assert largest_batch(50_000_000, LARGEST) == LARGEST
    assert largest_batch(50_000_000, 700) == 512


def test_the_cost_that_is_told_beforehand() -> None:
    assert alignment_cost(0).fillers == alignment_cost(0).size_bytes == 0
    one = alignment_cost(50_000_000)
    assert one.fillers == 50_000_000
    assert one.size_bytes == round(50_000_000 * BYTES_EACH)
    assert 10 < one.seconds < 60
    all_of_them = total_cost([50_000_000] * 100)
    assert all_of_them.size_bytes == 100 * one.size_bytes
    assert all_of_them.seconds == pytest.approx(one.seconds * 100 / AT_ONCE)
    assert total_cost([50_000_000]).seconds == one.seconds
