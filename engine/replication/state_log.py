"""The flow's state topic: read it, and append to it as a compare-and-swap.

Appends carry the flow's own producer id and the next sequence, so the broker takes one only from an
engine that has read everything before it: claims, heartbeats and checkpoints of an engine that was
superseded are refused, whatever it believes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

from engine.errors import CcrError, KafkaError
from engine.identity import EngineIdentity
from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.cluster import EARLIEST, Cluster
from engine.kafka.codes import Code
from engine.kafka.connection import ConnectionLostError, DataConnection
from engine.kafka.metadata import NO_LEADER, ClusterMetadata
from engine.replication import internal_topic
from engine.replication.backoff import Backoff
from engine.replication.both_ways.marks import FLOW_EPOCH
from engine.replication.state_records import (
    Entry,
    FlowRecord,
    Identity,
    OwnerRecord,
    decode_value,
    encode_value,
    identity_entry,
    owner_entry,
    state_topic,
)
from engine.replication.tail import read_once

TOPIC_CONFIGS = {
    "cleanup.policy": "compact",
    "message.timestamp.type": "LogAppendTime",
    "segment.bytes": str(16 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.1",
}
APPEND_BYTES = 512 * 1024
TRIES = 8


class SupersededError(CcrError):
    """Another engine claimed the flow."""

    def __init__(self, flow: str, owner: OwnerRecord | None) -> None:
        who = f"engine {owner.engine_id} on {owner.host}" if owner else "another engine"
        super().__init__("running flow", flow, f"{who} took it over", "This engine stands by")
        self.owner = owner


class StateLog:
    """One flow's state topic on its target cluster."""

    def __init__(self, flow: str, cluster: Cluster, me: EngineIdentity) -> None:
        self.flow = flow
        self.topic = state_topic(flow)
        self.record = FlowRecord()
        self.generation = 0  # of our own claim; 0 while we hold none
        self.changed_at = 0.0  # monotonic time at which the log was last seen to grow
        self._cluster = cluster
        self._me = me
        self._metadata: ClusterMetadata | None = None
        self._connection: DataConnection | None = None
        self._offset = 0
        self._sequence = 0
        self._uncertain = False  # an append may or may not have been carried out
        self._lock = asyncio.Lock()

    def forget(self) -> None:
        """Read everything anew next time: what we wrote ourselves was never folded."""
        self._disconnect()
        self.record = FlowRecord()
        self.generation = 0
        self._offset = self._sequence = 0
        self._uncertain = False

    async def close(self) -> None:
        """Let go of the connection."""
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.abort("closed by ccr")
            self._connection = None

    # opening

    async def exists(self) -> bool:
        """Whether the topic is there."""
        metadata = await self._cluster.metadata([self.topic])
        topic = metadata.topics.get(self.topic)
        return topic is not None and topic.error == Code.NONE and bool(topic.partitions)

    async def create(self) -> None:
        """Create the topic when it is not there, and wait until it has a leader."""
        await internal_topic.ensure(self._cluster, self.topic, TOPIC_CONFIGS)

    async def _connected(self) -> DataConnection:
        if self._connection is not None and self._connection.retires:
            self._disconnect()
        if self._connection is None or self._connection.closed.done():
            self._metadata = await self._cluster.metadata([self.topic])
            leader = self._metadata.leader(self.topic, 0)
            if leader == NO_LEADER:
                raise KafkaError(
                    "reading", self.topic, "it has no leader at the moment", retriable=True
                )
            self._connection = await self._cluster.data_connection(leader)
        return self._connection

    # reading

    async def read(self) -> bool:
        """Fold what was written since the last time; return whether there was anything."""
        async with self._lock:
            return await self._read()

    async def _read(self) -> bool:
        grew = False
        while True:
            connection = await self._connected()
            try:
                batches, high_watermark = await read_once(
                    connection, (self.topic, 0), self._offset, wait_ms=0
                )
            except KafkaError:
                await self._after_failed_read()
                raise
            for header, view in batches:
                self._fold(header, view)
            if batches:
                grew = True
                self.changed_at = time.monotonic()
            elif self._offset >= high_watermark:
                return grew

    async def _after_failed_read(self) -> None:
        """Connect anew next time; begin again if the offset is gone (compacted, or a new topic)."""
        self._disconnect()
        metadata = await self._cluster.metadata([self.topic])
        starts = await self._cluster.list_offsets({(self.topic, 0): EARLIEST}, metadata)
        start = starts.get((self.topic, 0))
        if start is not None and start > self._offset:
            self._offset = start

    def _fold(self, header: r.Batch, view: memoryview) -> None:
        identity = self.record.identity
        self._offset = max(self._offset, header.next_offset)
        if not header.is_control:
            try:
                for record in r.decode(view):
                    key, value = r.key_and_value(record)
                    self.record.fold((key or b"").decode(), decode_value(value), record.timestamp)
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise KafkaError(
                    "reading",
                    f"{self.topic} at offset {header.base_offset}",
                    f"it is not a record of ccr ({type(error).__name__}: {error})",
                    "Something else wrote into the state topic; see docs/state.md",
                ) from error
        identity = self.record.identity or identity
        if identity is not None and header.producer_id == identity.producer_id:
            self._sequence = b.add_sequence(header.base_sequence, header.last_offset_delta + 1)

    # writing

    async def establish_identity(self) -> Identity:
        """Return the flow's producer id; obtain and record one when there is none yet.

        Of two engines that do so at once, the one whose record stands first decides for both.
        """
        async with self._lock:
            await self._read()
            if self.record.identity is None:
                producer_id, _ = await self._cluster.init_producer_id()
                mine = Identity(producer_id, FLOW_EPOCH)
                await self._produce([identity_entry(mine)], None)
                await self._read()
            if self.record.identity is None:
                raise KafkaError("reading", self.topic, "its identity record cannot be read back")
            return self.record.identity

    async def claim(self) -> None:
        """Become the owner; raises SupersededError when another engine was quicker."""
        async with self._lock:
            await self._read()
            before = self.record.owner
            self.generation = (before.generation if before else 0) + 1
            if self.record.identity is None:
                raise KafkaError("claiming flow", self.flow, "it has no identity yet")
            # The identity goes with each claim, so compaction keeps the one that counts.
            await self._append([identity_entry(self.record.identity), self._owner_entry()])

    async def append(self, entries: Iterable[Entry]) -> None:
        """Append entries and a heartbeat; raises SupersededError when we own it no longer."""
        async with self._lock:
            if not self.generation:
                # A heartbeat that waited while the flow was given up would take that back.
                raise KafkaError("writing to", self.topic, "the flow is not claimed any more")
            await self._append([*entries, self._owner_entry()])

    async def release(self, entries: Iterable[Entry], *, to_others: bool = True) -> None:
        """Append the last entries and give the flow up, or (not `to_others`) claim it anew soon."""
        async with self._lock:
            await self._append([*entries, self._owner_entry(released=to_others)])
            self.generation = 0

    def _owner_entry(self, *, released: bool = False) -> Entry:
        me = self._me
        return owner_entry(
            OwnerRecord(me.engine_id, me.host, me.process, self.generation, released, 0.0)
        )

    async def _append(self, entries: Sequence[Entry]) -> None:
        for part in _parts(entries):
            await self._append_part(part)

    async def _append_part(self, entries: Sequence[Entry]) -> None:
        backoff = Backoff(0.05, 1.0)
        error: KafkaError | None = None
        for _ in range(TRIES):
            if self._uncertain:
                await self._catch_up()
            self._check_owner()
            before = self._sequence
            error = await self._try(entries)
            if error is None:
                return
            await backoff.sleep()
            await self._catch_up()
            if self._sequence == b.add_sequence(before, len(entries)):
                return  # it was carried out, only the answer got lost
            if self._sequence == before:
                await self._ask_sequence()
        raise error or KafkaError("writing to", self.topic, "it did not succeed")

    async def _try(self, entries: Sequence[Entry]) -> KafkaError | None:
        self._uncertain = True
        try:
            await self._produce(entries, self.record.identity)
        except ConnectionLostError as error:
            return KafkaError("writing to", self.topic, str(error), retriable=True)
        except KafkaError as error:
            if not error.retriable:
                raise
            return error
        self._uncertain = False
        return None

    async def _catch_up(self) -> None:
        """After a failed append: read what is there now; raises SupersededError."""
        self._disconnect()
        await self._read()
        self._uncertain = False
        self._check_owner()

    def _check_owner(self) -> None:
        """Raise SupersededError when another engine is known to have claimed the flow.

        Before each try, not only where that is found out: whoever waited for the lock meanwhile
        would append with the sequence that was just learnt, behind the other's claim.
        """
        owner = self.record.owner
        if (
            owner is not None
            and owner.generation >= self.generation
            and owner.engine_id != self._me.engine_id
        ):
            raise SupersededError(self.flow, owner)

    async def _ask_sequence(self) -> None:
        """Compaction may have hidden our last sequence: ask the broker for it."""
        if self.record.identity is None or self._metadata is None:
            return
        held = await self._cluster.describe_producers([(self.topic, 0)], self._metadata)
        producers = held.get((self.topic, 0), {})
        if isinstance(producers, KafkaError):
            raise producers
        ours = producers.get(self.record.identity.producer_id)
        if ours is not None:
            self._sequence = b.add_sequence(ours.last_sequence, 1)

    async def _produce(self, entries: Sequence[Entry], identity: Identity | None) -> None:
        connection = await self._connected()
        now = int(time.time() * 1000)
        rows = [
            r.RawRecord(0, now, 0, r.body(key.encode(), encode_value(value)))
            for key, value in entries
        ]
        producer = (b.NO_PRODUCER_ID, -1, -1)
        if identity is not None:
            producer = (identity.producer_id, identity.producer_epoch, self._sequence)
        batch = r.encode(rows, 0, producer)
        offset = await internal_topic.append(connection, self.topic, batch)
        if identity is not None:
            await self._verify(connection, offset, batch)
            self._sequence = b.add_sequence(self._sequence, len(rows))
            self._offset = max(self._offset, offset + len(rows))

    async def _verify(self, connection: DataConnection, offset: int, batch: bytearray) -> None:
        """Read back what was appended; raises KafkaError when another's batch stands there.

        A broker takes a batch with the sequence numbers of an earlier one for a repeat, and answers
        with that one's offset, without a look at the content. On mirrored partitions the content is
        the same, whoever appended it; here it is not.
        """
        batches, _ = await read_once(connection, (self.topic, 0), offset)
        for header, view in batches:
            if header.base_offset == offset and same_records(view, memoryview(batch)):
                return
        raise KafkaError(
            "writing to", self.topic, "another engine has written in the meantime", retriable=True
        )


def same_records(one: memoryview, other: memoryview) -> bool:
    """Whether two batches hold the same keys, values and headers.

    All else may differ: brokers put in the time of an append, and compress as they are configured.
    """
    return [record.body for record in r.decode(one)] == [record.body for record in r.decode(other)]


def _parts(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Split entries so that no batch outgrows a topic's usual max.message.bytes."""
    parts: list[list[Entry]] = [[]]
    size = 0
    for entry in entries:
        length = len(entry[0]) + len(encode_value(entry[1]) or b"") + 32
        if parts[-1] and size + length > APPEND_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(entry)
        size += length
    return parts
