"""DescribeLogDirs (KIP-113, API 35): how many bytes partitions have on the brokers' disks.

Not in aiokafka, so it stands here in aiokafka's own form. Format:
`clients/src/main/resources/common/message/DescribeLogDirsResponse.json` (version 1).
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.types import Array, Int32, Schema, String

from engine.errors import KafkaError
from engine.kafka.cluster import Cluster
from engine.kafka.fetch import TopicPartition
from engine.kafka.raw import RawResponse
from engine.kafka.wire import Reader

_PARTITION = struct.Struct(">iqq?")  # index, size, offset lag, whether it is a future replica


class _LogDirsResponse(RawResponse):
    API_KEY = 35
    API_VERSION = 1


class _LogDirsStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 35
    API_VERSION = 1
    RESPONSE_TYPE = _LogDirsResponse
    SCHEMA = Schema(("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))))


class _LogDirsRequest(Request[_LogDirsStruct]):  # type: ignore[misc]
    API_KEY = 35

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on: all topics."""
        return request_struct_class(None)


async def log_sizes(cluster: Cluster, brokers: list[int]) -> dict[TopicPartition, int]:
    """Return the bytes of each partition's largest replica.

    Raises ConnectError, and KafkaError when we may not ask.
    """
    sizes: dict[TopicPartition, int] = {}
    for share in (await broker_sizes(cluster, brokers)).values():
        for key, size in share.items():
            sizes[key] = max(size, sizes.get(key, 0))
    return sizes


async def broker_sizes(
    cluster: Cluster, brokers: list[int]
) -> dict[int, dict[TopicPartition, int]]:
    """Return the bytes of each replica by broker; raises as `log_sizes` does."""
    answers = await asyncio.gather(*(cluster.request(_LogDirsRequest(), node) for node in brokers))
    try:
        shares = [await asyncio.to_thread(_parse, memoryview(answer.payload)) for answer in answers]
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise KafkaError(
            "asking cluster", cluster.name,
            f"its answer to DescribeLogDirs makes no sense: {error}",
        ) from error  # fmt: skip
    if not all(folders for folders, _ in shares):
        # Version 1 knows no error for it: who may not ask is told of no folder.
        raise KafkaError(
            "asking for sizes on cluster",
            cluster.name,
            "it tells us of no log folder",
            "Grant DESCRIBE on the cluster",
        )
    return {node: share for node, (_, share) in zip(brokers, shares, strict=True)}


def _parse(view: memoryview) -> tuple[int, dict[TopicPartition, int]]:
    """Return the number of log folders, and the sizes in them."""
    reader = Reader(view, 4)  # after the throttle time
    folders = reader.i32()
    sizes: dict[TopicPartition, int] = {}
    for _ in range(folders):
        reader.i16()  # an error of that folder: what it holds is not listed
        reader.string()
        for _ in range(reader.i32()):
            topic = reader.string() or ""
            for _ in range(reader.i32()):
                index, size, _, future = _PARTITION.unpack_from(reader.view, reader.at)
                reader.at += _PARTITION.size
                if not future:
                    sizes[topic, index] = max(size, sizes.get((topic, index), 0))
    return folders, sizes
