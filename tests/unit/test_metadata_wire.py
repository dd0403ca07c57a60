"""Metadata answers of flexible versions, written by aiokafka's types, read by ours."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from engine.kafka import metadata
from engine.kafka.metadata import NO_LEADER, NO_TOPIC_ID, MetadataRequest
from engine.kafka.wire import CompactReader, Uuid, compact_string, uvarint

NAME = CompactString("utf-8")
PARTITION = CompactArray(
    ("error", Int16),
    ("index", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("in_sync", CompactArray(Int32)),
    ("offline", CompactArray(Int32)),
    ("tags", TaggedFields),
)


def response_schema(version: int) -> Schema:
    """MetadataResponse.json, v9 to v12, in aiokafka's types."""
    with_id = [("topic_id", Uuid)] if version >= 10 else []
    cluster_operations = [("operations", Int32)] if version <= 10 else []
    return Schema(
        ("throttle", Int32),
        (
            "brokers",
            CompactArray(
                ("node", Int32), ("host", NAME), ("port", Int32), ("rack", NAME),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", NAME),
        ("controller", Int32),
        (
            "topics",
            CompactArray(
                ("error", Int16), ("name", NAME), *with_id, ("internal", Boolean),
                ("partitions", PARTITION), ("operations", Int32), ("tags", TaggedFields),
            ),
        ),
        *cluster_operations,
        ("tags", TaggedFields),
    )  # fmt: skip


nodes = st.integers(0, 2**31 - 1)
names = st.text(max_size=6)
# aiokafka writes tagged fields without their sizes, so the values bring them along.
tags = st.dictionaries(
    st.integers(1, 300), st.binary(max_size=3).map(lambda value: uvarint(len(value)) + value)
)
brokers = st.lists(
    st.tuples(nodes, names, nodes, st.one_of(st.none(), names), tags),
    max_size=3,
    unique_by=lambda broker: broker[0],
)
replicas = st.lists(nodes, max_size=3)
partitions = st.lists(
    st.tuples(
        st.integers(-1, 100), nodes, st.integers(-1, 5), nodes, replicas, replicas, replicas, tags
    ),
    max_size=4,
    unique_by=lambda partition: partition[1],
)
topics = st.lists(
    st.tuples(st.integers(-1, 100), names, st.uuids(), st.booleans(), partitions, tags),
    max_size=3,
    unique_by=lambda topic: topic[1],
)


@pytest.mark.parametrize("version", [9, 12])
@settings(max_examples=60, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(brokers=brokers, topics=topics, cluster_id=st.one_of(st.none(), names), controller=nodes)
def test_what_aiokafkas_types_write_is_read(
    version: int, brokers: Any, topics: Any, cluster_id: str | None, controller: int
) -> None:
    rows = [
        (error, name, *([topic_id] if version >= 10 else []), internal, parts, -1, tagged)
        for error, name, topic_id, internal, parts, tagged in topics
    ]
    operations = [-1] if version <= 10 else []
    values = [0, brokers, cluster_id, controller, rows, *operations, {}]
    data = response_schema(version).encode(values)
    found = metadata.parse(memoryview(data), version)
    assert found.cluster_id == (cluster_id or "")
    assert found.controller == controller
    assert found.brokers == {node: (host, port) for node, host, port, _, _ in brokers}
    assert list(found.topics) == [topic[1] for topic in topics]
    for error, name, topic_id, internal, parts, _ in topics:
        topic = found.topics[name]
        assert (topic.error, topic.internal) == (error, internal)
        assert topic.topic_id == (topic_id if version >= 10 else NO_TOPIC_ID)
        assert list(topic.partitions) == sorted(part[1] for part in parts)
        for code, index, leader, _, replicas, in_sync, _, _ in parts:
            part = topic.partitions[index]
            assert (part.error, part.leader) == (code, leader)
            assert (part.replicas, part.in_sync) == (len(replicas), len(in_sync))
            led = leader if leader in found.brokers else NO_LEADER
            assert found.leader(name, index) == led


def test_a_cut_off_answer_is_refused() -> None:
    parts: list[Any] = [(0, 0, 1, 0, [1], [1], [], {})]
    rows: list[Any] = [(0, "orders", UUID(int=7), False, parts, -1, {})]
    data = response_schema(12).encode([0, [(1, "a", 9092, None, {})], "id", 1, rows, {}])
    assert metadata.parse(memoryview(data), 12).leader("orders", 0) == 1
    for cut in range(len(data) - 1):  # the last byte is the tags', which nothing follows
        with pytest.raises((struct.error, IndexError)):
            metadata.parse(memoryview(data[:cut]), 12)


@pytest.mark.parametrize(("topics", "asked"), [(None, None), ([], []), (["a"], ["a"])])
@pytest.mark.parametrize("version", [9, 12])
def test_what_is_asked(version: int, topics: list[str] | None, asked: list[str] | None) -> None:
    struct_ = MetadataRequest(topics).prepare({3: (0, version)})
    assert version == struct_.API_VERSION
    decoded = type(struct_).SCHEMA.decode(BytesIO(struct_.encode()))
    wanted, *flags, _tags = decoded
    assert (None if wanted is None else [topic[-2] for topic in wanted]) == asked
    assert flags == [False] * (2 if version > 10 else 3), "creates no topics, asks no ACLs"


@given(st.integers(0, 2**32 - 1), st.text(max_size=300))
def test_compact_types_are_aiokafkas(number: int, text: str) -> None:
    encoded = CompactString("utf-8").encode(text)
    assert compact_string(text) == encoded
    reader = CompactReader(memoryview(encoded + uvarint(number)))
    assert reader.string() == text
    assert reader.uvarint() == number
