"""A partition of the target cluster, as it is aligned: over a connection of its own."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

from engine.errors import KafkaError
from engine.kafka import batch as b
from engine.kafka import codes, produce
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.codes import Code
from engine.kafka.connection import DataConnection
from engine.kafka.delete_records import delete_records
from engine.kafka.fetch import TopicPartition
from engine.kafka.metadata import ClusterMetadata
from engine.kafka.transactions import Transaction
from engine.replication.backoff import Backoff
from engine.replication.identical.alignment import TooLargeError
from engine.replication.identical.fillers import Fillers
from engine.replication.tail import read_range
from engine.replication.troubles import remedy

PRODUCE_TIMEOUT_MS = 30_000
ANSWER_TIMEOUT_S = 40.0
MARKER_WITHIN_S = 30.0
POLICY_WITHIN_S = 5.0  # a changed cleanup.policy reaches the brokers a little later
_TOO_LARGE = (Code.MESSAGE_TOO_LARGE, Code.RECORD_LIST_TOO_LARGE)


class TargetLog:
    """See alignment.FillLog. An asynchronous context manager: it closes its connection."""

    def __init__(
        self,
        cluster: Cluster,
        key: TopicPartition,
        transaction: Transaction,
        fillers: Fillers,
        filled_by: int,
    ) -> None:
        """`filled_by` is the producer id whose fillers may be there from a former run, or -1."""
        self._cluster = cluster
        self._key = key
        self._name = f"{key[0]}/{key[1]}"
        self._transaction = transaction
        self._fillers = fillers
        self._filled_by = filled_by
        self._sequence = 0
        self._metadata: ClusterMetadata | None = None
        self._connection: DataConnection | None = None

    async def __aenter__(self) -> TargetLog:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.abort("done")
            self._connection = None

    async def begin(self) -> None:
        """Take the producer's place; the sequences of its new epoch begin at 0."""
        self._disconnect()
        await self._transaction.begin()
        self._metadata = await self._cluster.metadata([self._key[0]])
        self._sequence = 0

    @property
    def producer_id(self) -> int:
        """Whose fillers these are."""
        return self._transaction.producer[0]

    async def bounds(self) -> tuple[int, int]:
        """Return where the log begins and ends now."""
        return await self._offset(EARLIEST), await self._offset(LATEST)

    async def _offset(self, which: int) -> int:
        if self._metadata is None:
            raise RuntimeError("begin was not called")
        found = await self._cluster.list_offsets({self._key: which}, self._metadata)
        if self._key not in found:
            raise self._error("looking at", "it has no leader now", retriable=True)
        return found[self._key]

    async def holds_only_ours(self, start: int, end: int) -> bool:
        """Whether all that stands from `start` to `end` was written by our transactions."""
        async for header, _ in read_range(await self._connected(), self._key, start, end):
            if header.producer_id != self._filled_by:
                return False
        return True

    async def open(self) -> None:
        """Begin a transaction on the partition."""
        await self._transaction.add(self._key)

    async def append(self, count: int) -> int:
        """Append so many fillers; return the first one's offset. Raises TooLargeError too."""
        connection = await self._connected()
        batch = await self._fillers.batch(count, self._transaction.producer, self._sequence)
        version = next((v for v in produce.VERSIONS if connection.supports(produce.API_KEY, v)), 7)
        body = produce.request_body(
            [(*self._key, batch)],
            timeout_ms=PRODUCE_TIMEOUT_MS,
            transactional_id=self._transaction.id,
        )
        frame = await connection.send(produce.API_KEY, version, body, ANSWER_TIMEOUT_S)
        connection.throttled(produce.throttle_ms(frame))
        answer = produce.parse_response(frame, version)[0]
        if answer.error == Code.NONE:
            self._sequence = b.add_sequence(self._sequence, count)
            return answer.base_offset
        cause = f"{codes.name(answer.error)} {answer.message}".strip()
        if answer.error in _TOO_LARGE:
            raise TooLargeError(
                "appending fillers to", self._name, cause, "Raise its max.message.bytes"
            )
        retriable = answer.error in codes.RETRIABLE or answer.error in codes.SEQUENCE
        next_step = "" if retriable else remedy(answer.error)
        raise self._error("appending fillers to", cause, next_step, retriable=retriable)

    async def abort(self, end: int) -> int:
        """Abort the transaction; return where the log ends once that is at `end` or beyond."""
        await self._transaction.abort()
        deadline = time.monotonic() + MARKER_WITHIN_S
        backoff = Backoff(0.005, 0.5)
        while True:
            reached = await self._offset(LATEST)
            if reached >= end:
                return reached
            if time.monotonic() > deadline:
                raise self._error(
                    "waiting for the marker of an aborted transaction in",
                    f"it ends at {reached} instead of {end} after {MARKER_WITHIN_S:.0f} s",
                    retriable=True,
                )
            await backoff.sleep()

    async def delete(self, offset: int) -> None:
        """Delete everything before an offset, which then is where the log begins."""
        deadline = time.monotonic() + POLICY_WITHIN_S
        while True:
            connection = await self._connected()
            try:
                await delete_records(connection, self._key, offset)
            except KafkaError as error:
                if not error.cause.startswith(Code.POLICY_VIOLATION.name):
                    raise
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
            else:
                return

    async def _connected(self) -> DataConnection:
        if self._connection is None or self._connection.closed.done():
            if self._metadata is None:
                raise RuntimeError("begin was not called")
            leader = self._metadata.leader(*self._key)
            self._connection = await self._cluster.data_connection(leader)
        return self._connection

    def _error(
        self, operation: str, cause: str, next_step: str = "", *, retriable: bool
    ) -> KafkaError:
        subject = f"{self._name} on cluster {self._cluster.name}"
        return KafkaError(operation, subject, cause, next_step, retriable=retriable)
