"""A flow at work: the one that owns it discovers, fetches, appends and checkpoints."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

from engine.api.snapshots import PartitionState, Severity
from engine.config.model import FlowConfig
from engine.errors import CcrError, ConnectError, KafkaError
from engine.kafka import fetch
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.connection import ConnectionLostError
from engine.kafka.metadata import NO_LEADER, ClusterMetadata, TopicMetadata
from engine.kafka.topics import topic_configs
from engine.replication.backoff import Backoff
from engine.replication.board import Board
from engine.replication.events import Events
from engine.replication.limiter import Limiter
from engine.replication.links import Links
from engine.replication.mirror_topics import MirrorTopics
from engine.replication.partition import MirrorPartition
from engine.replication.positions import StartPolicy, load_checkpoint
from engine.replication.pump import MERGE_LIMIT_BYTES
from engine.replication.resync import Lost, NotYet, Resync
from engine.replication.selection import TopicSelector
from engine.replication.state_log import StateLog, SupersededError
from engine.replication.state_records import CheckpointWriter, Entry

log = logging.getLogger(__name__)

HEARTBEAT_S = 2.0
REFRESH_SPACING_S = 0.2
RESYNC_SPACING_S = 0.05
MERGE_HEADROOM_BYTES = 8 * 1024  # a merged batch may pass its limit by one tiny batch and a header
DEFAULT_MAX_MESSAGE_BYTES = 1_048_588


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
        self._source, self._target = clusters
        self._state = state
        self._board = board
        self._events = events
        self._selector = TopicSelector(config)
        self._topics = MirrorTopics(self._source, self._target, config.replication_factor)
        self._start_policy = StartPolicy(config, self._source, self._target)
        self._committed = config.isolation == "read_committed"
        self._writer = CheckpointWriter()
        self._dirty: dict[MirrorPartition, None] = {}
        self._resync: dict[MirrorPartition, None] = {}
        self._sequence_refused = False
        self._refresh_now = asyncio.Event()
        self._resync_now = asyncio.Event()
        self._merge_limits: dict[str, int] = {}
        self._refused_topics: dict[str, str] = {}
        self._announced: set[tuple[str, int]] = set()
        self._source_metadata: ClusterMetadata | None = None
        self._target_metadata: ClusterMetadata | None = None
        self.paused = state.record.paused
        self.draining = False
        self.trouble: CcrError | None = None
        self.refreshed_at = 0.0
        self._links = Links(
            self._source,
            self._target,
            config.limits,
            committed=self._committed,
            limiter=limiter,
            may_fetch=lambda: not (self.paused or self.draining),
            leader_moved=self._leader_moved,
        )

    # life

    async def run(self) -> None:
        """Mirror until cancelled; raises an ExceptionGroup with SupersededError when taken over."""
        async with asyncio.TaskGroup() as tasks:
            self._links.tasks = tasks
            tasks.create_task(self._checkpoint_loop())
            tasks.create_task(self._resync_loop())
            tasks.create_task(self._refresh_loop())

    async def drain(self) -> None:
        """Stop fetching and wait until everything in flight is acknowledged."""
        self.draining = True
        self._links.recheck(self._board.partitions.values())
        while not all(partition.idle for partition in self._board.partitions.values()):
            await asyncio.sleep(0.02)

    async def finish(self) -> None:
        """Write the last checkpoints and give the flow up."""
        dirty, self._dirty = list(self._dirty), {}
        await self._state.release(self._entries(dirty))

    @property
    def troubles(self) -> list[CcrError]:
        """What keeps the flow from both clusters at the moment."""
        own = [self.trouble] if self.trouble else []
        return own + self._links.troubles

    # commands

    async def set_paused(self, paused: bool) -> None:
        """Pause or resume, and remember it in the state topic."""
        await self._state.append([("paused", {"paused": paused, "at": time.time()})])
        self.paused = paused
        for partition in self._board.partitions.values():
            if partition.state == PartitionState.STOPPED:
                continue
            if not paused:
                self._enqueue_resync([partition])
            elif partition.idle:
                partition.halt(PartitionState.PAUSED)
        self._links.recheck(self._board.partitions.values())

    def retry(self, topic: str | None, number: int | None) -> int:
        """Start stopped partitions again; return how many."""
        stopped = [
            partition
            for partition in self._board.partitions.values()
            if partition.state == PartitionState.STOPPED
            and topic in (None, partition.topic)
            and number in (None, partition.partition)
        ]
        for partition in stopped:
            partition.set_state(PartitionState.STARTING)
        self._refused_topics.clear()
        self._merge_limits.clear()
        self._enqueue_resync(partition for partition in stopped if partition.positioned)
        self._refresh_now.set()
        return len(stopped)

    # what partitions tell (see partition.Listener)

    def changed(self, partition: MirrorPartition) -> None:
        """Progress or state changed."""
        self._dirty[partition] = None

    def has_work(self, partition: MirrorPartition) -> None:
        """An append was queued."""
        self._links.has_work(partition)

    def holds(self, partition: MirrorPartition, delta: int) -> None:
        """A partition holds more or fewer bytes."""
        self._links.holds(partition, delta)

    def released(self, partition: MirrorPartition) -> None:
        """Bytes were let go."""
        if self.paused and partition.idle:
            partition.halt(PartitionState.PAUSED)
        self._links.released(partition)

    def needs_resync(self, partition: MirrorPartition, sequence_refused: bool) -> None:
        """A partition failed and has nothing in flight any more."""
        self._sequence_refused |= sequence_refused
        self._enqueue_resync([partition])

    def out_of_range(self, partition: MirrorPartition) -> None:
        """The source refused an offset."""
        if self._links.tasks is not None:
            self._links.tasks.create_task(self._explain_gap(partition))

    def stranger_wrote(self, partition: MirrorPartition, expected: int, actual: int) -> None:
        """Somebody else writes into a mirror partition."""
        subject = f"{self._name}/{partition.topic}/{partition.partition}"
        self._events.emit(
            Severity.WARNING,
            subject,
            f"{actual - expected} records at offsets {expected} to {actual - 1} of "
            f"{partition.target_topic} are not this flow's; the offset map stays right",
            "Find out who writes into the mirror topic",
        )

    def _leader_moved(self) -> None:
        self._refresh_now.set()

    def _enqueue_resync(self, partitions: Iterable[MirrorPartition]) -> None:
        for partition in partitions:
            self._resync[partition] = None
        self._resync_now.set()

    # discovery

    async def _refresh_loop(self) -> None:
        backoff = Backoff(0.2, self._config.topic_refresh)
        while True:
            self._refresh_now.clear()
            try:
                await self._refresh()
                self.trouble = None
                self.refreshed_at = time.time()
                backoff.reset()
            except (ConnectError, KafkaError, ConnectionLostError) as error:
                self.trouble = (
                    error
                    if isinstance(error, CcrError)
                    else ConnectError("looking at", f"flow {self._name}", str(error))
                )
                await backoff.sleep()
                continue
            await asyncio.sleep(REFRESH_SPACING_S)
            await _wait(self._refresh_now, self._config.topic_refresh - REFRESH_SPACING_S)

    async def _refresh(self) -> None:
        source = await self._source.metadata()
        selected = self._selector.select(source.topics.values())
        names = {topic: self._selector.target_name(topic) for topic in selected}
        target = (
            await self._target.metadata(names.values())
            if names
            else await self._target.metadata([])
        )
        target = await self._ensure_topics(selected, names, target)
        self._source_metadata, self._target_metadata = source, target
        new = self._adopt(selected, names)
        if new:
            await self._place(new, source, target)
        self._note_gone(source, selected)
        self._links.assign(self._board.partitions.values(), source, target)
        self._resync_now.set()
        await self._observe_inactive(source)

    async def _ensure_topics(
        self, selected: dict[str, TopicMetadata], names: dict[str, str], target: ClusterMetadata
    ) -> ClusterMetadata:
        wanted = {
            topic: meta for topic, meta in selected.items() if topic not in self._refused_topics
        }
        lacking = [
            topic
            for topic, meta in wanted.items()
            if len(meta.partitions)
            > len(target.topics[names[topic]].partitions if names[topic] in target.topics else ())
        ]
        if lacking:
            refused = await self._topics.ensure({t: wanted[t] for t in lacking}, names, target)
            for topic, error in refused.items():
                if not error.retriable:
                    self._refused_topics[topic] = str(error)
                self._events.emit(
                    Severity.ERROR, f"{self._name}/{topic}", str(error), "Then ccr retry"
                )
            target = await self._target.metadata(names.values())
            self._refresh_now.set()  # leaders may not be elected yet: look again soon
        unknown = [names[topic] for topic in selected if names[topic] not in self._merge_limits]
        if unknown:
            for name, config in (await topic_configs(self._target, unknown)).items():
                size = int(config.values.get("max.message.bytes", DEFAULT_MAX_MESSAGE_BYTES))
                self._merge_limits[name] = min(MERGE_LIMIT_BYTES, size - MERGE_HEADROOM_BYTES)
        return target

    def _adopt(
        self, selected: dict[str, TopicMetadata], names: dict[str, str]
    ) -> list[MirrorPartition]:
        """Put partitions on the board that are not there yet; return all that have no position."""
        for topic, metadata in selected.items():
            for number in metadata.partitions:
                if (topic, number) not in self._board.partitions:
                    partition = MirrorPartition((topic, number), names[topic], self)
                    self._board.add(partition)
                    if load_checkpoint(partition, self._state.record):
                        checkpoint = self._state.record.checkpoints[partition.key]
                        self._writer.loaded(partition.key, checkpoint.sealed)
                        if partition.state != PartitionState.STOPPED:
                            self._enqueue_resync([partition])
        return [p for p in self._board.partitions.values() if not p.positioned]

    async def _place(
        self, new: list[MirrorPartition], source: ClusterMetadata, target: ClusterMetadata
    ) -> None:
        for partition in new:
            why = self._refused_topics.get(partition.topic)
            if why is not None:
                partition.stop(why, "Remove the cause, then ccr retry")
        new = [partition for partition in new if partition.topic not in self._refused_topics]
        if not new:
            return
        first_time = not self._state.record.checkpoints and not self._announced
        placed = await self._start_policy.place(new, source, target, first_time=first_time)
        # On record before the first append: a crash must find the same beginning.
        await self._state.append(self._entries(placed))
        self._announced.update(partition.key for partition in placed)
        for partition in set(new) - set(placed):
            partition.wait("a leader is missing on the source or the target")
        self._announce(placed)
        self._enqueue_resync(placed)

    def _announce(self, placed: list[MirrorPartition]) -> None:
        topics: dict[str, list[MirrorPartition]] = {}
        for partition in placed:
            topics.setdefault(partition.topic, []).append(partition)
        for topic, partitions in topics.items():
            there = sum(partition.acked.target for partition in partitions)
            note = (
                f"; its mirror already reaches offset {there}, records go after that"
                if there
                else ""
            )
            self._events.emit(
                Severity.WARNING if there else Severity.INFO,
                f"{self._name}/{topic}",
                f"mirroring {len(partitions)} new partition{'s' * (len(partitions) > 1)}{note}",
            )

    def _note_gone(self, source: ClusterMetadata, selected: dict[str, TopicMetadata]) -> None:
        for partition in self._board.partitions.values():
            topic = selected.get(partition.topic)
            known = source.topics.get(partition.topic)
            gone = topic is None or partition.partition not in topic.partitions
            if (
                gone
                and (known is None or not known.error)
                and partition.state != PartitionState.STOPPED
            ):
                partition.stop(
                    f"the source has no {partition.topic}/{partition.partition} any more",
                    "The mirror is kept as it is; if the topic comes back, ccr retry",
                )
                self._events.emit(
                    Severity.WARNING,
                    f"{self._name}/{partition.topic}",
                    "the source topic is gone; its mirror is kept",
                )

    async def _observe_inactive(self, source: ClusterMetadata) -> None:
        inactive = {
            partition.key: LATEST
            for partition in self._board.partitions.values()
            if partition.state != PartitionState.RUNNING
        }
        if not inactive:
            return
        isolation = fetch.READ_COMMITTED if self._committed else fetch.READ_UNCOMMITTED
        ends = await self._source.list_offsets(inactive, source, isolation=isolation)
        now = time.time()
        for key, end in ends.items():
            self._board.partitions[key].observe_end(end, now)

    async def _explain_gap(self, partition: MirrorPartition) -> None:
        if self._source_metadata is None:
            return
        position = partition.acked.source
        try:
            low = await self._source.list_offsets({partition.key: EARLIEST}, self._source_metadata)
            high = await self._source.list_offsets({partition.key: LATEST}, self._source_metadata)
        except CcrError as error:
            partition.wait(str(error))
            self._enqueue_resync([partition])
            return
        start, end = low.get(partition.key), high.get(partition.key)
        if start is None or end is None or start <= position <= end:
            self._enqueue_resync([partition])
            return
        why = (
            f"retention overtook replication: offsets {position} to {start - 1} are gone from the source"
            if position < start
            else f"the source ends at offset {end}, before {position}: truncated, or deleted and created anew"
        )
        partition.stop(why, "Decide what to do with the mirror; see docs/reliability.md")
        self._events.emit(
            Severity.ERROR, f"{self._name}/{partition.topic}/{partition.partition}", why
        )

    # after a start or a failure

    async def _resync_loop(self) -> None:
        backoff = Backoff(RESYNC_SPACING_S, 2.0)
        while True:
            await self._resync_now.wait()
            self._resync_now.clear()
            if self._target_metadata is None or not self._resync or self.paused:
                continue
            try:
                if self._sequence_refused:
                    await self._state.append([])  # raises SupersededError when we are not the owner
                    self._sequence_refused = False
                again = await self._resync_all()
            except (ConnectError, KafkaError, ConnectionLostError) as error:
                log.info("%s: looking at the target failed: %s", self._name, error)
                again = True
            if again:
                self._refresh_now.set()
                await backoff.sleep()
                self._resync_now.set()
            else:
                backoff.reset()

    async def _resync_all(self) -> bool:
        """Look at the target for all that wait for it; return whether some must wait on."""
        identity = self._state.record.identity
        if identity is None or self._target_metadata is None:
            return True
        target = self._target_metadata
        waiting = [
            partition
            for partition in self._resync
            if partition.positioned and partition.state != PartitionState.STOPPED
        ]
        outcomes = await Resync(self._target, target, identity.producer_id).run(waiting)
        again = False
        for partition, outcome in outcomes.items():
            del self._resync[partition]
            if isinstance(outcome, NotYet):
                partition.wait(outcome.why)
                self._resync[partition] = None
                again = True
            elif isinstance(outcome, Lost):
                partition.stop(
                    outcome.why, "Compare the mirror with the source; see docs/reliability.md"
                )
            else:
                limit = self._merge_limits.get(partition.target_topic, MERGE_LIMIT_BYTES)
                producer = identity.producer_id, identity.producer_epoch
                partition.begin(producer, outcome, limit)
                self._links.check(partition)
        for partition in [p for p in self._resync if p.state == PartitionState.STOPPED]:
            del self._resync[partition]
        return again or any(
            target.leader(*partition.target_key) == NO_LEADER for partition in self._resync
        )

    # checkpoints

    async def _checkpoint_loop(self) -> None:
        written_at = time.monotonic()
        while True:
            await asyncio.sleep(self._config.checkpoint_interval)
            if not self._dirty and time.monotonic() - written_at < HEARTBEAT_S:
                continue
            dirty, self._dirty = list(self._dirty), {}
            try:
                await self._state.append(self._entries(dirty))
                written_at = time.monotonic()
            except SupersededError:
                raise
            except (CcrError, ConnectionLostError) as error:
                self._dirty = dict.fromkeys(dirty) | self._dirty
                self.trouble = (
                    error
                    if isinstance(error, CcrError)
                    else ConnectError("writing checkpoints of", f"flow {self._name}", str(error))
                )

    def _entries(self, partitions: Iterable[MirrorPartition]) -> list[Entry]:
        return [
            entry
            for partition in partitions
            if partition.positioned
            for entry in self._writer.entries(partition)
        ]


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await event.wait()
    except TimeoutError:
        return
