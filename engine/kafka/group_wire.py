"""Requests about consumer groups, each for many groups at once, and their answers taken apart.

Not in aiokafka in these versions, so their structs stand here, in aiokafka's own form; answers stay
bytes until they are parsed. Formats: `clients/src/main/resources/common/message/` of Kafka,
`ListGroups`, `FindCoordinator` and `DescribeGroups`, `…Request.json` and `…Response.json`. All of
them are there since Kafka 3.0. Offsets are in engine.kafka.group_offsets_wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Schema,
    TaggedFields,
)

from engine.kafka.raw import RawResponse
from engine.kafka.wire import CompactReader

_STRING = CompactString("utf-8")
_GROUP_KEYS = 0  # what a coordinator is looked up by: a group's name


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """A group as the broker that coordinates it lists it."""

    name: str
    kind: str  # classic, consumer (KIP-848), share, streams; empty: the broker knows no kinds yet
    state: str  # Empty, Stable, …
    coordinator: int  # node id


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
    return {group: (error, allowed) for group, error, _, allowed in _described(response)}


def parse_members(response: RawResponse) -> dict[str, tuple[int, int]]:
    """Return error and number of members by group; raises as the others do."""
    return {group: (error, members) for group, error, members, _ in _described(response)}


def _described(response: RawResponse) -> Iterator[tuple[str, int, int, int]]:
    """Yield name, error, number of members and allowed operations of groups."""
    reader = CompactReader(memoryview(response.payload), 4)
    for _ in range(reader.length()):
        error = reader.i16()
        group = reader.string() or ""
        for _ in range(3):  # state, protocol type and protocol
            reader.string()
        members = reader.length()
        for _ in range(members):
            _skip_member(reader)
        yield group, error, members, reader.i32()
        reader.tags()


def _skip_member(reader: CompactReader) -> None:
    for _ in range(4):  # ids of member, instance and client; host
        reader.string()
    for _ in range(2):  # metadata and assignment
        size = reader.length()
        reader.at += size
    reader.tags()
