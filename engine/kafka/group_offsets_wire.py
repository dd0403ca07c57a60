"""Fetching what groups committed, and committing for them: as engine.kafka.group_wire.

Formats: `OffsetFetchRequest.json`, `OffsetCommitRequest.json` and their responses.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from engine.kafka.fetch import TopicPartition
from engine.kafka.raw import RawResponse
from engine.kafka.wire import CompactReader

_STRING = CompactString("utf-8")
_COMMITTED = struct.Struct(">iqi")  # partition, offset, leader epoch
_NO_OFFSET = -1
_NO_GENERATION, _NO_MEMBER = -1, ""  # of one who is no member: taken while the group has none
_NO_EPOCH = -1


class Commit(NamedTuple):
    """What a group committed for one partition."""

    offset: int  # of the record to read next
    metadata: str


Commits = dict[TopicPartition, Commit]


@dataclass(slots=True)
class FetchedOffsets:
    """One group's offsets, or the error that the broker gave for it."""

    error: int = 0
    commits: Commits = field(default_factory=dict)
    refused: dict[TopicPartition, int] = field(default_factory=dict)  # errors


class _Fetch8Response(RawResponse):
    API_KEY = 9
    API_VERSION = 8


class _Fetch8(RequestStruct):  # type: ignore[misc]
    API_KEY = 9
    API_VERSION = 8
    RESPONSE_TYPE = _Fetch8Response
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        (
            "groups",
            CompactArray(
                ("group_id", _STRING),
                (
                    "topics",
                    CompactArray(
                        ("name", _STRING),
                        ("partition_indexes", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("require_stable", Boolean),
        ("tags", TaggedFields),
    )


class FetchOffsetsRequest(Request[_Fetch8]):  # type: ignore[misc]
    """Ask a coordinator for all that groups committed.

    Offsets that are part of an open transaction do not count: it may be aborted.
    """

    API_KEY = 9

    def __init__(self, groups: Iterable[str]) -> None:
        self._groups = list(groups)

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class([(group, None, {}) for group in self._groups], False, {})


def parse_offsets(response: RawResponse, topics: Container[str]) -> dict[str, FetchedOffsets]:
    """Return the offsets of these topics by group; raises struct.error or IndexError."""
    reader = CompactReader(memoryview(response.payload), 4)
    found = {}
    for _ in range(reader.length()):
        group = reader.string() or ""
        found[group] = offsets = FetchedOffsets()
        for _ in range(reader.length()):
            topic = reader.string() or ""
            _parse_topic(reader, topic, offsets if topic in topics else FetchedOffsets())
        offsets.error = reader.i16()
        reader.tags()
    return found


def _parse_topic(reader: CompactReader, topic: str, found: FetchedOffsets) -> None:
    for _ in range(reader.length()):
        partition, offset, _ = _COMMITTED.unpack_from(reader.view, reader.at)
        reader.at += _COMMITTED.size
        metadata = reader.string() or ""
        error = reader.i16()
        reader.tags()
        if error:
            found.refused[topic, partition] = error
        elif offset != _NO_OFFSET:
            found.commits[topic, partition] = Commit(offset, metadata)
    reader.tags()


class _Commit8Response(RawResponse):
    API_KEY = 8
    API_VERSION = 8


class _Commit9Response(RawResponse):
    API_KEY = 8
    API_VERSION = 9


class _Commit8(RequestStruct):  # type: ignore[misc]
    API_KEY = 8
    API_VERSION = 8
    RESPONSE_TYPE = _Commit8Response
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("group_id", _STRING),
        ("generation_id", Int32),
        ("member_id", _STRING),
        ("group_instance_id", _STRING),
        (
            "topics",
            CompactArray(
                ("name", _STRING),
                (
                    "partitions",
                    CompactArray(
                        ("partition_index", Int32),
                        ("committed_offset", Int64),
                        ("committed_leader_epoch", Int32),
                        ("committed_metadata", _STRING),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Commit9(_Commit8):
    API_VERSION = 9  # the same, with errors of KIP-848
    RESPONSE_TYPE = _Commit9Response


class CommitOffsetsRequest(Request[_Commit8 | _Commit9]):  # type: ignore[misc]
    """Commit for a group without being its member; refused while it has members."""

    API_KEY = 8

    def __init__(self, group: str, commits: Mapping[TopicPartition, Commit]) -> None:
        self._group = group
        self._commits = commits

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        topics: dict[str, list[tuple[int, int, int, str, dict[int, bytes]]]] = {}
        for (topic, partition), (offset, metadata) in self._commits.items():
            rows = topics.setdefault(topic, [])
            rows.append((partition, offset, _NO_EPOCH, metadata, {}))
        named: list[Any] = [(name, rows, {}) for name, rows in topics.items()]
        return request_struct_class(self._group, _NO_GENERATION, _NO_MEMBER, None, named, {})


def parse_committed(response: RawResponse) -> dict[TopicPartition, int]:
    """Return the errors by partition, 0 included; raises struct.error or IndexError."""
    reader = CompactReader(memoryview(response.payload), 4)
    found = {}
    for _ in range(reader.length()):
        topic = reader.string() or ""
        for _ in range(reader.length()):
            partition = reader.i32()
            found[topic, partition] = reader.i16()
            reader.tags()
        reader.tags()
    return found
