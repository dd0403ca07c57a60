"""Bringing partitions of a promoted flow up to a source offset, as the flow itself would.

The same pump, numbering and offset map as when the flow runs, for one partition at a time, and no
further than it is told: nothing else of the flow runs. A kill at any moment is what it is to the
flow: the next try finds out from the brokers what went in (`resync`), and goes on behind it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from engine.errors import ConnectError, KafkaError
from engine.kafka import batch as b
from engine.kafka import fetch, produce
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.connection import ConnectionLostError, DataConnection
from engine.kafka.fetch import PartitionData, TopicPartition
from engine.kafka.metadata import NO_LEADER
from engine.replication.already_there import AlreadyThere
from engine.replication.backoff import Backoff
from engine.replication.both_ways.marks import Inbound, takes_local_only
from engine.replication.checkpoints import CheckpointWriter
from engine.replication.partition import MirrorPartition
from engine.replication.pump import MERGE_LIMIT_BYTES, Append
from engine.replication.resync import NotYet, Resync, Torn
from engine.replication.state_records import FlowRecord, Identity
from engine.replication.tail import fetch_once
from engine.replication.troubles import Refused, UnknownOrigin, Unreadable, remedy
from engine.runbook.divergence.model import Remember, Sides
from engine.runbook.divergence.unheard import Unheard

TRIES = 8  # in a row without getting on
CHECKPOINT_S = 1.0
_PRODUCE_TIMEOUT_MS = 20_000
PROVENANCE = "provenance"


class Carrier:
    """Appends to the target what its partitions lack, and keeps their checkpoints."""

    def __init__(
        self, sides: Sides, record: FlowRecord, identity: Identity, remember: Remember
    ) -> None:
        self._sides = sides
        self._identity = identity
        self._remember = remember
        self._writer = CheckpointWriter()
        self._writer.loaded(record)
        self._committed = sides.config.isolation == "read_committed"
        self._inbound: Inbound | None = None
        if takes_local_only(sides.config):
            self._inbound = {int(known): 0 for known in record.synced.get(PROVENANCE, {})}
        self._connections: dict[tuple[Cluster, int], DataConnection] = {}
        self._leaders: dict[tuple[Cluster, TopicPartition], int] = {}
        self._written_at = 0.0

    def close(self) -> None:
        """Let go of the connections."""
        for connection in self._connections.values():
            connection.abort("closed by ccr")
        self._connections.clear()

    async def keep(self, partitions: Iterable[MirrorPartition]) -> None:
        """Write checkpoints. Raises SupersededError, ConnectError and KafkaError."""
        checkpoints = self._writer.encode(partitions)
        await self._remember(checkpoints.entries)
        self._writer.written(checkpoints)
        self._written_at = time.monotonic()

    async def carry(self, partition: MirrorPartition, listener: Unheard, end: int) -> None:
        """Mirror up to source offset `end`, and write that down.

        Raises KafkaError where something is in the way, ConnectError where a cluster cannot be
        reached any more; what was carried until then stands. Raises SupersededError.
        """
        backoff = Backoff()
        tries = 0
        while partition.acked.source < end:
            before = partition.acked.source
            failure: ConnectError | KafkaError
            try:
                await self._go_on(partition, listener, end)
                continue
            except ConnectionLostError as error:
                failure = ConnectError("carrying records of", partition.topic, str(error))
            except (ConnectError, KafkaError) as error:
                if not error.retriable:
                    await self.keep([partition])
                    raise
                failure = error
            self._leaders.clear()
            tries = 0 if partition.acked.source > before else tries + 1
            if tries >= TRIES:
                raise failure
            await backoff.sleep()
        await self.keep([partition])

    async def _go_on(self, partition: MirrorPartition, listener: Unheard, end: int) -> None:
        listener.trouble = None
        there = await self._look(partition)
        producer = self._identity.producer_id, self._identity.producer_epoch
        partition.begin(producer, there, MERGE_LIMIT_BYTES, self._inbound)
        while partition.acked.source < end:
            frame, data = await self._fetch(partition)
            data = _before(frame, data, end)
            if data.start == data.end:
                self._nothing_more(partition, data, end)
                return
            position = partition.position
            partition.take(frame, data, committed=self._committed)
            await self._send(partition)
            if not partition.active or partition.position == position:
                self._explain(partition, listener)
                return
            if time.monotonic() - self._written_at > CHECKPOINT_S:
                await self.keep([partition])

    async def _look(self, partition: MirrorPartition) -> AlreadyThere:
        metadata = await self._sides.target.metadata([partition.target_topic])
        resync = Resync(self._sides.target, metadata, self._identity.producer_id)
        name = f"{partition.target_topic}/{partition.partition}"
        match (await resync.run([partition]))[partition]:
            case AlreadyThere() as there:
                return there
            case NotYet(why=why):
                raise KafkaError("looking at", name, why, retriable=True)
            case Torn(why=why):
                raise KafkaError("looking at", name, why, "Compare the mirror with its source")
            case _:
                raise KafkaError(
                    "looking at",
                    name,
                    "the new primary lost records that it had acknowledged",
                    "Look for the divergence again",
                )

    async def _fetch(self, partition: MirrorPartition) -> tuple[memoryview, PartitionData]:
        connection = await self._connection(self._sides.source, partition.key)
        isolation = fetch.READ_COMMITTED if self._committed else fetch.READ_UNCOMMITTED
        return await fetch_once(connection, partition.key, partition.position, isolation=isolation)

    @staticmethod
    def _nothing_more(partition: MirrorPartition, data: PartitionData, end: int) -> None:
        """Nothing stands before `end` any more: markers, or what compaction took."""
        name = f"{partition.topic}/{partition.partition}"
        if data.high_watermark < end:
            raise KafkaError(
                "carrying records of",
                name,
                f"the old primary's log ends at offset {data.high_watermark}, before {end}",
                "It lost records since they were found: look for the divergence again",
            )
        if max(data.last_stable_offset, partition.position) < end and data.last_stable_offset >= 0:
            raise KafkaError(
                "carrying records of", name, "a transaction is open there", retriable=True
            )
        partition.acked.source = end

    async def _send(self, partition: MirrorPartition) -> None:
        while partition.active and partition.queue:
            append = partition.next_append()
            try:
                answer = await self._append(partition, append)
            except (ConnectionLostError, ConnectError, KafkaError) as error:
                partition.lost(append, str(error))
                raise
            if answer.error == Code.NONE:
                partition.appended(append, answer.base_offset)
            else:
                partition.refused(append, answer.error, answer.message)

    async def _append(self, partition: MirrorPartition, append: Append) -> produce.Appended:
        connection = await self._connection(self._sides.target, partition.target_key)
        version = next((v for v in produce.VERSIONS if connection.supports(produce.API_KEY, v)), 7)
        body = produce.request_body(
            [(*partition.target_key, append.payload)], timeout_ms=_PRODUCE_TIMEOUT_MS
        )
        limit = self._sides.target.config.request_timeout
        frame = await connection.send(produce.API_KEY, version, body, limit)
        connection.throttled(produce.throttle_ms(frame))
        return produce.parse_response(frame, version)[0]

    def _explain(self, partition: MirrorPartition, listener: Unheard) -> None:
        """It let go of everything: go on when that goes away by itself, raise what does not."""
        name = f"{partition.topic}/{partition.partition}"
        match listener.trouble:
            case UnknownOrigin(producer_id=producer_id) if self._inbound is not None:
                self._inbound[producer_id] = 0  # some flow's, whichever: it is no loss
                return
            case Refused(first=first, why=why, error=error):
                raise KafkaError(
                    "re-injecting",
                    f"{name} source offset {first}",
                    f"the new primary refuses it: {why}",
                    f"{remedy(error)}, and go on; or keep the records aside",
                )
            case Unreadable(why=why):
                raise KafkaError("re-injecting", name, why, "Keep the records aside")
        reason = partition.reason
        stopped = reason is not None and not reason.retriable
        raise KafkaError(
            "carrying records of",
            name,
            reason.text if reason else "it does not get on",
            reason.next_step if reason else "",
            retriable=not stopped,
        )

    async def _connection(self, cluster: Cluster, key: TopicPartition) -> DataConnection:
        if (cluster, key) not in self._leaders:
            node = (await cluster.metadata([key[0]])).leader(*key)
            if node == NO_LEADER:
                name = f"{key[0]}/{key[1]}"
                raise KafkaError("reaching", name, "it has no leader", retriable=True)
            self._leaders[cluster, key] = node
        node = self._leaders[cluster, key]
        known = self._connections.get((cluster, node))
        if known is None or known.closed.done() or known.retires:
            if known is not None:
                known.abort("closed by ccr")
            self._connections[cluster, node] = known = await cluster.data_connection(node)
        return known


def _before(view: memoryview, data: PartitionData, end: int) -> PartitionData:
    """Return the batches that begin before offset `end`."""
    at = data.start
    while (size := b.size_at(view, at, data.end)) > 0 and at < data.end:
        if b.PREFIX.unpack_from(view, at)[0] >= end:
            break
        at += size
    return data._replace(end=min(at, data.end))
