"""DescribeCluster (KIP-700, API 60, Kafka 2.8): what we may do with the cluster itself.

Not in aiokafka, so its structs stand here, in aiokafka's own form. Format:
`clients/src/main/resources/common/message/DescribeClusterRequest.json` and `…Response.json`.
"""

from __future__ import annotations

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from engine.errors import KafkaError
from engine.kafka import codes
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code


class DescribeClusterResponse(Response):  # type: ignore[misc]
    """Version 0."""

    API_KEY = 60
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", CompactString("utf-8")),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "brokers",
            CompactArray(
                ("broker_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _Struct(RequestStruct):  # type: ignore[misc]
    API_KEY = 60
    API_VERSION = 0
    RESPONSE_TYPE = DescribeClusterResponse
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(("include_cluster_authorized_operations", Boolean), ("tags", TaggedFields))


class DescribeClusterRequest(Request[_Struct]):  # type: ignore[misc]
    """Ask for the cluster, with what we are allowed to do with it."""

    API_KEY = 60

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class(True, {})


async def cluster_operations(cluster: Cluster) -> int:
    """Return a bit for each AclOperation that is allowed to us on the cluster.

    Without DESCRIBE on it that is 0. Raises ConnectError and KafkaError.
    """
    response = await cluster.request(DescribeClusterRequest())
    if response.error_code != Code.NONE:
        raise KafkaError("describing cluster", cluster.name, codes.name(response.error_code))
    return max(0, int(response.cluster_authorized_operations))
