"""A cluster as any committed reader sees it, through aiokafka: none of the engine's own code.

What judges the engine must not share its mistakes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import struct
import time
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError as AioKafkaError

from engine.demo.topics import CLIENT_ID, partition_counts
from engine.errors import ConnectError, KafkaError

FETCH_BYTES = 4 * 1024 * 1024
CHUNK_RECORDS = 4_000
STALL_TIMEOUT_S = 60.0
POLL_MS = 1_000


class Record(Protocol):
    """What aiokafka's ConsumerRecord says of a record, as far as it matters here."""

    offset: int
    timestamp: int  # milliseconds since the epoch
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets `start` to `end` (not included) of a partition."""

    topic: str
    partition: int
    start: int
    end: int


class Reader:
    """Reads partitions of one cluster from one offset to another; a context manager.

    One partition at a time: a new `read` ends the one before.
    """

    def __init__(self, bootstrap_servers: str, *, isolation_level: str = "read_committed") -> None:
        self._bootstrap_servers = bootstrap_servers
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            client_id=CLIENT_ID,
            isolation_level=isolation_level,
            auto_offset_reset="none",
            enable_auto_commit=False,
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=100,
        )

    async def __aenter__(self) -> Self:
        """Connect; raises ConnectError."""
        try:
            await self._consumer.start()
        except BaseException as error:
            await self._stop()
            if isinstance(error, AioKafkaError | OSError):
                raise ConnectError(
                    "reading from", self._bootstrap_servers, str(error), "Is the cluster up?"
                ) from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._stop()

    async def _stop(self) -> None:
        # Stopped before its own tasks have run for once, aiokafka's consumer raises a stray
        # CancelledError (aio-libs/aiokafka issue 647).
        await asyncio.sleep(0)
        await self._consumer.stop()

    async def spans(self, topics: Collection[str]) -> dict[tuple[str, int], Span]:
        """Return all there is to read now; a topic that does not exist has no partitions.

        The end is what a committed reader can reach: the last stable offset.
        """
        counts = await partition_counts(self._bootstrap_servers, topics)
        partitions = [TopicPartition(t, p) for t, count in counts.items() for p in range(count)]
        if not partitions:
            return {}
        with self._failures("looking up offsets of", ", ".join(topics)):
            starts = await self._consumer.beginning_offsets(partitions)
            ends = await self._consumer.end_offsets(partitions)
        return {
            (tp.topic, tp.partition): Span(tp.topic, tp.partition, starts[tp], ends[tp])
            for tp in partitions
        }

    async def read(self, span: Span) -> AsyncGenerator[list[Record], None]:
        """Yield the span's records in order, in lists that are never empty.

        Raises KafkaError when a broker gives nothing more for STALL_TIMEOUT_S, or corrupt data.
        """
        if span.start >= span.end:
            return
        partition = TopicPartition(span.topic, span.partition)
        self._consumer.assign([partition])
        self._consumer.seek(partition, span.start)
        position, moved_at = span.start, time.monotonic()
        while position < span.end:
            with self._failures("reading", f"{span.topic}/{span.partition} at {position}"):
                got = await self._consumer.getmany(
                    partition, timeout_ms=POLL_MS, max_records=CHUNK_RECORDS
                )
                reached = await self._consumer.position(partition)
            records: list[Record] = got.get(partition, [])
            while records and records[-1].offset >= span.end:
                records.pop()
            if records:
                yield records
            if reached > position:
                position, moved_at = reached, time.monotonic()
            elif time.monotonic() - moved_at > STALL_TIMEOUT_S:
                raise KafkaError(
                    "reading",
                    f"{span.topic}/{span.partition} at {position}",
                    f"nothing came for {STALL_TIMEOUT_S:.0f} s; its end is {span.end}",
                    retriable=True,
                )

    async def record_at(self, topic: str, partition: int, offset: int) -> Record | None:
        """Return one record, None when there is none at that offset (any more)."""
        async with contextlib.aclosing(
            self.read(Span(topic, partition, offset, offset + 1))
        ) as chunks:
            async for records in chunks:
                return records[0]
        return None

    @contextlib.contextmanager
    def _failures(self, operation: str, obj: str) -> Iterator[None]:
        try:
            yield
        except (AioKafkaError, OSError) as error:
            raise KafkaError(
                operation,
                f"{obj} ({self._bootstrap_servers})",
                f"{type(error).__name__}: {error}",
                retriable=getattr(error, "retriable", True),
            ) from error


def same(a: Record, b: Record) -> bool:
    """Tell whether two records are the same in all that a consumer can see but the offset."""
    return (
        a.value == b.value
        and a.timestamp == b.timestamp
        and a.key == b.key
        and a.headers == b.headers
    )


_SIZES = struct.Struct(">qii")
_HEADER_SIZES = struct.Struct(">ii")


def fingerprint(record: Record) -> int:
    """Return 64 bits that stand for key, value, headers and timestamp (BLAKE2b)."""
    digest = hashlib.blake2b(
        _SIZES.pack(record.timestamp, _size(record.key), _size(record.value)), digest_size=8
    )
    digest.update(record.key or b"")
    digest.update(record.value or b"")
    for name, value in record.headers:
        encoded = name.encode()
        digest.update(_HEADER_SIZES.pack(len(encoded), _size(value)))
        digest.update(encoded)
        digest.update(value or b"")
    return int.from_bytes(digest.digest(), "big")


def _size(field: bytes | None) -> int:
    return -1 if field is None else len(field)
