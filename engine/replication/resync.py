"""Finding out what the target really holds of us: after a start, a lost connection, a refusal.

The checkpoint (or the last acknowledgement) says: the next of our records has sequence Q and would
stand at target offset T. The broker says (KIP-664) which sequence it holds last for our producer
id, so exactly how many records went in after Q; the batch headers from T on say where. Where the
broker holds no state for us any more, the headers alone are counted. See design, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import ConnectError, KafkaError
from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.connection import ConnectionLostError, DataConnection
from engine.kafka.describe_producers import ProducerState
from engine.kafka.fetch import TopicPartition
from engine.kafka.metadata import ClusterMetadata
from engine.replication.already_there import AlreadyThere
from engine.replication.partition import MirrorPartition
from engine.replication.tail import read_range


@dataclass(frozen=True, slots=True)
class NotYet:
    """It cannot be known now; to be tried again."""

    why: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The target lacks our newest records, which it had acknowledged: so many of them, or from an
    offset on.
    """

    records: int | None
    from_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Torn:
    """The target lacks records of ours in between: nothing can be sent in their place."""

    why: str


Outcome = AlreadyThere | NotYet | Lost | Torn


class Resync:
    """Looks at the target for many partitions at once."""

    def __init__(self, cluster: Cluster, metadata: ClusterMetadata, producer_id: int) -> None:
        self._cluster = cluster
        self._metadata = metadata
        self._producer_id = producer_id
        self._connections: dict[int, DataConnection] = {}

    async def run(self, partitions: list[MirrorPartition]) -> dict[MirrorPartition, Outcome]:
        """Return what each partition's target holds beyond what was acknowledged.

        Raises ConnectError and KafkaError; then nothing is known about any of them.
        """
        keys = {partition.target_key for partition in partitions}
        producers = await self._cluster.describe_producers(keys, self._metadata)
        # Asked after the producers: an append in between is then more to count, never missed.
        ends = await self._cluster.list_offsets(dict.fromkeys(keys, LATEST), self._metadata)
        try:
            return {
                partition: await self._look(
                    partition, producers.get(partition.target_key), ends.get(partition.target_key)
                )
                for partition in partitions
            }
        finally:
            for connection in self._connections.values():
                connection.abort("done")

    async def _look(
        self,
        partition: MirrorPartition,
        held: dict[int, ProducerState] | KafkaError | None,
        end: int | None,
    ) -> Outcome:
        """One partition; that its leader cannot be read is no other's trouble."""
        try:
            return await self._one(partition, held, end)
        except (ConnectError, ConnectionLostError, KafkaError) as error:
            return NotYet(f"looking at the target failed: {error}")

    async def _one(
        self,
        partition: MirrorPartition,
        held: dict[int, ProducerState] | KafkaError | None,
        end: int | None,
    ) -> Outcome:
        if isinstance(held, KafkaError):
            return NotYet(str(held))
        if held is None or end is None:
            return NotYet(f"no leader answers for {partition.target_topic}/{partition.partition}")
        acked = partition.acked
        ours = held.get(self._producer_id)
        if ours is None:
            if end < acked.target:
                return Lost(None, end)
            replaced = await self._replaced(partition) if end > acked.target else None
            return await self._count(partition, end) if replaced is None else Lost(None, replaced)
        count = b.sequence_distance(acked.sequence, b.add_sequence(ours.last_sequence, 1))
        if count < 0:
            return Lost(-count)
        if end < acked.target:
            return NotYet(f"{partition.target_topic} is catching up: it ends at offset {end}")
        if count == 0:
            return AlreadyThere(proven=True)
        return await self._locate(partition, count)

    async def _replaced(self, partition: MirrorPartition) -> int | None:
        """Return from where on others' records stand in the place of ours, or None.

        The log was cut and has grown again by other writers; nobody but the log itself tells.
        """
        offset_map = partition.offset_map
        found = None
        for index in reversed(range(offset_map.coarse, len(offset_map))):
            _, target, count = next(offset_map.runs(index))
            if await self._first_strange(partition, target + count - 1, target + count) is None:
                break
            found = await self._first_strange(partition, target, target + count)
            if found != target:
                break
        return found

    async def _first_strange(self, partition: MirrorPartition, start: int, end: int) -> int | None:
        """Return the first offset between two whose record another producer wrote, or None."""
        key = partition.target_key
        start = max(start, await self._log_start(key))
        connection = await self._connection(key)
        async for header, _ in read_range(connection, key, start, end):
            if header.producer_id != self._producer_id:
                return max(header.base_offset, start)
        return None

    async def _log_start(self, key: TopicPartition) -> int:
        found = await self._cluster.list_offsets({key: EARLIEST}, self._metadata)
        if key not in found:
            raise KafkaError("looking at", key[0], "it has no leader now", retriable=True)
        return found[key]

    async def _count(self, partition: MirrorPartition, end: int) -> Outcome:
        """The broker has no producer state of us: count our batches up to the end.

        Others may have written much since; what was looked through once is not read again.
        """
        there = AlreadyThere()
        last = None
        connection = await self._connection(partition.target_key)
        start = max(partition.acked.target, partition.history.looked_to)
        async for header, view in read_range(connection, partition.target_key, start, end):
            if header.producer_id == self._producer_id:
                first = max(header.base_offset, start)
                there.ranges.append([first, header.next_offset - first])
                last = header, view
        _remember_last(there, last)
        if not there.ranges:
            there.looked_to = end
        return there

    async def _locate(self, partition: MirrorPartition, count: int) -> Outcome:
        """Find where the `count` records after the acknowledged ones stand."""
        there = AlreadyThere(proven=True)
        expected = partition.acked.sequence
        missing = count
        last = None
        connection = await self._connection(partition.target_key)
        async for header, view in read_range(
            connection, partition.target_key, partition.acked.target, 2**62
        ):
            if header.producer_id != self._producer_id:
                continue
            # A checkpoint taken while records were being matched may lie inside one of our batches.
            inside = max(0, b.sequence_distance(header.base_sequence, expected))
            number = min(header.last_offset_delta + 1 - inside, missing)
            if number <= 0:
                continue
            first = b.add_sequence(header.base_sequence, inside)
            if first != expected:
                return Torn(
                    f"{partition.target_topic} lacks our sequences {expected} to {first - 1} "
                    f"before offset {header.base_offset}"
                )
            there.ranges.append([header.base_offset + inside, number])
            last = header, view
            expected = b.add_sequence(expected, number)
            missing -= number
            if not missing:
                _remember_last(there, last)
                return there
        # Appended, but above the high watermark: the other replicas have not caught up yet.
        return NotYet(
            f"{missing} of our records on the target are not committed there yet: replicas of "
            f"{partition.target_topic} are catching up, or too few for its min.insync.replicas"
        )

    async def _connection(self, key: TopicPartition) -> DataConnection:
        node = self._metadata.leader(*key)
        known = self._connections.get(node)
        if known is None or known.closed.done():
            self._connections[node] = await self._cluster.data_connection(node)
        return self._connections[node]


def _remember_last(there: AlreadyThere, last: tuple[r.Batch, memoryview] | None) -> None:
    """Keep the newest record for comparison, unless compaction removed it."""
    if last is None:
        return
    header, view = last
    target, number = there.ranges[-1]
    there.compare_timestamps = not header.attributes & b.TIMESTAMP_LOG_APPEND
    there.last = next(
        (record for record in r.decode(view) if record.offset == target + number - 1), None
    )
