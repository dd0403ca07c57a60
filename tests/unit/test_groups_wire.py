"""Requests about groups read back by aiokafka's types, and answers written by them, read by us."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)
from hypothesis import given
from hypothesis import strategies as st

from engine.kafka import group_offsets_wire as o
from engine.kafka import group_wire as w
from engine.kafka.group_offsets_wire import Commit
from engine.kafka.group_wire import ListedGroup
from engine.kafka.raw import RawResponse

NEW = {8: (2, 10), 9: (1, 10), 10: (0, 6), 16: (0, 5)}  # Kafka 4.2's
OLD = {8: (0, 8), 9: (0, 8), 10: (0, 4), 16: (0, 4)}  # Kafka 3.0's
NAME = CompactString("utf-8")
TAGS = ("tags", TaggedFields)
NAMES = st.text("abc.-é", min_size=1, max_size=6)
OFFSETS = st.integers(0, 2**62)


def answer(request: Any, versions: dict[int, tuple[int, int]], payload: bytes) -> RawResponse:
    """Have the answer that would come to a request."""
    response: RawResponse = request.prepare(versions).RESPONSE_TYPE.decode(BytesIO(payload))
    return response


@given(st.lists(st.tuples(NAMES, NAMES, NAMES), unique_by=lambda row: row[0]), st.booleans())
def test_listed_groups(rows: list[tuple[str, str, str]], old: bool) -> None:
    kind = [] if old else [("type", NAME)]
    fields = [("id", NAME), ("protocol", NAME), ("state", NAME), *kind, TAGS]
    schema = Schema(("throttle", Int32), ("error", Int16), ("groups", CompactArray(*fields)), TAGS)
    written = [
        (name, "consumer", state, *([] if old else [kind]), {1: b"\x01x"})
        for name, state, kind in rows
    ]
    payload = schema.encode((7, 15, written, {}))
    error, found = w.parse_list(answer(w.ListGroupsRequest(), OLD if old else NEW, payload), 3)
    assert error == 15
    assert found == [
        ListedGroup(name, "" if old else kind.lower(), state, 3) for name, state, kind in rows
    ]


@given(st.dictionaries(NAMES, st.tuples(st.integers(-1, 9), st.integers(0, 99))))
def test_coordinators(rows: dict[str, tuple[int, int]]) -> None:
    fields = [
        ("key", NAME), ("node", Int32), ("host", NAME), ("port", Int32), ("error", Int16),
        ("message", NAME), TAGS,
    ]  # fmt: skip
    schema = Schema(("throttle", Int32), ("coordinators", CompactArray(*fields)), TAGS)
    written = [(name, node, "host", 9092, e, None, {}) for name, (node, e) in rows.items()]
    request = w.FindCoordinatorsRequest(rows)
    assert request.prepare(OLD).coordinator_keys == list(rows)
    found = answer(request, NEW, schema.encode((0, written, {})))
    assert w.parse_coordinators(found) == rows


PARTITION = [
    ("partition", Int32), ("offset", Int64), ("epoch", Int32), ("metadata", NAME),
    ("error", Int16), TAGS,
]  # fmt: skip
FETCHED = Schema(
    ("throttle", Int32),
    (
        "groups",
        CompactArray(
            ("id", NAME),
            (
                "topics",
                CompactArray(("name", NAME), ("partitions", CompactArray(*PARTITION)), TAGS),
            ),
            ("error", Int16),
            TAGS,
        ),
    ),
    TAGS,
)


def test_fetched_offsets() -> None:
    """Of wanted topics alone; none committed; errors of a partition and of a group."""
    rows = [
        (0, 2**40, 5, "mine", 0, {}),
        (1, -1, -1, "", 0, {}),
        (2, 7, -1, None, 0, {}),
        (3, -1, -1, "", 88, {}),
    ]
    written = [
        ("g", [("orders", rows, {}), ("other", rows, {1: b"\x01?"})], 0, {}),
        ("refused", [], 30, {}),
    ]
    request = o.FetchOffsetsRequest(["g", "refused"])
    found = o.parse_offsets(answer(request, NEW, FETCHED.encode((0, written, {}))), {"orders"})
    assert found["g"].commits == {
        ("orders", 0): Commit(2**40, "mine"),
        ("orders", 2): Commit(7, ""),
    }
    assert found["g"].refused == {("orders", 3): 88}
    assert (found["refused"].error, found["refused"].commits) == (30, {})


def test_all_partitions_are_asked_for() -> None:
    struct = o.FetchOffsetsRequest(["a"]).prepare(NEW)
    assert struct.API_VERSION == 8
    assert struct.encode() == b"\x02\x02a\x00\x00\x00\x00"  # one group, null topics, not stable


def test_what_is_allowed() -> None:
    member = [
        ("id", NAME), ("instance", NAME), ("client", NAME), ("host", NAME),
        ("metadata", CompactBytes), ("assignment", CompactBytes), TAGS,
    ]  # fmt: skip
    fields = [
        ("error", Int16), ("id", NAME), ("state", NAME), ("type", NAME), ("protocol", NAME),
        ("members", CompactArray(*member)), ("operations", Int32), TAGS,
    ]  # fmt: skip
    schema = Schema(("throttle", Int32), ("groups", CompactArray(*fields)), TAGS)
    members = [
        ("m", None, "c", "/h", b"\xff\xfe", b"", {}),
        ("n", "i", "c", "/h", b"", b"\x80", {}),
    ]
    written = [
        (0, "full", "Stable", "consumer", "range", members, 0b1001000, {}),
        (16, "elsewhere", "", "", "", [], -(2**31), {}),
    ]
    request = w.DescribeGroupsRequest(["full", "elsewhere"])
    found = answer(request, NEW | {15: (0, 6)}, schema.encode((0, written, {})))
    assert w.parse_operations(found) == {"full": (0, 0b1001000), "elsewhere": (16, -(2**31))}


@pytest.mark.parametrize(("versions", "version"), [(NEW, 9), (OLD, 8)])
def test_a_commit(versions: dict[int, tuple[int, int]], version: int) -> None:
    commits = {("t", 1): Commit(258, "m"), ("t", 2): Commit(3, "")}
    struct = o.CommitOffsetsRequest("g", commits).prepare(versions)
    assert version == struct.API_VERSION
    assert struct.encode() == bytes.fromhex(
        "0267"  # group
        "ffffffff 01 00"  # no generation, no member, no instance
        "02 0274 03"  # one topic, two partitions
        "00000001 0000000000000102 ffffffff 026d 00"
        "00000002 0000000000000003 ffffffff 01 00"
        "00 00"
    )


@given(st.dictionaries(st.tuples(NAMES, st.integers(0, 9)), st.integers(0, 99)))
def test_what_became_of_a_commit(errors: dict[tuple[str, int], int]) -> None:
    row = CompactArray(("partition", Int32), ("error", Int16), TAGS)
    topics = CompactArray(("name", NAME), ("partitions", row), TAGS)
    schema = Schema(("throttle", Int32), ("topics", topics), TAGS)
    by_topic: dict[str, list[tuple[int, int, dict[int, bytes]]]] = {}
    for (topic, partition), error in errors.items():
        by_topic.setdefault(topic, []).append((partition, error, {}))
    written = [(topic, rows, {}) for topic, rows in by_topic.items()]
    found = answer(o.CommitOffsetsRequest("g", {}), NEW, schema.encode((0, written, {})))
    assert o.parse_committed(found) == errors


def test_an_answer_that_is_cut_off_is_told() -> None:
    payload = FETCHED.encode((0, [("g", [("t", [(0, 1, 1, "m", 0, {})], {})], 0, {})], {}))
    request = o.FetchOffsetsRequest(["g"])
    for length in range(4, len(payload) - 1):
        with pytest.raises((IndexError, struct.error)):
            o.parse_offsets(answer(request, NEW, payload[:length]), {"t"})
