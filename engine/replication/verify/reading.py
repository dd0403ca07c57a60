"""Reading both clusters for a comparison, on data connections that nothing else uses."""

from __future__ import annotations

from collections.abc import AsyncIterator

from engine.errors import ConnectError, KafkaError
from engine.kafka import fetch
from engine.kafka import records as r
from engine.kafka.cluster import Cluster
from engine.kafka.connection import ConnectionLostError, DataConnection
from engine.kafka.fetch import TopicPartition
from engine.kafka.metadata import NO_LEADER, ClusterMetadata
from engine.replication.aborted import AbortedFilter
from engine.replication.backoff import Backoff
from engine.replication.tail import read_piece

TRIES = 6
PIECE_BYTES = 1024 * 1024


class Reader:
    """Reads partitions of one cluster; connections are kept until `close`."""

    def __init__(self, cluster: Cluster, piece_bytes: int = PIECE_BYTES) -> None:
        """`piece_bytes` is how much is asked for at once."""
        self.cluster = cluster
        self._piece_bytes = piece_bytes
        self._connections: dict[int, DataConnection] = {}
        self._leaders: dict[TopicPartition, int] = {}
        self._metadata: ClusterMetadata | None = None

    def begin_with(self, metadata: ClusterMetadata) -> None:
        """Take leaders from there, until one of them is none any more."""
        self._metadata = metadata

    def close(self) -> None:
        """Let go of the connections."""
        for connection in self._connections.values():
            connection.abort("closed by ccr")
        self._connections.clear()

    async def batches(
        self,
        key: TopicPartition,
        start: int,
        end: int,
        *,
        committed: bool,
        max_bytes: int | None = None,
    ) -> AsyncIterator[tuple[r.Batch, memoryview]]:
        """Yield the batches a consumer would see from `start` to `end`, or to the log's end.

        Stops early behind `max_bytes`. `committed` leaves out aborted data; markers never come.
        Raises ConnectError, and KafkaError when the range is not there (any more).
        """
        isolation = fetch.READ_COMMITTED if committed else fetch.READ_UNCOMMITTED
        read = 0
        while start < end:
            batches, data = await self._piece(key, start, isolation)
            dropped = AbortedFilter(data.aborted if committed else ())
            for header, view in batches:
                wanted = header.next_offset > start and header.base_offset < end
                if not dropped.drops(header) and wanted and header.record_count:
                    read += header.size
                    yield header, view
            if not batches:
                visible = data.last_stable_offset if committed else data.high_watermark
                if start >= min(visible, data.high_watermark):
                    return
                continue
            start = max(start, batches[-1][0].next_offset)
            if max_bytes is not None and read >= max_bytes:
                return

    async def _piece(
        self, key: TopicPartition, start: int, isolation: int
    ) -> tuple[list[tuple[r.Batch, memoryview]], fetch.PartitionData]:
        backoff = Backoff(0.05, 2.0)
        failure: ConnectError | KafkaError | None = None
        for _ in range(TRIES):
            try:
                connection = await self._connection(key)
                if connection.throttle_left:
                    await backoff.sleep()
                return await read_piece(
                    connection, key, start, isolation=isolation, max_bytes=self._piece_bytes
                )
            except ConnectionLostError as error:
                failure = ConnectError("reading cluster", self.cluster.name, str(error))
            except ConnectError as error:
                failure = error
            except KafkaError as error:
                if not error.retriable:
                    raise
                failure = error
            self._leaders.pop(key, None)
            self._metadata = None
            await backoff.sleep()
        raise failure or ConnectError("reading cluster", self.cluster.name, "it does not answer")

    async def _connection(self, key: TopicPartition) -> DataConnection:
        if key not in self._leaders:
            metadata = self._metadata or await self.cluster.metadata([key[0]])
            leader = metadata.leader(*key)
            if leader == NO_LEADER:
                raise KafkaError(
                    "reading",
                    f"{key[0]}/{key[1]}",
                    "it has no leader at the moment",
                    retriable=True,
                )
            self._leaders[key] = leader
        node = self._leaders[key]
        known = self._connections.get(node)
        if known is None or known.closed.done() or known.retires:
            if known is not None:
                known.abort("closed by ccr")
            self._connections[node] = known = await self.cluster.data_connection(node)
        return known
