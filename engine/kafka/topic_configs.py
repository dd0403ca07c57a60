"""Topic configs: reading them (DescribeConfigs), changing some (IncrementalAlterConfigs, KIP-339).

An answer has some 35 configs a topic, of which we want a few: our own parser makes 10,000 topics
a matter of a second instead of ten, and asks in shares so that nothing waits for it. What is not in
aiokafka stands here in aiokafka's own form. Formats:
`clients/src/main/resources/common/message/DescribeConfigsResponse.json` (version 2) and
`IncrementalAlterConfigsRequest.json` (version 0).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from aiokafka.protocol.admin import DescribeConfigsRequest_v2
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

from engine.errors import KafkaError
from engine.kafka import codes
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.raw import RawResponse
from engine.kafka.wire import Reader

_TOPIC_RESOURCE = 2  # ConfigResource.Type.TOPIC
_SET_ON_TOPIC = 1  # ConfigSource.DYNAMIC_TOPIC_CONFIG
_SHARE = 100  # topics in one request: some 10 ms of parsing
EFFECTIVE = frozenset({"cleanup.policy", "max.message.bytes", "retention.bytes", "retention.ms"})
"""Of what is not set on a topic itself, these are told; ten thousand topics have a lot of it."""
_FLAGS = struct.Struct(">?b?i")  # read only, config source, sensitive, number of synonyms


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """What was set on a topic itself, and what counts there of EFFECTIVE or what was asked for."""

    values: Mapping[str, str]
    own: frozenset[str]

    @property
    def own_values(self) -> dict[str, str]:
        """What was set on the topic itself."""
        return {name: self.values[name] for name in self.own if name in self.values}


class _DescribeResponse(RawResponse):
    API_KEY = 32
    API_VERSION = 2


class _DescribeStruct(DescribeConfigsRequest_v2):  # type: ignore[misc]
    RESPONSE_TYPE = _DescribeResponse


class _DescribeRequest(Request[_DescribeStruct]):  # type: ignore[misc]
    API_KEY = 32

    def __init__(
        self, topics: Iterable[str], names: list[str] | None, *, synonyms: bool = False
    ) -> None:
        self._resources = [(_TOPIC_RESOURCE, topic, names) for topic in topics]
        self._synonyms = synonyms

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class(self._resources, self._synonyms)


async def topic_configs(
    cluster: Cluster, topics: Iterable[str], names: Iterable[str] | None = None
) -> dict[str, TopicConfig]:
    """Read topics' configs, or some of them; topics that cannot be described are left out."""
    return (await described_configs(cluster, topics, names))[0]


async def described_configs(
    cluster: Cluster,
    topics: Iterable[str],
    names: Iterable[str] | None = None,
    *,
    node: int | None = None,
) -> tuple[dict[str, TopicConfig], dict[str, KafkaError]]:
    """Read topics' configs; return them by topic, and by topic why others could not be read.

    `node`: as this broker has them, which learns of changes by itself.
    """
    listed = list(topics)
    wanted = None if names is None else list(names)
    keep = EFFECTIVE if wanted is None else frozenset(wanted)
    found: dict[str, TopicConfig] = {}
    refused: dict[str, KafkaError] = {}
    for at in range(0, len(listed), _SHARE):
        answer = await cluster.request(_DescribeRequest(listed[at : at + _SHARE], wanted), node)
        for topic, error, message, entries in _parsed(cluster, answer, keep):
            if error == Code.NONE:
                values = {entry.name: entry.value for entry in entries if entry.value is not None}
                own = frozenset(entry.name for entry in entries if entry.source == _SET_ON_TOPIC)
                found[topic] = TopicConfig(values, own)
                continue
            refused[topic] = KafkaError(
                "reading the configs of topic",
                f"{topic} on cluster {cluster.name}",
                codes.words(error, message),
                f"Grant DESCRIBE_CONFIGS on topic {topic}" * (error in codes.AUTHORIZATION),
                retriable=error not in codes.AUTHORIZATION,
            )
        await asyncio.sleep(0)
    return found, refused


