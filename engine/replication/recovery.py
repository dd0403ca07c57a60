"""Bringing partitions (back) into service: after a start, a lost connection, a refusal, a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from engine.api.snapshots import PartitionState, Severity
from engine.errors import ConnectError, KafkaError
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.connection import ConnectionLostError
from engine.kafka.metadata import NO_LEADER
from engine.replication.backoff import Backoff
from engine.replication.discovery import Discovery
from engine.replication.events import Events
from engine.replication.partition import MirrorPartition
from engine.replication.resync import Lost, NotYet, Resync
from engine.replication.state_records import FlowRecord

SPACING_S = 0.05


class Recovery:
    """A queue of partitions whose target has to be looked at before they go on."""

    def __init__(
        self,
        name: str,
        clusters: tuple[Cluster, Cluster],
        record: FlowRecord,
        discovery: Discovery,
        events: Events,
        *,
        prove_ownership: Callable[[], Awaitable[None]],
        started: Callable[[MirrorPartition], None],
        look_again: Callable[[], None],
    ) -> None:
        """`prove_ownership` raises SupersededError when the flow is not ours any more."""
        self._name = name
        self._source, self._target = clusters
        self._record = record
        self._discovery = discovery
        self._events = events
        self._prove_ownership = prove_ownership
        self._started = started
        self._look_again = look_again
        self._queue: dict[MirrorPartition, None] = {}
        self._gaps: dict[MirrorPartition, None] = {}
        self._sequence_refused = False
        self._wake = asyncio.Event()
        self.suspended = False

    def enqueue(self, partitions: Iterable[MirrorPartition]) -> None:
        """Look at these partitions' targets, then start them; those at work are left alone."""
        self._queue.update((partition, None) for partition in partitions if not partition.active)
        self._wake.set()

    def sequence_refused(self) -> None:
        """A broker holds another sequence than we thought: perhaps another engine writes."""
        self._sequence_refused = True

    def explain_gap(self, partition: MirrorPartition) -> None:
        """The source refused an offset: find out why, and stop the partition with that."""
        self._gaps[partition] = None
        self._wake.set()

    def wake(self) -> None:
        """Something changed (leaders, pause): try again now."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled, or until SupersededError."""
        backoff = Backoff(SPACING_S, 2.0)
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self.suspended or not (self._queue or self._gaps):
                continue
            try:
                if self._sequence_refused:
                    await self._prove_ownership()
                    self._sequence_refused = False
                again = await self._start_all()
                await self._explain_all()
            except (ConnectError, KafkaError, ConnectionLostError) as error:
                for partition in self._queue:
                    partition.wait(f"looking at the target failed: {error}")
                again = True
            if again:
                self._look_again()
                await backoff.sleep()
                self._wake.set()
            else:
                backoff.reset()

    async def _start_all(self) -> bool:
        """Look at the target for all that wait for it; return whether some must be tried again."""
        identity, target = self._record.identity, self._discovery.target
        if identity is None or target is None:
            return True
        for partition in [p for p in self._queue if p.state == PartitionState.STOPPED]:
            del self._queue[partition]
        if not self._queue:
            return False
        queued = [partition for partition in self._queue if partition.positioned]
        outcomes = await Resync(self._target, target, identity.producer_id).run(queued)
        again = False
        for partition, outcome in outcomes.items():
            self._queue.pop(partition, None)
            if isinstance(outcome, NotYet):
                partition.wait(outcome.why)
                self._queue[partition] = None
                again = True
            elif isinstance(outcome, Lost):
                partition.stop(outcome.why, "Compare the mirror with its source, then ccr retry")
            else:
                producer = identity.producer_id, identity.producer_epoch
                limit = self._discovery.merge_limit(partition.target_topic)
                partition.begin(producer, outcome, limit)
                self._started(partition)
        return again or any(target.leader(*p.target_key) == NO_LEADER for p in self._queue)

    async def _explain_all(self) -> None:
        source = self._discovery.source
        while self._gaps and source is not None:
            partition = next(iter(self._gaps))
            low = await self._source.list_offsets({partition.key: EARLIEST}, source)
            high = await self._source.list_offsets({partition.key: LATEST}, source)
            del self._gaps[partition]
            self._explain(partition, low.get(partition.key), high.get(partition.key))

    def _explain(self, partition: MirrorPartition, start: int | None, end: int | None) -> None:
        position = partition.acked.source
        if start is None or end is None or start <= position <= end:
            self.enqueue([partition])
            return
        if position < start:
            why = (
                f"retention overtook replication: the source has lost offsets {position} to "
                f"{start - 1}, {start - position} in all"
            )
        else:
            why = (
                f"the source ends at offset {end}, but was mirrored up to {position}: it was "
                "truncated, or deleted and created anew"
            )
        partition.stop(why, "Nothing was changed on the target")
        subject = f"{self._name}/{partition.topic}/{partition.partition}"
        self._events.emit(Severity.ERROR, subject, why)
