"""The sender: one data connection to one target broker.

A partition always uses the same connection, so its batches arrive in order; a broker remembers the
last five batches of a producer and partition, so no more may be unanswered.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable

from engine.errors import CcrError, ConfigError, ConnectError
from engine.kafka import codes, produce
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.connection import ConnectionLostError, DataConnection
from engine.replication.backoff import Backoff
from engine.replication.partition import MirrorPartition
from engine.replication.pump import Append
from engine.replication.silence import Silence

log = logging.getLogger(__name__)

MAX_IN_FLIGHT = 5
REQUEST_BYTES = 4 * 1024 * 1024
LEAST_REQUEST_BYTES = 16 * 1024
LONG_THROTTLE_MS = 1000
BROKER_SHARE = 2 / 3  # of the time for an answer, for in-sync replicas to take it in

Sent = list[tuple[MirrorPartition, Append]]


class Sender:
    """Appends the batches of its partitions to one broker."""

    def __init__(self, cluster: Cluster, node: int, leader_moved: Callable[[], None]) -> None:
        self._cluster = cluster
        self.node = node
        self._leader_moved = leader_moved
        self._partitions: set[MirrorPartition] = set()
        self._ready: dict[MirrorPartition, None] = {}
        self._wake = asyncio.Event()
        self._in_flight = 0
        self._request_bytes = REQUEST_BYTES
        self.held = 0  # bytes its partitions hold
        self.throttled_at = 0.0  # monotonic; when a quota held it up last
        self.trouble: CcrError | None = None
        self.silence = Silence(cluster.name)

    def adopt(self, partition: MirrorPartition) -> None:
        """A partition's appends go this way from now on."""
        self._partitions.add(partition)
        if partition.queue:
            self.enqueue(partition)

    def enqueue(self, partition: MirrorPartition) -> None:
        """Take note that a partition has something to send."""
        self._ready[partition] = None
        self._wake.set()

    def forget(self, partition: MirrorPartition) -> None:
        """A partition moved elsewhere."""
        self._partitions.discard(partition)
        self._ready.pop(partition, None)

    async def run(self) -> None:
        """Send until cancelled; connects again by itself."""
        backoff = Backoff()
        while True:
            connection = None
            try:
                connection = await self._cluster.data_connection(self.node)
                self.silence.connection = connection
                self.trouble = None
                backoff.reset()
                await self._send_all(connection)
                for partition in self._partitions:
                    partition.distrust()
                continue  # on a new connection
            except (ConnectError, ConfigError) as error:
                self._give_back(error)
            except ConnectionLostError as error:
                self._give_back(ConnectError("sending to cluster", self._cluster.name, str(error)))
            finally:
                self.silence.connection = None
                if connection is not None:
                    connection.abort("closed by ccr")
            await backoff.sleep()

    def _give_back(self, error: CcrError) -> None:
        self.trouble = error
        self._leader_moved()
        for partition in self._partitions:
            partition.distrust()
        ready, self._ready = list(self._ready), {}
        for partition in ready:
            while partition.queue:
                partition.lost(partition.next_append(), str(error))

    async def _send_all(self, connection: DataConnection) -> None:
        """Send until the connection retires, with nothing unanswered on it then."""
        version = next((v for v in produce.VERSIONS if connection.supports(produce.API_KEY, v)), 7)
        self._in_flight = 0
        connection.closed.add_done_callback(lambda _: self._wake.set())
        while True:
            while not self._ready or self._in_flight >= MAX_IN_FLIGHT or connection.retires:
                if connection.retires and not self._in_flight:
                    return
                self._wake.clear()
                await self._wake.wait()
                if connection.closed.done():
                    raise ConnectionLostError(f"{connection.address}: {connection.why_closed()}")
            await connection.writable()
            if connection.throttle_left:
                await asyncio.sleep(connection.throttle_left)
                continue
            sent = self._collect()
            if sent:
                self._send(connection, version, sent)

    def _collect(self) -> Sent:
        sent: Sent = []
        size = 0
        again = []
        while self._ready and size < self._request_bytes:
            partition = next(iter(self._ready))
            del self._ready[partition]
            if not partition.sendable:
                continue  # it tells when it is
            append = partition.next_append()
            sent.append((partition, append))
            size += len(append.payload)
            if partition.queue:
                again.append(partition)
        self._ready.update(dict.fromkeys(again))
        return sent

    def _send(self, connection: DataConnection, version: int, sent: Sent) -> None:
        limit = self._cluster.config.request_timeout
        body = produce.request_body(
            [(p.target_topic, p.partition, append.payload) for p, append in sent],
            timeout_ms=int(1000 * BROKER_SHARE * limit),
        )
        self._in_flight += 1
        future = connection.send(produce.API_KEY, version, body, limit)
        future.add_done_callback(lambda answer: self._answered(connection, version, sent, answer))

    def _answered(
        self,
        connection: DataConnection,
        version: int,
        sent: Sent,
        answer: asyncio.Future[memoryview],
    ) -> None:
        self._in_flight -= 1
        self._wake.set()
        if answer.cancelled():
            return
        failure = answer.exception()
        if failure is not None:
            for partition, append in sent:
                partition.lost(append, str(failure))
            return
        try:
            results = {
                (result.topic, result.partition): result
                for result in produce.parse_response(answer.result(), version)
            }
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            connection.abort(f"the answer to Produce makes no sense: {error}")
            results = {}
        else:
            self._note_throttle(connection, produce.throttle_ms(answer.result()))
        self._deliver(sent, results)

    def _note_throttle(self, connection: DataConnection, milliseconds: int) -> None:
        """Under a quota, send less at once: the broker holds up the connection by what came."""
        if milliseconds > 0:
            connection.throttled(milliseconds)
            self.throttled_at = time.monotonic()
            if milliseconds > LONG_THROTTLE_MS:
                self._request_bytes = max(LEAST_REQUEST_BYTES, self._request_bytes // 2)
        elif self._request_bytes < REQUEST_BYTES:
            self._request_bytes = min(REQUEST_BYTES, self._request_bytes * 2)

    def _deliver(self, sent: Sent, results: dict[tuple[str, int], produce.Appended]) -> None:
        for partition, append in sent:
            try:
                self._tell(partition, append, results.get(partition.target_key))
            except Exception as error:  # a defect of ours: the others are answered all the same
                log.exception("%s/%s failed", partition.target_topic, partition.partition)
                partition.stop(
                    f"internal error: {type(error).__name__}: {error}",
                    "Please report it with the log file; ccr retry looks at the target and goes on",
                )

    def _tell(
        self, partition: MirrorPartition, append: Append, result: produce.Appended | None
    ) -> None:
        if result is None:
            partition.lost(append, "the target did not answer for this partition")
        elif result.error == Code.NONE:
            partition.appended(append, result.base_offset)
        else:
            if result.error in (Code.NOT_LEADER_OR_FOLLOWER, Code.UNKNOWN_TOPIC_OR_PARTITION):
                self._leader_moved()
            partition.refused(append, result.error, self._words(partition, result))

    def _words(self, partition: MirrorPartition, result: produce.Appended) -> str:
        if result.error not in codes.AUTHORIZATION:
            return result.message
        return f"cluster {self._cluster.name} does not let us write to {partition.target_topic}"
