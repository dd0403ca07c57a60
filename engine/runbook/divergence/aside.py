"""The records that never arrived, in the flow's quarantine topic on the new primary.

As the engine's own quarantine has them (`engine.replication.quarantine`): each with its own key,
value and headers, and headers `ccr.*` that say where it stood. Batches are numbered with the flow's
producer id, and what stands there already is read first: written again, nothing is there twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from engine.api.names import quarantine_topic
from engine.errors import ConnectError, KafkaError, RefusedError
from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.cluster import EARLIEST
from engine.kafka.connection import ConnectionLostError
from engine.replication import internal_topic
from engine.replication.backoff import Backoff
from engine.replication.quarantine import NEXT_STEP, TOPIC_CONFIGS, Quarantined, body_of
from engine.replication.state_records import FlowRecord, Identity
from engine.replication.verify.reading import Reader
from engine.runbook.divergence.exporting import sequence_of
from engine.runbook.divergence.model import Divergence, Exported, PartitionDivergence, Sides
from engine.runbook.divergence.records import diverged_records

BATCH_BYTES = 256 * 1024
BATCH_RECORDS = 500
TRIES = 8
_LOG_END = 2**62
_TOPIC_ID, _EPOCH = "ccr.source.topic_id", "ccr.source.leader_epoch"

Log = tuple[str, str, int]
"""A source partition of one life: topic, topic id, number."""
Place = tuple[int, int]
"""Leader epoch and offset: both only grow, and so does what was written, which is in that order."""


@dataclass(slots=True)
class _There:
    """What the quarantine topic holds."""

    last: dict[Log, Place] = field(default_factory=dict)
    sequence: int = 0  # the flow's next one

    def has(self, log: Log, place: Place) -> bool:
        return place <= self.last.get(log, (-1, -1))


async def set_aside(sides: Sides, record: FlowRecord, divergence: Divergence) -> Exported:
    """Write them to the quarantine topic, which is made where it is missing.

    Raises RefusedError for a flow that never ran, ConnectError and KafkaError; what was written
    until then stands, and is not written again.
    """
    if record.identity is None:
        raise RefusedError("setting records aside for flow", sides.flow, "it has never run")
    writer = _Writer(sides, record.identity)
    reader = Reader(sides.source)
    try:
        await writer.open()
        for partition in divergence.diverged:
            await _partition(sides, reader, partition, writer)
        await writer.flush()
    finally:
        reader.close()
        writer.close()
    where = f"topic {writer.topic} on cluster {sides.target.name}"
    return Exported(where, divergence.records, already=writer.already)


async def _partition(
    sides: Sides, reader: Reader, partition: PartitionDivergence, writer: _Writer
) -> None:
    log = partition.topic, partition.source_id, partition.partition
    async for header, rows in diverged_records(sides, reader, partition):
        for row in rows:
            found = _quarantined(partition, header, row, sides.target.name)
            await writer.put(log, (header.leader_epoch, row.offset), found)


def _quarantined(
    partition: PartitionDivergence, header: r.Batch, row: r.RawRecord, target: str
) -> Quarantined:
    more = {_TOPIC_ID: partition.source_id, _EPOCH: str(header.leader_epoch)}
    if header.producer_id != b.NO_PRODUCER_ID:
        more["ccr.source.producer_id"] = str(header.producer_id)
        more["ccr.source.producer_epoch"] = str(header.producer_epoch)
        more["ccr.source.sequence"] = str(sequence_of(header, row))
    reason = f"never arrived on {target} before it was promoted"
    return Quarantined(*partition.key, row.offset, row.offset + 1, reason, record=row, more=more)


class _Writer:
    """Appends what is not there yet, a batch at a time, each a compare-and-swap."""

    def __init__(self, sides: Sides, identity: Identity) -> None:
        self.topic = quarantine_topic(sides.flow)
        self.already = 0
        self._flow = sides.flow
        self._cluster = sides.target
        self._identity = identity
        self._reader = Reader(sides.target)
        self._there = _There()
        self._rows: list[tuple[Log, Place, r.RawRecord]] = []
        self._size = 0

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()

    async def open(self) -> None:
        """Make the topic, and read what it holds."""
        await internal_topic.ensure(self._cluster, self.topic, TOPIC_CONFIGS)
        await self._look()

    async def put(self, log: Log, place: Place, found: Quarantined) -> None:
        """Take one in; written when a batch is full."""
        if self._there.has(log, place):
            self.already += 1
            return
        row = r.RawRecord(0, int(time.time() * 1000), 0, body_of(self._flow, found))
        self._rows.append((log, place, row))
        self._size += len(row.body)
        if self._size >= BATCH_BYTES or len(self._rows) >= BATCH_RECORDS:
            await self.flush()

    async def flush(self) -> None:
        """Write what was taken in. Raises ConnectError and KafkaError."""
        backoff = Backoff()
        failure: ConnectError | KafkaError | None = None
        for _ in range(TRIES):
            self._rows = [each for each in self._rows if not self._there.has(each[0], each[1])]
            if not self._rows:
                self._size = 0
                return
            try:
                await self._append()
                continue
            except ConnectionLostError as error:
                failure = ConnectError("writing to", self.topic, str(error))
            except (ConnectError, KafkaError) as error:
                if not error.retriable:
                    raise
                failure = error
            await backoff.sleep()
            await self._look()  # whether it went in
        raise failure or KafkaError("writing to", self.topic, "it did not succeed")

    async def _append(self) -> None:
        node = await internal_topic.ensure(self._cluster, self.topic, TOPIC_CONFIGS)
        connection = await self._cluster.data_connection(node)
        producer = self._identity.producer_id, self._identity.producer_epoch, self._there.sequence
        rows = [row for _, _, row in self._rows]
        try:
            batch = r.encode(rows, 0, producer)
            await internal_topic.append(connection, self.topic, batch, NEXT_STEP)
        finally:
            connection.abort("done")
        self._there.last.update({log: place for log, place, _ in self._rows})
        self._there.sequence = b.add_sequence(self._there.sequence, len(rows))

    async def _look(self) -> None:
        """Read the whole topic anew."""
        there = _There()
        key = self.topic, 0
        metadata = await self._cluster.metadata([self.topic])
        low = await self._cluster.list_offsets({key: EARLIEST}, metadata)
        async for header, view in self._reader.batches(
            key, low.get(key, 0), _LOG_END, committed=False
        ):
            if header.producer_id != self._identity.producer_id:
                continue
            there.sequence = b.add_sequence(header.base_sequence, header.last_offset_delta + 1)
            for row in r.decode(view):
                _note(there, row)
        self._there = there


def _note(there: _There, row: r.RawRecord) -> None:
    """Take in where a record stood; those that a running flow put aside do not say enough."""
    said = {name: (value or b"").decode(errors="replace") for name, value in r.contents(row)[2]}
    if _TOPIC_ID in said:
        log = said["ccr.source.topic"], said[_TOPIC_ID], int(said["ccr.source.partition"])
        there.last[log] = int(said[_EPOCH]), int(said["ccr.source.offset"])