async def topic_defaults(cluster: Cluster, topics: Iterable[str]) -> dict[str, str | None]:
    """Return what topics have that nothing is set on, by the configs of the first that tells.

    Which are all that the cluster's brokers know; empty when no topic tells.
    """
    answer = await cluster.request(_DescribeRequest(topics, None, synonyms=True))
    for _topic, error, _message, entries in _parsed(cluster, answer, None):
        if error == Code.NONE:
            return {entry.name: entry.default for entry in entries}
    return {}


class _Entry(NamedTuple):
    name: str
    value: str | None
    source: int
    default: str | None  # where it was asked for


def _parsed(
    cluster: Cluster, answer: _DescribeResponse, keep: frozenset[str] | None
) -> list[tuple[str, int, str | None, list[_Entry]]]:
    """Return topic, error code, message and entries of each; raises KafkaError.

    The entries: what is set on the topic itself, and `keep`; None keeps all.
    """
    reader = Reader(memoryview(answer.payload), 4)  # after the throttle time
    found = []
    try:
        for _ in range(reader.i32()):
            error = reader.i16()
            message = reader.string()
            reader.at += 1  # resource type
            topic = reader.string() or ""
            entries = [_entry(reader, keep) for _ in range(reader.i32())]
            found.append((topic, error, message, [each for each in entries if each is not None]))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise KafkaError(
            "reading the configs of topics of cluster", cluster.name,
            f"its answer to DescribeConfigs makes no sense: {error}",
        ) from error  # fmt: skip
    return found


def _entry(reader: Reader, keep: frozenset[str] | None) -> _Entry | None:
    name = reader.string() or ""
    value_at = reader.at
    length = reader.i16()
    reader.at += max(length, 0)
    _, source, _, synonyms = _FLAGS.unpack_from(reader.view, reader.at)
    reader.at += _FLAGS.size
    if not synonyms and source != _SET_ON_TOPIC and keep is not None and name not in keep:
        return None
    value = Reader(reader.view, value_at).string()
    default = value if source != _SET_ON_TOPIC else None
    for _ in range(synonyms):  # what counts, in this order
        reader.string()
        other = reader.string()
        kind = reader.view[reader.at]
        reader.at += 1
        if default is None and kind != _SET_ON_TOPIC:
            default = other
    return _Entry(name, value, source, default)


class Operation(IntEnum):
    """AlterConfigOp.OpType."""

    SET = 0
    DELETE = 1


class _AlterResponse(Response):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _AlterStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _AlterResponse
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")),
                        ("config_operation", Int8),
                        ("value", String("utf-8")),
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _AlterRequest(Request[_AlterStruct]):  # type: ignore[misc]
    API_KEY = 44

    def __init__(
        self, changes: Mapping[str, Mapping[str, str | None]], *, validate_only: bool
    ) -> None:
        self._resources = [
            (
                _TOPIC_RESOURCE,
                topic,
                [
                    (name, Operation.DELETE if value is None else Operation.SET, value)
                    for name, value in values.items()
                ],
            )
            for topic, values in changes.items()
        ]
        self._validate_only = validate_only

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class(self._resources, self._validate_only)


async def alter_configs(
    cluster: Cluster,
    changes: Mapping[str, Mapping[str, str | None]],
    *,
    validate_only: bool = False,
) -> dict[str, KafkaError]:
    """Set configs of topics, remove those that are None; return what was refused, by topic.

    Each topic's changes are made together or not at all. `validate_only`: make none, only ask.
    """
    refused: dict[str, KafkaError] = {}
    topics = list(changes)
    for at in range(0, len(topics), _SHARE):
        share = {topic: changes[topic] for topic in topics[at : at + _SHARE]}
        response = await cluster.request(_AlterRequest(share, validate_only=validate_only))
        for error, message, _kind, topic in response.responses:
            if error != Code.NONE:
                refused[topic] = KafkaError(
                    "changing the configs of topic",
                    f"{topic} on cluster {cluster.name}",
                    codes.words(error, message),
                    f"Grant ALTER_CONFIGS on topic {topic}" * (error in codes.AUTHORIZATION),
                    retriable=error in codes.RETRIABLE,
                )
    return refused
