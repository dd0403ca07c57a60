"""Live traffic for the demo and the tests: keyed producers at a rate, and a consumer group."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError as AioKafkaError

from engine.demo.producing import exact_producer
from engine.demo.readers import Readers
from engine.demo.reading import Reader
from engine.demo.shapes import SHAPES, Shape
from engine.demo.topics import create_topics, partition_of

TICK_S = 0.01
MOST_BEHIND_S = 1.0
PATIENCE_S = 120.0
RECONNECT_S = 0.5


@dataclass(frozen=True, slots=True)
class TrafficReport:
    """What was produced. `failed` records may or may not be in the source cluster."""

    produced: dict[str, int] = field(default_factory=dict)  # acknowledged records by topic
    bytes: int = 0  # of keys, values and headers
    failed: int = 0
    consumed: int = 0  # by the group
    seconds: float = 0.0
    error: str = ""  # the first failure, whatever failed

    @property
    def records(self) -> int:
        """Records acknowledged by the source cluster, all topics together."""
        return sum(self.produced.values())


class Traffic:
    """Produces to all shapes' topics, about `rate` records/s together, until stopped.

    Every partition's records are numbered on from its end, so topics may have been used before.
    Failures are counted and told in the report; producing goes on with a new connection.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        rate: float,
        seed: int = 1,
        shapes: Sequence[Shape] = SHAPES,
        readers: str | None = None,
    ) -> None:
        """Prepare; with `readers`, a topic's name, the group `demo-readers` follows that topic."""
        self._bootstrap_servers = bootstrap_servers
        self._lanes = [
            _Lane(bootstrap_servers, shape, shape.share * rate, seed) for shape in shapes
        ]
        self._readers = Readers(bootstrap_servers, readers) if readers else None
        self._sending: list[asyncio.Task[None]] = []
        self._reading: asyncio.Task[None] | None = None
        self._started = self._stopped = 0.0

    async def start(self) -> None:
        """Create the topics that do not exist and begin; raises ConnectError, KafkaError."""
        topics = {lane.shape.topic: lane.shape.partitions for lane in self._lanes}
        await create_topics(self._bootstrap_servers, topics)
        for lane in self._lanes:
            await lane.prepare()
        self._started = time.monotonic()
        self._sending = [asyncio.create_task(lane.run()) for lane in self._lanes]
        if self._readers is not None:
            self._reading = asyncio.create_task(self._readers.run())

    def report(self) -> TrafficReport:
        """Return what was produced and acknowledged so far."""
        errors = [lane.error for lane in self._lanes if lane.error]
        consumed = 0
        if self._readers is not None:
            consumed = self._readers.consumed
            errors += [self._readers.error] if self._readers.error else []
        return TrafficReport(
            produced={lane.shape.topic: lane.acknowledged for lane in self._lanes},
            bytes=sum(lane.bytes for lane in self._lanes),
            failed=sum(lane.failed for lane in self._lanes),
            consumed=consumed,
            seconds=(self._stopped or time.monotonic()) - self._started,
            error=errors[0] if errors else "",
        )

    async def stop(self) -> TrafficReport:
        """Stop producing, wait for what is unacknowledged, and return the whole account."""
        for lane in self._lanes:
            lane.stopping.set()
        try:
            await asyncio.gather(*self._sending)
        finally:
            self._stopped = time.monotonic()
            for task in self._sending:
                task.cancel()
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.wait([self._reading])
        return self.report()


class _Lane:
    """The producer of one topic."""

    def __init__(self, bootstrap_servers: str, shape: Shape, rate: float, seed: int) -> None:
        self.shape = shape
        self.acknowledged = self.failed = self.bytes = 0
        self.error = ""
        self.stopping = asyncio.Event()
        self._bootstrap_servers = bootstrap_servers
        self._rate = rate
        self._content = shape.content(seed)
        self._next: list[int] = []  # by partition: the number of its next record
        self._partitions: dict[bytes, int] = {}

    async def prepare(self) -> None:
        """Number on from the partitions' ends; raises ConnectError, KafkaError."""
        async with Reader(self._bootstrap_servers) as reader:
            spans = await reader.spans([self.shape.topic])
        self._next = [spans[key].end for key in sorted(spans)]

    async def run(self) -> None:
        """Send until `stopping`, and wait for the acknowledgements; connect again on failures."""
        while not self.stopping.is_set():
            producer = exact_producer(
                self._bootstrap_servers,
                compression=self.shape.compression,
                batch_bytes=self.shape.batch_bytes,
                linger_ms=self.shape.linger_ms,
                patience_seconds=PATIENCE_S,
            )
            try:
                await producer.start()
                await self._send_at_rate(producer)
            except (AioKafkaError, OSError) as error:
                self._note(error)
                await self._stopping_within(RECONNECT_S)
            finally:
                await producer.stop()

    async def _send_at_rate(self, producer: AIOKafkaProducer) -> None:
        """Send what is due, tick by tick; a backlog the cluster cannot take is let go."""
        began, sent = time.monotonic(), 0
        while not await self._stopping_within(max(TICK_S, self.shape.burst_seconds)):
            due = int((time.monotonic() - began) * self._rate) - sent
            if due > MOST_BEHIND_S * self._rate + 1:
                began, sent = time.monotonic(), 0
                continue
            key = self._content.key()
            for _ in range(due):
                if self.stopping.is_set():
                    return
                await self._send(producer, key if self.shape.burst_seconds else self._content.key())
            sent += due

    async def _stopping_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        return self.stopping.is_set()

    async def _send(self, producer: AIOKafkaProducer, key: bytes) -> None:
        partition = self._partition(key)
        content = self._content.content(self._next[partition])
        acknowledged = await producer.send(
            self.shape.topic,
            content.value,
            key,
            partition=partition,
            headers=list(content.headers),
        )
        self._next[partition] += 1
        self.bytes += content.size(key)
        acknowledged.add_done_callback(self._settle)

    def _partition(self, key: bytes) -> int:
        partition = self._partitions.get(key)
        if partition is None:
            partition = self._partitions[key] = partition_of(key, len(self._next))
        return partition

    def _settle(self, acknowledged: asyncio.Future[object]) -> None:
        if acknowledged.cancelled():
            self._note(asyncio.CancelledError("the producer was stopped"))
        elif (error := acknowledged.exception()) is not None:
            self._note(error)
        else:
            self.acknowledged += 1

    def _note(self, error: BaseException) -> None:
        self.failed += 1
        self.error = self.error or f"{self.shape.topic}: {type(error).__name__}: {error}"
