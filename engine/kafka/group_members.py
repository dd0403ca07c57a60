"""How many members consumer groups have: DescribeGroups, and ConsumerGroupDescribe (KIP-848).

One request a coordinator and protocol. Format of the second, which is not in aiokafka either:
`clients/src/main/resources/common/message/ConsumerGroupDescribeRequest.json`, `…Response.json`.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Schema, TaggedFields

from engine.errors import KafkaError
from engine.kafka.cluster import Cluster
from engine.kafka.group_wire import DescribeGroupsRequest, ListedGroup, parse_members
from engine.kafka.raw import RawResponse
from engine.kafka.wire import CompactReader

_AT_ONCE = 500  # groups in one request: members' assignments can be large
_WITHOUT = {"empty", "dead"}
_CONSUMER = "consumer"
_CLASSIC = {"", "classic"}


class _DescribeResponse(RawResponse):
    API_KEY = 69
    API_VERSION = 0


class _DescribeStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 69
    API_VERSION = 0
    RESPONSE_TYPE = _DescribeResponse
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("groups", CompactArray(CompactString("utf-8"))),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _DescribeRequest(Request[_DescribeStruct]):  # type: ignore[misc]
    API_KEY = 69

    def __init__(self, groups: Iterable[str]) -> None:
        self._groups = list(groups)

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class(self._groups, False, {})


async def count_members(cluster: Cluster, groups: Iterable[ListedGroup]) -> dict[str, int]:
    """Return how many members groups have; one that we may not ask about, or share, is left out.

    Raises ConnectError, and KafkaError for an answer that makes no sense.
    """
    found: dict[str, int] = {}
    asked: dict[tuple[int, bool], list[str]] = {}
    for group in groups:
        if group.state.lower() in _WITHOUT:
            found[group.name] = 0
        elif group.kind in _CLASSIC or group.kind == _CONSUMER:
            asked.setdefault((group.coordinator, group.kind == _CONSUMER), []).append(group.name)
    answers = await asyncio.gather(
        *(
            _ask(cluster, node, names[start : start + _AT_ONCE], consumer=consumer)
            for (node, consumer), names in asked.items()
            for start in range(0, len(names), _AT_ONCE)
        )
    )
    for answer in answers:
        found |= answer
    return found


async def _ask(
    cluster: Cluster, node: int, names: Iterable[str], *, consumer: bool
) -> dict[str, int]:
    request = _DescribeRequest(names) if consumer else DescribeGroupsRequest(names)
    answer = await cluster.request(request, node)
    try:
        parse = _parse_consumer if consumer else parse_members
        told = await asyncio.to_thread(parse, answer)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise KafkaError(
            "asking cluster", cluster.name, f"its description of groups makes no sense: {error}"
        ) from error
    return {name: members for name, (code, members) in told.items() if not code}


def _parse_consumer(response: RawResponse) -> dict[str, tuple[int, int]]:
    reader = CompactReader(memoryview(response.payload), 4)  # after the throttle time
    found = {}
    for _ in range(reader.length()):
        error = reader.i16()
        reader.string()  # the error in words
        group = reader.string() or ""
        reader.string()  # state
        reader.i32()  # epochs of group and assignment
        reader.i32()
        reader.string()  # assignor
        members = reader.length()
        for _ in range(members):
            _skip_member(reader)
        found[group] = error, members
        reader.i32()  # operations
        reader.tags()
    return found


def _skip_member(reader: CompactReader) -> None:
    for _ in range(3):  # ids of member, instance, rack
        reader.string()
    reader.i32()  # epoch
    for _ in range(2):  # client id, host
        reader.string()
    for _ in range(reader.length()):  # topics that it reads
        reader.string()
    reader.string()  # their regex
    for _ in range(2):  # assignment, and what it is to be
        for _ in range(reader.length()):
            reader.uuid()
            reader.string()
            reader.skip_i32s()
            reader.tags()
        reader.tags()
    reader.tags()
