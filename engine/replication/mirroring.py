"""A flow at work, in the hands of its owner: what discovers, fetches, appends and checkpoints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from engine.api.snapshots import PartitionState, Severity, VerificationSnapshot
from engine.config.flow_section import FlowConfig, Offsets
from engine.errors import CcrError, ConnectError
from engine.kafka.cluster import Cluster
from engine.kafka.connection import ConnectionLostError
from engine.replication.backoff import Backoff
from engine.replication.board import Board
from engine.replication.both_ways.provenance import Provenance
from engine.replication.checkpoints import CheckpointWriter
from engine.replication.discovery import Discovery
from engine.replication.events import Events
from engine.replication.identical.aligner import Aligner
from engine.replication.limiter import Limiter
from engine.replication.links import Links
from engine.replication.partition import MirrorPartition
from engine.replication.recovery import Recovery
from engine.replication.repair import Repair
from engine.replication.retention_watch import RetentionWatch
from engine.replication.seen_ends import WRITE_S, SeenEnds
from engine.replication.source_ends import SourceEnds
from engine.replication.state_log import StateLog, SupersededError
from engine.replication.state_records import Entry
from engine.replication.sync.in_step import InStep
from engine.replication.sync.syncer import SyncContext
from engine.replication.topics.agreed import AgreedConfigs
from engine.replication.troubles import Trouble
from engine.replication.verify.continuous import ContinuousVerifier

HEARTBEAT_S = 2.0
REFRESH_SPACING_S = 0.1
STRANGERS_SPACING_S = 60.0  # between two events about one partition


class ConcludedError(Exception):
    """The flow was promoted: there is nothing to mirror any more."""


class Mirroring:
    """Runs one flow after it was claimed. `run` ends by cancellation or with SupersededError."""

    def __init__(
        self,
        name: str,
        config: FlowConfig,
        clusters: tuple[Cluster, Cluster],
        state: StateLog,
        board: Board,
        events: Events,
        limiter: Limiter,
    ) -> None:
        self._name = name
        self._config = config
        self._state = state
        self._board = board
        self._events = events
        self._writer = CheckpointWriter()
        self._writer.loaded(state.record)
        self._dirty: dict[MirrorPartition, None] = {}
        self._retried: set[MirrorPartition] = set()
        self._strangers_told: dict[MirrorPartition, float] = {}  # monotonic
        self._refresh_now = asyncio.Event()
        self._drained = asyncio.Event()
        self._concluded = asyncio.Event()
        self._trouble: CcrError | None = None
        self.paused = state.record.paused
        self.draining = False
        self.refreshed_at = 0.0
        self._links = Links(
            *clusters,
            config.limits,
            committed=config.isolation == "read_committed",
            limiter=limiter,
            may_fetch=lambda: not (self.paused or self.draining),
            leader_moved=self._refresh_now.set,
        )
        context = SyncContext(
            name, config, *clusters, board, state.record, self._state.append, events
        )
        self._aligner = (
            Aligner(context, self._refresh_now.set) if config.offsets == Offsets.IDENTICAL else None
        )
        self._discovery = Discovery(
            name,
            config,
            clusters,
            state.record,
            board,
            events,
            self,
            self._persist,
            self._aligner,
            AgreedConfigs(state.record, state.append),
        )
        self._provenance = Provenance(context)
        self._recovery = Recovery(
            clusters[1],
            state.record,
            self._discovery,
            Repair(name, config, clusters, events, self._persist, self._provenance),
            self._provenance,
            prove_ownership=lambda: state.append([]),
            started=self._links.check,
            look_again=self._refresh_now.set,
        )
        self._source_ends = SourceEnds(clusters[0], config, board, self._links.seen_at)
        self.retention = RetentionWatch(name, clusters[0], board, events)
        self._recovery.suspended = self.paused
        if self._aligner is not None:
            self._aligner.suspended = self.paused
        self._seen_ends = SeenEnds(state.record, board, self._links.seen_at)
        self.in_step = InStep(context, self._provenance)
        self.in_step.leave_settings(state.record.in_a_run)
        self._verifier = ContinuousVerifier(
            name,
            config,
            clusters,
            board,
            events,
            lambda: state.record.identity.producer_id if state.record.identity else -1,
        )

    # life

    async def run(self) -> None:
        """Mirror until cancelled; raises an ExceptionGroup with SupersededError when taken over."""
        async with asyncio.TaskGroup() as tasks:
            self._links.tasks = tasks
            tasks.create_task(self._checkpoint_loop())
            tasks.create_task(self._ends_loop())
            tasks.create_task(self._recovery.run())
            tasks.create_task(self._refresh_loop())
            tasks.create_task(self._verifier.run())
            tasks.create_task(self._source_ends.run())
            tasks.create_task(self.retention.run())
            if self._aligner is not None:
                tasks.create_task(self._aligner.run())
            self.in_step.start(tasks)
            tasks.create_task(self._until_concluded())

    async def _until_concluded(self) -> None:
        await self._concluded.wait()
        raise ConcludedError

    async def drain(self) -> None:
        """Stop fetching and wait until everything in flight is acknowledged."""
        self.draining = True
        self._links.recheck(self._board.partitions.values())
        if self._aligner is not None:
            await self._aligner.settle()
        while not self._idle():
            self._drained.clear()
            await self._drained.wait()

    def undrain(self) -> None:
        """Fetch again."""
        self.draining = False
        self._links.recheck(self._board.partitions.values())

    async def checkpoint(self) -> None:
        """Write now what has changed since the last time."""
        dirty, self._dirty = self._dirty, {}
        try:
            await self._persist(dirty)
        except BaseException:
            self._dirty = dirty | self._dirty
            raise

    def _idle(self) -> bool:
        return all(partition.idle for partition in self._board.partitions.values())

    async def finish(self, *, release: bool = True) -> None:
        """Write the last checkpoints, and give the flow up unless this engine goes on with it."""
        dirty, self._dirty = list(self._dirty), {}
        await self._state.release(self._writer.encode(dirty).entries, to_others=release)

    async def conclude(self, entries: Iterable[Entry]) -> None:
        """Write the last checkpoints with these entries, and end `run` (ConcludedError)."""
        dirty, self._dirty = list(self._dirty), {}
        await self._state.append([*self._writer.encode(dirty).entries, *entries])
        self._concluded.set()

    @property
    def troubles(self) -> list[CcrError]:
        """What keeps the flow from both clusters at the moment."""
        own = [self._trouble] if self._trouble else []
        return own + self._links.troubles

    @property
    def source_troubles(self) -> list[CcrError]:
        """What keeps the source's ends from being seen at the moment."""
        trouble = self._source_ends.trouble
        return self._links.source_troubles + ([trouble] if trouble else [])

    def seen_at(self, partition: MirrorPartition) -> float:
        """Return when a partition's source end was last seen; 0.0: never."""
        return self._links.seen_at(partition)

    @property
    def selection_trouble(self) -> CcrError | None:
        """Why topics cannot be selected anew; those that there are go on."""
        return self._discovery.trouble

    @property
    def verification(self) -> VerificationSnapshot | None:
        """What comparing the mirrors has found so far."""
        return self._verifier.snapshot()

    @property
    def throttled(self) -> list[str]:
        """The clusters whose quotas hold the flow up just now."""
        return self._links.throttled

    # commands

    async def set_paused(self, paused: bool) -> None:
        """Pause or resume, and remember it in the state topic."""
        await self._state.append([("paused", {"paused": paused, "at": time.time()})])
        self.paused = self._recovery.suspended = paused
        if self._aligner is not None:
            self._aligner.suspended = paused
        if paused:
            self._halt_idle()
        else:
            self._recovery.enqueue(self._board.partitions.values())
        self._links.recheck(self._board.partitions.values())

    def _halt_idle(self) -> None:
        for partition in self._board.partitions.values():
            if partition.idle:
                partition.halt(PartitionState.PAUSED)

    def retry(self, topic: str | None, number: int | None, *, accept: bool = False) -> int:
        """Start stopped partitions again; return how many.

        `accept` lets them go on, once, over what their policy stops for.
        """
        stopped = [
            partition
            for partition in self._board.partitions.values()
            if partition.state == PartitionState.STOPPED
            and topic in (None, partition.topic)
            and number in (None, partition.partition)
        ]
        for partition in stopped:
            partition.accepts = accept
            partition.set_state(PartitionState.STARTING)
        self._discovery.forget_refusals()
        # Started by the refresh, which finds out first whether its topics are still the same.
        self._retried |= {partition for partition in stopped if partition.positioned}
        self._refresh_now.set()
        return len(stopped)

    # what partitions tell (see partition.Listener)

    def changed(self, partition: MirrorPartition) -> None:
        """Progress or state changed."""
        self._dirty[partition] = None
        if self.draining and partition.idle:
            self._drained.set()

    def has_work(self, partition: MirrorPartition) -> None:
        """An append was queued."""
        self._links.has_work(partition)

    def holds(self, partition: MirrorPartition, delta: int) -> None:
        """A partition holds more or fewer bytes."""
        self._links.holds(partition, delta)

    def released(self, partition: MirrorPartition) -> None:
        """An append was acknowledged."""
        if self.paused and partition.idle:
            partition.halt(PartitionState.PAUSED)

    def needs_resync(self, partition: MirrorPartition, sequence_refused: bool) -> None:
        """A partition failed and has nothing in flight any more."""
        if sequence_refused:
            self._recovery.sequence_refused()
        self._recovery.enqueue([partition])

    def troubled(self, partition: MirrorPartition, trouble: Trouble) -> None:
        """A partition cannot go on by itself."""
        self._recovery.troubled(partition, trouble)

    def stranger_wrote(self, partition: MirrorPartition, expected: int, actual: int) -> None:
        """Somebody else writes into a mirror partition."""
        if self._provenance.two_way:
            return  # those who write to the target are mirrored back
        now = time.monotonic()
        if now - self._strangers_told.get(partition, -STRANGERS_SPACING_S) < STRANGERS_SPACING_S:
            return  # counted, and in every snapshot
        self._strangers_told[partition] = now
        self._events.emit(
            Severity.WARNING,
            f"{self._name}/{partition.topic}/{partition.partition}",
            f"{actual - expected} records at offsets {expected} to {actual - 1} of "
            f"{partition.target_topic} are not this flow's ({partition.history.foreign} in all); "
            "the offset map stays right",
            "Find out who writes into the mirror topic",
        )

    # loops

    async def _refresh_loop(self) -> None:
        backoff = Backoff(REFRESH_SPACING_S, self._config.topic_refresh)
        while True:
            self._refresh_now.clear()
            try:
                await self._refresh()
            except SupersededError:
                raise
            except (CcrError, ConnectionLostError) as error:
                self._set_trouble("looking at topics of", error)
                self._discovery.remember()
                await backoff.sleep()
                continue
            self._trouble = None
            self.refreshed_at = time.time()
            if not all(p.positioned or p.aligning for p in self._board.partitions.values()):
                await backoff.sleep()  # topics just created have no leader for a moment
                continue
            backoff.reset()
            await asyncio.sleep(REFRESH_SPACING_S)
            await _wait(self._refresh_now, self._config.topic_refresh - REFRESH_SPACING_S)

    async def _refresh(self) -> None:
        ready = await self._discovery.look()
        source, target = self._discovery.source, self._discovery.target
        if source is not None and target is not None:
            await self._provenance.prepare(source, target)
            self._links.assign(self._board.partitions.values(), source, target)
        retried, self._retried = self._retried - self._discovery.replaced.keys(), set()
        self._recovery.enqueue([*ready, *retried])
        if self.paused:
            self._halt_idle()
        if self._board.count_state(PartitionState.WAITING):
            self._recovery.wake()

    async def _checkpoint_loop(self) -> None:
        written_at = time.monotonic()
        while True:
            await asyncio.sleep(self._config.checkpoint_interval)
            if not self._dirty and time.monotonic() - written_at < HEARTBEAT_S:
                continue
            try:
                await self.checkpoint()
                written_at = time.monotonic()
            except SupersededError:
                raise
            except (CcrError, ConnectionLostError) as error:
                self._set_trouble("writing checkpoints of", error)

    async def _ends_loop(self) -> None:
        while True:
            await asyncio.sleep(WRITE_S)
            entries = list(self._seen_ends.entries())
            try:
                if entries:
                    await self._state.append(entries)
                for key, value in entries:
                    self._state.record.fold(key, value, 0)
            except SupersededError:
                raise
            except (CcrError, ConnectionLostError) as error:
                self._set_trouble("writing the source's ends of", error)

    async def _persist(self, partitions: Iterable[MirrorPartition]) -> None:
        checkpoints = self._writer.encode(partitions)
        await self._state.append(checkpoints.entries)
        self._writer.written(checkpoints)

    def _set_trouble(self, operation: str, error: Exception) -> None:
        if not isinstance(error, CcrError):
            error = ConnectError(operation, f"flow {self._name}", str(error))
        self._trouble = error


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await event.wait()
    except TimeoutError:
        return
