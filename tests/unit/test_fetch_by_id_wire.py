"""Fetch v13: requests and answers against aiokafka's types put together as Kafka's JSON has it."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kafka import fetch, fetch_by_id
from engine.kafka.fetch import Aborted, Diverging, Position, TopicPartition
from engine.kafka.wire import Uuid, uvarint

IDS = {"orders": UUID(int=1), "größe": UUID(int=2**127), "x" * 249: UUID(int=77)}
NAMES = {topic_id: name for name, topic_id in IDS.items()}

REQUEST = Schema(
    ("replica", Int32),
    ("max_wait_ms", Int32),
    ("min_bytes", Int32),
    ("max_bytes", Int32),
    ("isolation", Int8),
    ("session", Int32),
    ("epoch", Int32),
    (
        "topics",
        CompactArray(
            ("topic_id", Uuid),
            (
                "partitions",
                CompactArray(
                    ("partition", Int32),
                    ("leader_epoch", Int32),
                    ("offset", Int64),
                    ("last_fetched_epoch", Int32),
                    ("log_start", Int64),
                    ("max_bytes", Int32),
                    ("tags", TaggedFields),
                ),
            ),
            ("tags", TaggedFields),
        ),
    ),
    (
        "forgotten",
        CompactArray(
            ("topic_id", Uuid), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)
        ),
    ),
    ("rack", CompactString("utf-8")),
    ("tags", TaggedFields),
)
RESPONSE = Schema(
    ("header_tags", TaggedFields),
    ("throttle", Int32),
    ("error", Int16),
    ("session", Int32),
    (
        "topics",
        CompactArray(
            ("topic_id", Uuid),
            (
                "partitions",
                CompactArray(
                    ("partition", Int32),
                    ("error", Int16),
                    ("high", Int64),
                    ("stable", Int64),
                    ("log_start", Int64),
                    (
                        "aborted",
                        CompactArray(("producer", Int64), ("first", Int64), ("tags", TaggedFields)),
                    ),
                    ("preferred", Int32),
                    ("records", CompactBytes),
                    ("tags", TaggedFields),
                ),
            ),
            ("tags", TaggedFields),
        ),
    ),
    ("tags", TaggedFields),
)

keys = st.tuples(st.sampled_from(list(IDS)), st.integers(0, 5))
int64 = st.integers(0, 2**63 - 1)
positions = st.builds(
    Position, int64, st.integers(-1, 2**31 - 1), max_bytes=st.integers(0, 2**31 - 1)
)


@given(
    st.dictionaries(keys, positions, max_size=8),
    st.lists(keys, unique=True, max_size=6),
    st.tuples(st.integers(0, 2**31 - 1), st.integers(-1, 2**31 - 1)),
)
def test_a_request_is_what_aiokafkas_types_read(
    asked: dict[TopicPartition, Position],
    forgotten: list[TopicPartition],
    session: tuple[int, int],
) -> None:
    body = fetch_by_id.request_body(
        asked,
        forgotten,
        IDS,
        session=session,
        isolation=fetch.READ_COMMITTED,
        max_wait_ms=500,
        max_bytes=8_000_000,
        partition_max_bytes=1_000_000,
    )
    stream = BytesIO(body)
    *fixed, topics, left, rack, tags = REQUEST.decode(stream)
    assert stream.read() == b"", "nothing is left over"
    assert fixed == [-1, 500, 1, 8_000_000, fetch.READ_COMMITTED, *session]
    assert (rack, tags) == ("", {})
    found = {
        (NAMES[topic_id], partition): (leader, Position(offset, epoch), start, size)
        for topic_id, partitions, _ in topics
        for partition, leader, offset, epoch, start, size, _ in partitions
    }
    assert found == {
        key: (-1, Position(at.offset, at.epoch), -1, at.max_bytes or 1_000_000)
        for key, at in asked.items()
    }
    assert sorted((NAMES[i], p) for i, ps, _ in left for p in ps) == sorted(forgotten)


def _sized(value: bytes) -> bytes:
    """aiokafka writes tagged fields without their sizes, so the value brings its own along."""
    return uvarint(len(value)) + value


# The tags of a partition: 1 and 2 are other things; 0, which aiokafka cannot write, comes below.
tags = st.dictionaries(st.integers(1, 2), st.binary(max_size=12).map(_sized))
aborted_rows = st.lists(st.tuples(int64, int64, st.just({})), max_size=4)
partitions = st.tuples(
    st.integers(0, 2**31 - 1),
    st.integers(-1, 110),
    int64,
    st.integers(-1, 2**63 - 1),
    int64,
    st.one_of(st.none(), aborted_rows),
    st.integers(-1, 9),
    st.one_of(st.none(), st.binary(max_size=200)),
    tags,
)
topics = st.lists(
    st.tuples(
        st.sampled_from([*IDS.values(), UUID(int=5)]), st.lists(partitions, max_size=4), st.just({})
    ),
    max_size=4,
)


@settings(max_examples=60)
@given(st.integers(-1, 110), st.integers(0, 2**31 - 1), topics)
def test_what_aiokafkas_types_write_is_found_where_it_stands(
    error: int, session: int, answered: list[Any]
) -> None:
    frame = struct.pack(">i", 9) + RESPONSE.encode([{}, 100, error, session, answered, {}])
    response = fetch_by_id.parse_response(memoryview(frame), NAMES)
    assert (response.error, response.session_id) == (error, session)
    expected = [
        (NAMES[topic_id], *fields)
        for topic_id, rows, _ in answered
        for fields in rows
        if topic_id in NAMES
    ]
    for found, row in zip(response.partitions, expected, strict=True):
        topic, partition, code, high, stable, log_start, aborted, _, records, _ = row
        assert found[:3] == (topic, partition, code)
        assert (found.high_watermark, found.last_stable_offset) == (high, stable)
        assert found.log_start_offset == log_start
        assert found.aborted == tuple(Aborted(first, pid) for pid, first, _ in aborted or ())
        assert frame[found.start : found.end] == (records or b"")
        assert found.diverging is None


@pytest.mark.parametrize("end", [104, -1])
def test_where_the_log_diverges_stands_in_a_tag(end: int) -> None:
    diverging = struct.pack(">iqb", 3, end, 0)
    leader = struct.pack(">iib", 1, 9, 0)
    row = [0, 0, 110, 110, 0, None, -1, b"", {1: _sized(leader)}]
    frame = RESPONSE.encode([{}, 0, 0, 7, [(IDS["orders"], [row], {})], {}])
    plain = uvarint(1) + uvarint(1) + _sized(leader)
    both = uvarint(2) + uvarint(0) + _sized(diverging) + uvarint(1) + _sized(leader)
    assert frame.count(plain) == 1
    data = struct.pack(">i", 9) + frame.replace(plain, both)
    (found,) = fetch_by_id.parse_response(memoryview(data), NAMES).partitions
    assert found.diverging == (Diverging(3, end) if end >= 0 else None)
    assert (found.topic, found.high_watermark) == ("orders", 110)


def test_a_frame_that_is_cut_off_anywhere_is_refused() -> None:
    row = [0, 0, 9, 9, 0, [(5, 3, {})], -1, b"records", {}]
    frame = struct.pack(">i", 9) + RESPONSE.encode([{}, 0, 0, 7, [(IDS["orders"], [row], {})], {}])
    for cut in range(len(frame) - 1):  # the last byte is the tags', which nothing follows
        with pytest.raises((struct.error, IndexError)):
            fetch_by_id.parse_response(memoryview(frame[:cut]), NAMES)
