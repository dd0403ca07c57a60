"""Records or markers: what was appended to logs since the last look.

A producer whose transactions are refused aborts each and begins the next, and so appends a marker
every time: its partitions never stand still, and yet nobody writes. What is fetched to tell are the
batches behind a known end, a few kB a partition, all partitions of a broker in one request.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator, Mapping

from engine.errors import ConnectError, KafkaError
from engine.kafka import batch as b
from engine.kafka import codes, fetch
from engine.kafka import records as r
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.connection import ConnectionLostError, DataConnection
from engine.kafka.fetch import PartitionData, Position, TopicPartition
from engine.kafka.metadata import NO_LEADER, ClusterMetadata

_PARTITION_BYTES = 4 * 1024
_BYTES = 16 * 1024 * 1024
_WAIT_MS = 50
_ANSWER_TIMEOUT_S = 5.0
_LONGEST_S = 1.0  # for markers that are not replicated yet, or a great many of them

Range = tuple[int, int]


class Tails:
    """Reads behind the ends of one cluster's partitions; `close` it."""

    def __init__(self, source: Cluster) -> None:
        self._source = source
        self._connections: dict[int, DataConnection] = {}

    def close(self) -> None:
        """End the connections."""
        for connection in self._connections.values():
            connection.abort("not needed any more")
        self._connections.clear()

    async def with_records(
        self, ranges: Mapping[TopicPartition, Range], metadata: ClusterMetadata
    ) -> dict[TopicPartition, bool]:
        """Tell of ranges of offsets, their end not included, which have records in them.

        Those that could not be read to their end in a moment are left out. Raises KafkaError when
        reading is not permitted.
        """
        by_leader: dict[int, dict[TopicPartition, Range]] = {}
        for key, wanted in ranges.items():
            leader = metadata.leader(*key)
            if leader != NO_LEADER:
                by_leader.setdefault(leader, {})[key] = wanted
        found = await asyncio.gather(
            *(self._of_broker(node, wanted) for node, wanted in by_leader.items())
        )
        return {key: answer for each in found for key, answer in each.items()}

    async def _of_broker(
        self, node: int, ranges: Mapping[TopicPartition, Range]
    ) -> dict[TopicPartition, bool]:
        told: dict[TopicPartition, bool] = {}
        left = dict(ranges)
        deadline = time.monotonic() + _LONGEST_S
        try:
            while left and time.monotonic() < deadline:
                frame, answers = await self._fetch(node, left)
                if not answers:
                    break
                for data in answers:
                    key = data.topic, data.partition
                    answer, read_on = self._judge(frame, data, left.pop(key))
                    if answer is not None:
                        told[key] = answer
                    elif read_on is not None:
                        left[key] = read_on
        except (ConnectionLostError, ConnectError):
            self._connections.pop(node, None)
        return told

    def _judge(
        self, frame: memoryview, data: PartitionData, wanted: Range
    ) -> tuple[bool | None, Range | None]:
        """Return whether there are records, if that is told, or else where to read on, if there."""
        if data.error == Code.OFFSET_OUT_OF_RANGE:  # deleted already, whatever it was
            return True, None
        if data.error != Code.NONE:
            if data.error in codes.AUTHORIZATION:
                raise KafkaError(
                    "reading", f"{data.topic}/{data.partition} on cluster {self._source.name}",
                    codes.name(data.error), f"Grant READ on topic {data.topic}",
                )  # fmt: skip
            return None, None
        at, end = wanted
        if data.start == data.end and data.high_watermark > at:
            return True, None  # a batch that was too large to be sent, so it is no marker
        for header in _headers(frame[data.start : data.end]):
            if header.next_offset <= at:
                continue
            if header.base_offset >= end:
                return False, None
            if not header.is_control:
                return True, None
            at = header.next_offset
        return (False, None) if at >= end else (None, (at, end))

    async def _fetch(
        self, node: int, wanted: Mapping[TopicPartition, Range]
    ) -> tuple[memoryview, list[PartitionData]]:
        connection = self._connections.get(node)
        if connection is None or connection.closed.done() or connection.retires:
            if connection is not None:
                connection.abort("another one is opened")
            connection = await self._source.data_connection(node)
            self._connections[node] = connection
        body = fetch.request_body(
            {key: Position(at) for key, (at, _) in wanted.items()},
            [],
            session=(fetch.NO_SESSION, fetch.FINAL_EPOCH),
            isolation=fetch.READ_UNCOMMITTED,
            max_wait_ms=_WAIT_MS,
            max_bytes=_BYTES,
            partition_max_bytes=_PARTITION_BYTES,
        )
        frame = await connection.send(fetch.API_KEY, fetch.VERSION, [body], _ANSWER_TIMEOUT_S)
        try:
            response = fetch.parse_response(frame)
        except (struct.error, IndexError) as error:
            cause = f"the broker's answer makes no sense: {error}"
            raise KafkaError("reading from cluster", self._source.name, cause) from error
        connection.throttled(response.throttle_ms)
        return frame, response.partitions


def _headers(view: memoryview) -> Iterator[r.Batch]:
    """Yield the headers of batches; of the last one no more than that need be there."""
    at = 0
    while at + b.HEADER_SIZE <= len(view):
        header = r.read_header(view, at)
        if header.size < b.HEADER_SIZE:
            return
        yield header
        at += header.size
