"""DescribeQuorum (KIP-595, API 55): the controllers of a KRaft cluster.

Not in aiokafka, so it stands here in aiokafka's own form. Format:
`clients/src/main/resources/common/message/DescribeQuorumRequest.json` and `…Response.json`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.types import CompactArray, CompactString, Int32, Schema, TaggedFields

from engine.errors import KafkaError
from engine.kafka import codes
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.metadata import ClusterMetadata
from engine.kafka.raw import RawResponse
from engine.kafka.wire import CompactReader

API_KEY = 55
_LOG = "__cluster_metadata"


@dataclass(frozen=True, slots=True)
class MetadataQuorum:
    """Who leads the metadata log, who votes, and who follows it (the brokers)."""

    leader: int
    epoch: int
    voters: tuple[int, ...]
    observers: tuple[int, ...]


class _QuorumResponse(RawResponse):
    API_KEY = API_KEY
    API_VERSION = 0


class _QuorumStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = API_KEY
    API_VERSION = 0
    RESPONSE_TYPE = _QuorumResponse
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("partitions", CompactArray(("index", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _QuorumRequest(Request[_QuorumStruct]):  # type: ignore[misc]
    API_KEY = API_KEY

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class([(_LOG, [(0, {})], {})], {})


def controller_of(metadata: ClusterMetadata, versions: Mapping[int, tuple[int, int]]) -> int | None:
    """Return the controller's node id where Metadata tells it.

    With KRaft it names any broker, as each passes on what is for the controller.
    """
    known = versions and API_KEY not in versions and metadata.controller >= 0
    return metadata.controller if known else None


async def describe_quorum(cluster: Cluster) -> MetadataQuorum:
    """Return the quorum of a KRaft cluster; raises ConnectError, and KafkaError when refused."""
    answer = await cluster.request(_QuorumRequest())
    try:
        error, quorum = _parse(CompactReader(memoryview(answer.payload)))
    except (struct.error, IndexError, UnicodeDecodeError) as failure:
        raise KafkaError(
            "asking cluster", cluster.name,
            f"its answer to DescribeQuorum makes no sense: {failure}",
        ) from failure  # fmt: skip
    if error:
        raise KafkaError(
            "describing the quorum of cluster",
            cluster.name,
            codes.name(error),
            "Grant DESCRIBE on the cluster" if error in codes.AUTHORIZATION else "",
        )
    return quorum


def _parse(reader: CompactReader) -> tuple[int, MetadataQuorum]:
    """Return the first error there is, and the quorum of the one partition that was asked for."""
    error = reader.i16()
    quorum = MetadataQuorum(-1, -1, (), ())
    for _ in range(reader.length()):
        reader.string()  # the topic
        for _ in range(reader.length()):
            reader.i32()  # the partition
            error = error or reader.i16()
            leader, epoch = reader.i32(), reader.i32()
            reader.i64()  # high watermark
            quorum = MetadataQuorum(leader, epoch, _replicas(reader), _replicas(reader))
            reader.tags()
        reader.tags()
    return error or Code.NONE, quorum


def _replicas(reader: CompactReader) -> tuple[int, ...]:
    found = []
    for _ in range(reader.length()):
        found.append(reader.i32())
        reader.i64()  # log end offset
        reader.tags()
    return tuple(sorted(found))
