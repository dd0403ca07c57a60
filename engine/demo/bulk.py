"""Hundreds of megabytes, quickly: whole batches built here, not records sent one by one.

For the crash tests and whoever else needs a lot of data in batches of all three shapes. About
20 MB/s together on two cores, brokers included.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError as AioKafkaError

from engine.demo.content import Clicks, Generator, Orders, Readings
from engine.demo.producing import exact_producer
from engine.demo.reading import Reader
from engine.demo.topics import create_topics, partition_of
from engine.errors import KafkaError
from engine.sandbox.together import together

KEYS = 4_000
BATCHES_AHEAD = 3  # of each partition, built before the ones in front are acknowledged
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class BulkShape:
    """One topic's batches."""

    topic: str
    partitions: int
    content: Callable[[int], Generator]
    compression: str | None
    batch_bytes: int
    """Most bytes before compression."""
    batch_records: tuple[int, int]
    """Least and most records of a batch, as far as `batch_bytes` lets them in."""
    share: float
    """Part of all bytes, 0 to 1."""


BULK_SHAPES = (
    BulkShape("bulk.clicks", 6, Clicks, None, 400, (1, 2), 0.02),
    BulkShape(
        "bulk.orders",
        6,
        functools.partial(Orders, receipt_bytes=800),
        "lz4",
        64 * 1024,
        (10, 100),
        0.49,
    ),
    BulkShape(
        "bulk.readings",
        4,
        functools.partial(Readings, samples=80),
        "zstd",
        900_000,
        (100, 1_000),
        0.49,
    ),
)


@dataclass(slots=True)
class BulkReport:
    """What was acknowledged; `bytes` are those of the batches as they stand in the source's log."""

    records: dict[str, int] = field(default_factory=dict)  # by topic
    bytes: dict[str, int] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


async def load(
    bootstrap_servers: str,
    total_bytes: int,
    *,
    seed: int = 1,
    shapes: Sequence[BulkShape] = BULK_SHAPES,
    bytes_per_second: float | None = None,
) -> BulkReport:
    """Append `total_bytes` of batches, all topics together; create those that do not exist.

    Records are numbered on from the end of their partition. Rides out restarts of the brokers.
    Raises ConnectError, and KafkaError when a batch is not acknowledged within 5 minutes.
    """
    await create_topics(bootstrap_servers, {shape.topic: shape.partitions for shape in shapes})
    report = BulkReport()
    began = time.monotonic()
    loaders = [_Loader(bootstrap_servers, shape, seed, report) for shape in shapes]
    await together(loader.run(total_bytes, bytes_per_second) for loader in loaders)
    report.seconds = time.monotonic() - began
    return report


class _Batch(Protocol):
    """A batch of aiokafka's own making."""

    def record_count(self) -> int:
        """Return how many records it has."""

    def size(self) -> int:
        """Return its bytes; those of the log once it was sent."""


class _Loader:
    """Fills one topic."""

    def __init__(
        self, bootstrap_servers: str, shape: BulkShape, seed: int, report: BulkReport
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._shape = shape
        self._report = report
        self._random = random.Random(f"{shape.topic} {seed}")  # noqa: S311 - repeatable
        self._content = shape.content(seed)
        self._keys = _keys_by_partition(self._content, shape.partitions)
        self._unanswered: deque[tuple[_Batch, asyncio.Future[object]]] = deque()
        for totals in (report.records, report.bytes, report.batches):
            totals[shape.topic] = 0

    async def run(self, all_bytes: int, all_bytes_per_second: float | None) -> None:
        """Append this topic's share, no faster than asked; returns when all is acknowledged."""
        shape, done = self._shape, self._report.bytes
        total = all_bytes * shape.share
        async with Reader(self._bootstrap_servers) as reader:
            spans = await reader.spans([shape.topic])
        numbers = [spans[key].end for key in sorted(spans)]
        began = time.monotonic()
        producer = exact_producer(
            self._bootstrap_servers,
            compression=shape.compression,
            batch_bytes=shape.batch_bytes,
            patience_seconds=PATIENCE_S,
        )
        try:
            await producer.start()
            while done[shape.topic] < total:
                for partition, number in enumerate(numbers):
                    numbers[partition] += await self._append(producer, partition, number)
                if all_bytes_per_second:
                    due = done[shape.topic] / (all_bytes_per_second * shape.share)
                    await asyncio.sleep(max(0.0, began + due - time.monotonic()))
            while self._unanswered:
                await self._settle_oldest()
        except (AioKafkaError, OSError) as error:
            raise KafkaError(
                "loading topic", shape.topic, f"{type(error).__name__}: {error}"
            ) from error
        finally:
            await producer.stop()

    async def _append(self, producer: AIOKafkaProducer, partition: int, number: int) -> int:
        """Hand one batch to the producer; returns how many records it has."""
        batch = producer.create_batch()
        keys = self._keys[partition]
        for sequence in range(number, number + self._random.randint(*self._shape.batch_records)):
            content = self._content.content(sequence)
            added = batch.append(
                timestamp=None,
                key=self._random.choice(keys),
                value=content.value,
                headers=list(content.headers),
            )
            if added is None:
                break
        batch.close()
        future = await producer.send_batch(batch, self._shape.topic, partition=partition)
        self._unanswered.append((batch, future))
        if len(self._unanswered) > BATCHES_AHEAD * self._shape.partitions:
            await self._settle_oldest()
        return int(batch.record_count())

    async def _settle_oldest(self) -> None:
        batch, future = self._unanswered.popleft()
        await future
        topic = self._shape.topic
        self._report.records[topic] += batch.record_count()
        self._report.bytes[topic] += batch.size()
        self._report.batches[topic] += 1


def _keys_by_partition(content: Generator, partitions: int) -> list[list[bytes]]:
    """Return keys sorted by the partition that Kafka's own clients choose for them."""
    keys: list[list[bytes]] = [[] for _ in range(partitions)]
    for key in {content.key() for _ in range(KEYS)}:
        keys[partition_of(key, partitions)].append(key)
    return keys
