"""Bringing partitions (back) into service: after a start, a lost connection, a refusal, a gap."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from engine.api.snapshots import PartitionState
from engine.errors import ConnectError, KafkaError
from engine.kafka.cluster import Cluster
from engine.kafka.connection import ConnectionLostError
from engine.kafka.metadata import NO_LEADER
from engine.replication.already_there import AlreadyThere
from engine.replication.backoff import Backoff
from engine.replication.both_ways.provenance import Provenance
from engine.replication.both_ways.whole import whole_of
from engine.replication.discovery import Discovery
from engine.replication.partition import MirrorPartition
from engine.replication.repair import Repair
from engine.replication.resync import Lost, NotYet, Outcome, Resync, Torn
from engine.replication.state_records import FlowRecord
from engine.replication.troubles import Trouble

SPACING_S = 0.05


class Recovery:
    """A queue of partitions whose target has to be looked at before they go on."""

    def __init__(
        self,
        target: Cluster,
        record: FlowRecord,
        discovery: Discovery,
        repair: Repair,
        provenance: Provenance,
        *,
        prove_ownership: Callable[[], Awaitable[None]],
        started: Callable[[MirrorPartition], None],
        look_again: Callable[[], None],
    ) -> None:
        """`prove_ownership` raises SupersededError when the flow is not ours any more."""
        self._target = target
        self._record = record
        self._discovery = discovery
        self._repair = repair
        self._provenance = provenance
        self._prove_ownership = prove_ownership
        self._started = started
        self._look_again = look_again
        self._queue: dict[MirrorPartition, None] = {}
        self._troubled: dict[MirrorPartition, Trouble] = {}
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

    def troubled(self, partition: MirrorPartition, trouble: Trouble) -> None:
        """A partition cannot go on by itself: mend it, or stop it, as the policies say."""
        self._troubled[partition] = trouble
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
            if self.suspended or not (self._queue or self._troubled or self._discovery.replaced):
                continue
            try:
                if self._sequence_refused:
                    await self._prove_ownership()
                    self._sequence_refused = False
                again = await self._mend_all()
                again |= await self._start_all()
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
        now = time.monotonic()
        queued = [p for p in self._queue if p.positioned and p.due(now)]
        outcomes = await Resync(self._target, target, identity.producer_id).run(queued)
        again = False
        for partition, outcome in outcomes.items():
            if await self._alone(partition, self._go_on(partition, outcome)):
                self._queue.pop(partition, None)
            else:
                again = True
        return again or any(
            target.leader(*p.target_key) == NO_LEADER or not p.due(now) for p in self._queue
        )

    async def _go_on(self, partition: MirrorPartition, outcome: Outcome) -> bool:
        """Act on what the target holds; return whether that is settled."""
        match outcome:
            case NotYet(why=why):
                partition.wait(why)
                return False
            case Torn(why=why):
                partition.stop(why, "Compare the mirror with its source, then ccr retry")
            case Lost():
                partition.wait("the target lost records")
                if await self._repair.target_lost(partition, outcome):
                    return False  # looked at once more, from there on
            case AlreadyThere():
                self._begin(partition, outcome)
        return True

    def _begin(self, partition: MirrorPartition, there: AlreadyThere) -> None:
        identity = self._record.identity
        if identity is None:
            raise RuntimeError("partitions begin only after the flow was claimed")
        limit = self._discovery.merge_limit(partition.target_topic)
        producer = identity.producer_id, identity.producer_epoch
        inbound = self._provenance.inbound
        whole = whole_of(self._record, partition.key, inbound)
        partition.begin(producer, there, limit, inbound, whole)
        self._started(partition)

    async def _mend_all(self) -> bool:
        """Mend what cannot go on by itself; return whether something must be tried again."""
        source, target = self._discovery.source, self._discovery.target
        if source is None or target is None:
            return True
        replaced, troubled = self._discovery.replaced, self._troubled
        again = False
        for partition, side in list(replaced.items()):
            mend = (
                self._repair.recreated(partition, source)
                if side == "source"
                else self._repair.mirror_recreated(partition, target)
            )
            if await self._alone(partition, self._settle(partition, mend)):
                replaced.pop(partition, None)
            else:
                again = True
        for partition, trouble in list(troubled.items()):
            mend = self._repair.mend(partition, trouble, source)
            if await self._alone(partition, self._settle(partition, mend)):
                if troubled.get(partition) is trouble:
                    del troubled[partition]
            else:
                again = True
        return again

    async def _settle(self, partition: MirrorPartition, mend: Awaitable[bool]) -> bool:
        if await mend:
            self._queue[partition] = None
        return True

    async def _alone(self, partition: MirrorPartition, act: Awaitable[bool]) -> bool:
        """Await what is done for one partition; that it fails is no other's trouble."""
        try:
            return await act
        except (ConnectError, KafkaError, ConnectionLostError) as error:
            partition.wait(str(error))
            return False
