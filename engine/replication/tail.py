"""Reading what stands in a log, a bounded piece at a time: state topics, tails of mirrors."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

from engine.errors import KafkaError
from engine.kafka import batch as b
from engine.kafka import codes, fetch
from engine.kafka import records as r
from engine.kafka.codes import Code
from engine.kafka.connection import DataConnection
from engine.kafka.fetch import PartitionData, Position, TopicPartition

MAX_BYTES = 1024 * 1024
MAX_WAIT_MS = 100
ANSWER_TIMEOUT_S = 20.0


async def read_once(
    connection: DataConnection,
    partition: TopicPartition,
    offset: int,
    *,
    wait_ms: int = MAX_WAIT_MS,
) -> tuple[list[tuple[r.Batch, memoryview]], int]:
    """Fetch once from a partition's leader, outside any session, uncommitted data included.

    Returns the batches, CRC checked, and the high watermark. Raises KafkaError with `retriable` set
    as Kafka has it, and ConnectionLostError.
    """
    found, data = await read_piece(connection, partition, offset, wait_ms=wait_ms)
    return found, data.high_watermark


async def read_piece(
    connection: DataConnection,
    partition: TopicPartition,
    offset: int,
    *,
    wait_ms: int = MAX_WAIT_MS,
    isolation: int = fetch.READ_UNCOMMITTED,
    max_bytes: int = MAX_BYTES,
) -> tuple[list[tuple[r.Batch, memoryview]], PartitionData]:
    """Fetch once as read_once does; returns the batches and what else the broker told.

    With READ_COMMITTED nothing beyond the last stable offset comes, aborted data does.
    """
    frame, data = await fetch_once(
        connection, partition, offset, wait_ms=wait_ms, isolation=isolation, max_bytes=max_bytes
    )
    found = []
    for header, view in r.batches(frame[data.start : data.end]):
        try:
            b.check_crc(view, 0, header.size, header.crc)
        except b.CorruptBatchError as corrupt:
            name = f"{partition[0]}/{partition[1]} at offset {header.base_offset}"
            raise KafkaError("reading", name, str(corrupt)) from corrupt
        found.append((header, view))
    return found, data


async def fetch_once(
    connection: DataConnection,
    partition: TopicPartition,
    offset: int,
    *,
    wait_ms: int = MAX_WAIT_MS,
    isolation: int = fetch.READ_UNCOMMITTED,
    max_bytes: int = MAX_BYTES,
) -> tuple[memoryview, PartitionData]:
    """Fetch once as read_piece does; returns the frame, and where in it the batches stand."""
    body = fetch.request_body(
        {partition: Position(offset)},
        [],
        session=(fetch.NO_SESSION, fetch.FINAL_EPOCH),
        isolation=isolation,
        max_wait_ms=wait_ms,
        max_bytes=max_bytes,
        partition_max_bytes=max_bytes,
    )
    frame = await connection.send(fetch.API_KEY, fetch.VERSION, [body], ANSWER_TIMEOUT_S)
    name = f"{partition[0]}/{partition[1]}"
    try:
        response = fetch.parse_response(frame)
        connection.throttled(response.throttle_ms)
        data = response.partitions[0]
    except (struct.error, IndexError) as error:
        raise KafkaError("reading", name, f"the broker's answer makes no sense: {error}") from error
    code = response.error or data.error
    if code != Code.NONE:
        raise KafkaError(
            "reading",
            f"{name} at {connection.address}",
            codes.name(code),
            f"Grant READ on topic {partition[0]}" if code in codes.AUTHORIZATION else "",
            retriable=code in codes.RETRIABLE,
        )
    return frame, data


async def read_range(
    connection: DataConnection, partition: TopicPartition, start: int, end: int
) -> AsyncIterator[tuple[r.Batch, memoryview]]:
    """Yield the batches from `start` to `end`, or to the high watermark if that comes first."""
    while start < end:
        batches, high_watermark = await read_once(connection, partition, start)
        for header, view in batches:
            if header.next_offset > start and header.base_offset < end:
                yield header, view
        if batches:
            start = max(start, batches[-1][0].next_offset)
        elif start >= high_watermark:
            return
