"""DescribeClientQuotas (KIP-546, API 48): which quotas there are for users and client ids.

Not in aiokafka, so it stands here in aiokafka's own form. Format:
`clients/src/main/resources/common/message/DescribeClientQuotasRequest.json`, `…Response.json`.
"""

from __future__ import annotations

import struct
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

from engine.errors import KafkaError
from engine.kafka import codes
from engine.kafka.cluster import Cluster
from engine.kafka.raw import RawResponse
from engine.kafka.wire import CompactReader

_F64 = struct.Struct(">d")
_STRING = CompactString("utf-8")


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit for an entity: names by type (user, client-id, ip); None as name is the default."""

    entity: dict[str, str | None]
    key: str
    value: float


class _QuotasResponse(RawResponse):
    API_KEY = 48
    API_VERSION = 1


class _QuotasStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 48
    API_VERSION = 1
    RESPONSE_TYPE = _QuotasResponse
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        (
            "components",
            CompactArray(
                ("entity_type", _STRING),
                ("match_type", Int8),
                ("match", _STRING),
                ("tags", TaggedFields),
            ),
        ),
        ("strict", Boolean),
        ("tags", TaggedFields),
    )


class _QuotasRequest(Request[_QuotasStruct]):  # type: ignore[misc]
    API_KEY = 48

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on: all entities."""
        return request_struct_class([], False, {})


async def describe_quotas(cluster: Cluster) -> list[Quota]:
    """Return all client quotas; raises ConnectError, and KafkaError when refused."""
    answer = await cluster.request(_QuotasRequest())
    try:
        error, message, quotas = _parse(CompactReader(memoryview(answer.payload), 4))
    except (struct.error, IndexError, UnicodeDecodeError) as failure:
        raise KafkaError(
            "asking cluster", cluster.name,
            f"its answer to DescribeClientQuotas makes no sense: {failure}",
        ) from failure  # fmt: skip
    if error:
        raise KafkaError(
            "asking for the quotas of cluster",
            cluster.name,
            codes.words(error, message),
            "Grant DESCRIBE_CONFIGS on the cluster" if error in codes.AUTHORIZATION else "",
        )
    return quotas


def _parse(reader: CompactReader) -> tuple[int, str | None, list[Quota]]:
    error, message = reader.i16(), reader.string()
    quotas = []
    for _ in range(reader.length()):
        entity: dict[str, str | None] = {}
        for _ in range(reader.length()):
            kind = reader.string() or ""
            entity[kind] = reader.string()
            reader.tags()
        for _ in range(reader.length()):
            key = reader.string() or ""
            value: float = _F64.unpack_from(reader.view, reader.at)[0]
            reader.at += _F64.size
            reader.tags()
            quotas.append(Quota(entity, key, value))
        reader.tags()
    return error, message, quotas
