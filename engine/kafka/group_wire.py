"""Requests about consumer groups, each for many groups at once, and their answers taken apart.

Not in aiokafka in these versions, so their structs stand here, in aiokafka's own form; answers stay
bytes until they are parsed. Formats: `clients/src/main/resources/common/message/` of Kafka,
`ListGroups`, `FindCoordinator`, `OffsetFetch` and `OffsetCommit`, `…Request.json` and
`…Response.json`. All of them are there since Kafka 3.0.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, NamedTuple

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from engine.kafka.fetch import TopicPartition
from engine.kafka.wire import CompactReader

_STRING = CompactString("utf-8")
_COMMITTED = struct.Struct(">iqi")  # partition, offset, leader epoch
_GROUP_KEYS = 0  # what a coordinator is looked up by: a group's name
_NO_OFFSET = -1
_NO_GENERATION, _NO_MEMBER = -1, ""  # of one who is no member: taken while the group has none
_NO_EPOCH = -1


class Commit(NamedTuple):
    """What a group committed for one partition."""

    offset: int  # of the record to read next
    metadata: str


Commits = dict[TopicPartition, Commit]


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """A group as the broker that coordinates it lists it."""

    name: str
    kind: str  # classic, consumer (KIP-848), share, streams; empty: the broker knows no kinds yet
    state: str  # Empty, Stable, …
    coordinator: int  # node id


@dataclass(slots=True)
class FetchedOffsets:
    """One group's offsets, or the error that the broker gave for it."""

    error: int = 0
    commits: Commits = field(default_factory=dict)
    refused: dict[TopicPartition, int] = field(default_factory=dict)  # errors


class RawResponse(Response):  # type: ignore[misc]
    """Any of the answers, kept as bytes."""

    API_KEY = 0  # each subclass's own
    API_VERSION = 0
    SCHEMA = Schema()

    def __init__(self, payload: bytes) -> None:
        super().__init__()
        self.payload = payload

    @classmethod
    def decode(cls, data: BytesIO | bytes) -> RawResponse:
        """Keep what follows the response header."""
        return cls(data if isinstance(data, bytes) else data.read())


class _List4Response(RawResponse):
    API_KEY = 16
    API_VERSION = 4


class _List5Response(RawResponse):
    API_KEY = 16
    API_VERSION = 5


class _List4(RequestStruct):  # type: ignore[misc]
    API_KEY = 16
    API_VERSION = 4
    RESPONSE_TYPE = _List4Response
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(("states_filter", CompactArray(_STRING)), ("tags", TaggedFields))


class _List5(RequestStruct):  # type: ignore[misc]
    API_KEY = 16
    API_VERSION = 5
    RESPONSE_TYPE = _List5Response
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("states_filter", CompactArray(_STRING)),
        ("types_filter", CompactArray(_STRING)),
        ("tags", TaggedFields),
    )


class ListGroupsRequest(Request[_List4 | _List5]):  # type: ignore[misc]
    """Ask a broker for the groups that it coordinates, as far as we may see them."""

    API_KEY = 16

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class(*([] for _ in request_struct_class.SCHEMA.names[:-1]), {})


def parse_list(response: RawResponse, coordinator: int) -> tuple[int, list[ListedGroup]]:
    """Return the error and the groups; raises struct.error or IndexError when cut off."""
    reader = CompactReader(memoryview(response.payload), 4)  # after the throttle time
    error = reader.i16()
    found = []
    for _ in range(reader.length()):
        name = reader.string() or ""
        reader.string()  # protocol type
        state = reader.string() or ""
        kind = (reader.string() or "") if response.API_VERSION >= 5 else ""
        reader.tags()
        found.append(ListedGroup(name, kind.lower(), state, coordinator))
    return error, found


class _Find4Response(RawResponse):
    API_KEY = 10
    API_VERSION = 4


class _Find4(RequestStruct):  # type: ignore[misc]
    API_KEY = 10
    API_VERSION = 4
    RESPONSE_TYPE = _Find4Response
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("key_type", Int8), ("coordinator_keys", CompactArray(_STRING)), ("tags", TaggedFields)
    )


class FindCoordinatorsRequest(Request[_Find4]):  # type: ignore[misc]
    """Ask any broker who coordinates groups, whether they exist or not."""

    API_KEY = 10

    def __init__(self, groups: Iterable[str]) -> None:
        self._groups = list(groups)

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class(_GROUP_KEYS, self._groups, {})


def parse_coordinators(response: RawResponse) -> dict[str, tuple[int, int]]:
    """Return node id and error by group; raises struct.error or IndexError when cut off."""
    reader = CompactReader(memoryview(response.payload), 4)
    found = {}
    for _ in range(reader.length()):
        group = reader.string() or ""
        node = reader.i32()
        reader.string()  # host
        reader.i32()  # port
        found[group] = node, reader.i16()
        reader.string()  # the error in words
        reader.tags()
    return found


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


class _Describe5Response(RawResponse):
    API_KEY = 15
    API_VERSION = 5


class _Describe5(RequestStruct):  # type: ignore[misc]
    API_KEY = 15
    API_VERSION = 5
    RESPONSE_TYPE = _Describe5Response
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("groups", CompactArray(_STRING)),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class DescribeGroupsRequest(Request[_Describe5]):  # type: ignore[misc]
    """Ask a coordinator what we are allowed to do with groups (KIP-430).

    aiokafka's takes the answer for one of an older version, which does not tell that.
    """

    API_KEY = 15

    def __init__(self, groups: Iterable[str]) -> None:
        self._groups = list(groups)

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class(self._groups, True, {})


def parse_operations(response: RawResponse) -> dict[str, tuple[int, int]]:
    """Return error and allowed operations (a bit each) by group; raises as the others do."""
    reader = CompactReader(memoryview(response.payload), 4)
    found = {}
    for _ in range(reader.length()):
        error = reader.i16()
        group = reader.string() or ""
        for _ in range(3):  # state, protocol type and protocol
            reader.string()
        for _ in range(reader.length()):
            _skip_member(reader)
        found[group] = error, reader.i32()
        reader.tags()
    return found


def _skip_member(reader: CompactReader) -> None:
    for _ in range(4):  # ids of member, instance and client; host
        reader.string()
    for _ in range(2):  # metadata and assignment
        size = reader.length()
        reader.at += size
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
