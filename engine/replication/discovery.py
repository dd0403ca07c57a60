"""What there is to mirror: topics and partitions of the source, their mirrors, their positions.

Looked up anew every `topic_refresh`, and at once when a broker says that a leader moved.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

from engine.api.snapshots import PartitionState, Severity
from engine.config.flow_section import FlowConfig, OnRecreate
from engine.config.matching import TooSlowError
from engine.errors import CcrError, KafkaError
from engine.kafka import fetch
from engine.kafka.cluster import LATEST, Cluster
from engine.kafka.codes import Code
from engine.kafka.fetch import TopicPartition
from engine.kafka.metadata import NO_TOPIC_ID, ClusterMetadata, TopicMetadata
from engine.kafka.topic_configs import topic_configs
from engine.replication.board import Board
from engine.replication.events import Events
from engine.replication.identical.aligner import Aligner
from engine.replication.identical.identity import IDENTICAL, note_beginning, offsets_of
from engine.replication.partition import Listener, MirrorPartition, Progress
from engine.replication.positions import StartPolicy, load_checkpoint
from engine.replication.pump import MERGE_LIMIT_BYTES
from engine.replication.seen_ends import remembered
from engine.replication.state_records import FlowRecord
from engine.replication.topics.agreed import AgreedConfigs
from engine.replication.topics.mirrors import Mirrors
from engine.replication.topics.selection import TopicSelector
from engine.replication.troubles import Began

MERGE_HEADROOM_BYTES = 8 * 1024  # a merged batch may pass its limit by one tiny batch and a header
DEFAULT_MAX_MESSAGE_BYTES = 1_048_588

Side = Literal["source", "target"]


class Discovery:
    """Puts a flow's partitions on its board and gives them their positions."""

    def __init__(
        self,
        name: str,
        config: FlowConfig,
        clusters: tuple[Cluster, Cluster],
        record: FlowRecord,
        board: Board,
        events: Events,
        listener: Listener,
        persist: Callable[[Iterable[MirrorPartition]], Awaitable[None]],
        aligner: Aligner | None,
        agreed: AgreedConfigs,
    ) -> None:
        """`persist` writes checkpoints of new partitions before their first append.

        `aligner`: where offsets are to be identical. `agreed` takes in the configs that mirrors are
        created with.
        """
        self._name = name
        self._source, self._target = clusters
        self._record = record
        self._board = board
        self._events = events
        self._listener = listener
        self._persist = persist
        self._aligner = aligner
        self._agreed = agreed
        self._config = config
        self._selector = TopicSelector(config)
        self._mirrors = Mirrors(name, config, self._source, self._target)
        self._start_policy = StartPolicy(config, self._source, self._target)
        self._isolation = (
            fetch.READ_COMMITTED if config.isolation == "read_committed" else fetch.READ_UNCOMMITTED
        )
        self._first_time = not record.checkpoints
        self._refused: dict[str, str] = {}  # source topic → why its mirror cannot be made
        self._merge_limits: dict[str, int] = {}  # by target topic
        self._remembered: set[TopicPartition] = set()  # on the board before the source was reached
        self._missing: set[MirrorPartition] = set()  # not listed by the source at the last look
        self._mirrors_missing: set[str] = set()  # nor these by the target
        self.replaced: dict[MirrorPartition, Side] = {}  # whose topic is another one now
        self.trouble: TooSlowError | None = None  # why topics cannot be selected
        self.source: ClusterMetadata | None = None
        self.target: ClusterMetadata | None = None

    def merge_limit(self, target_topic: str) -> int:
        """Return how large a merged batch may be, bytes."""
        return self._merge_limits.get(target_topic, MERGE_LIMIT_BYTES)

    def forget_refusals(self) -> None:
        """Try again what was refused, and read the mirrors' limits anew."""
        self._refused.clear()
        self._selector.forget_failures()
        self._merge_limits.clear()

    def remember(self) -> None:
        """Put on an empty board what the state topic knows, as the source cannot be asked."""
        if not self._board.partitions:
            for key, partition in remembered(self._record, self._selector, self._listener):
                self._board.add(partition)
                self._remembered.add(key)

    async def look(self) -> list[MirrorPartition]:
        """Look at both clusters once; return the partitions that can start now.

        Raises ConnectError and KafkaError.
        """
        source = await self._source.metadata()
        selected = await self._select(source)
        names = {topic: self._selector.target_name(topic) for topic in selected}
        target = await self._target.metadata(names.values())
        self._refuse_one_cluster(source, target)
        self._note_deleted_mirrors(names, target)
        target = await self._ensure_mirrors(selected, names, target)
        await self._read_limits(names.values())
        self.source, self.target = source, target
        ready = self._adopt(selected, names)
        self._compare_ids(source, target)
        ready = [partition for partition in ready if partition not in self.replaced]
        ready += await self._place(source, target)
        self._note_gone(source, selected)
        await self._observe_inactive(source)
        return ready

    async def _select(self, source: ClusterMetadata) -> dict[str, TopicMetadata]:
        """Return the selected topics; when regexes are too slow, those that there are already."""
        try:
            selected = await self._selector.select(source.topics.values())
        except TooSlowError as error:
            self.trouble = error
            present = {partition.topic for partition in self._board.partitions.values()}
            present |= {topic for topic, _ in self._record.checkpoints}
            return {name: source.topics[name] for name in sorted(present & source.topics.keys())}
        self.trouble = None
        return selected

    def _refuse_one_cluster(self, source: ClusterMetadata, target: ClusterMetadata) -> None:
        if source.cluster_id and source.cluster_id == target.cluster_id:
            raise KafkaError(
                "looking at clusters",
                f"{self._source.name} and {self._target.name}",
                f"they are one and the same (cluster id {source.cluster_id}): records would go "
                "round and round",
                "Correct bootstrap_servers",
            )

    async def _ensure_mirrors(
        self,
        selected: dict[str, TopicMetadata],
        names: dict[str, str],
        target: ClusterMetadata,
    ) -> ClusterMetadata:
        lacking = {}
        for topic, metadata in selected.items():
            mirror = target.topics.get(names[topic])
            have = len(mirror.partitions) if mirror else 0
            if names[topic] in self._mirrors_missing:
                continue
            if topic not in self._refused and have < len(metadata.partitions):
                lacking[topic] = metadata
        if not lacking:
            return target
        refused = await self._mirrors.ensure(lacking, names, target, self._agreed)
        for topic, error in refused.items():
            self._note_refusal(topic, error)
        return await self._target.metadata(names.values())

    def _note_refusal(self, topic: str, error: CcrError) -> None:
        if not error.retriable:
            self._refused[topic] = str(error)
        self._events.emit(
            Severity.ERROR, f"{self._name}/{topic}", str(error), "Remove the cause, then ccr retry"
        )

    async def _read_limits(self, targets: Iterable[str]) -> None:
        unknown = [name for name in targets if name not in self._merge_limits]
        if not unknown:
            return
        configs = await topic_configs(self._target, unknown, ["max.message.bytes"])
        for name, config in configs.items():
            size = int(config.values.get("max.message.bytes", DEFAULT_MAX_MESSAGE_BYTES))
            self._merge_limits[name] = min(MERGE_LIMIT_BYTES, size - MERGE_HEADROOM_BYTES)

    def _adopt(
        self, selected: dict[str, TopicMetadata], names: dict[str, str]
    ) -> list[MirrorPartition]:
        """Put partitions on the board that are not there yet; return those with a checkpoint."""
        ready = []
        for topic, metadata in selected.items():
            for number in metadata.partitions:
                key = topic, number
                if key in self._board.partitions and key not in self._remembered:
                    continue
                self._remembered.discard(key)
                partition = MirrorPartition((topic, number), names[topic], self._listener)
                self._board.add(partition)
                if load_checkpoint(partition, self._record):
                    note_beginning(partition, identical=self._aligner is not None)
                    ready.append(partition)
        return [partition for partition in ready if partition.state != PartitionState.STOPPED]

    async def _place(
        self, source: ClusterMetadata, target: ClusterMetadata
    ) -> list[MirrorPartition]:
        if self._aligner is not None:
            await self._aligner.beginnings.tidy()
        new = [p for p in self._board.partitions.values() if not (p.positioned or p.aligning)]
        for partition in new:
            if partition.topic in self._refused:
                partition.stop(self._refused[partition.topic], "Remove the cause, then ccr retry")
        new = [partition for partition in new if partition.topic not in self._refused]
        if not new:
            self._first_time = False
            return []
        found = await self._start_policy.find(new, source, target, first_time=self._first_time)
        begin = {partition: Began(at.source, at.target) for partition, at in found.items()}
        if self._aligner is not None:
            decision = self._aligner.decide(found)
            begin = decision.begin
            await self._aligner.submit(decision.align)
        placed = await self._begin(begin, source, target)
        for partition in set(new) - found.keys():
            partition.wait("a leader is missing on the source or the target")
        self._first_time = self._first_time and len(found) < len(new)
        self._announce(placed)
        return placed

    async def _begin(
        self,
        begin: dict[MirrorPartition, Began],
        source: ClusterMetadata,
        target: ClusterMetadata,
    ) -> list[MirrorPartition]:
        for partition, began in begin.items():
            partition.acked = Progress(began.source, began.target, 0)
            partition.positioned = True
            partition.history.source_id = source.topic_id(partition.topic)
            partition.history.target_id = target.topic_id(partition.target_topic)
            partition.history.began = began if self._aligner is not None else None
        try:
            # On record before the first append: after a crash the same beginning must be found.
            await self._persist(begin)
        except BaseException:
            for partition in begin:
                partition.positioned = False
            raise
        return list(begin)

    def _announce(self, placed: list[MirrorPartition]) -> None:
        topics: dict[str, list[MirrorPartition]] = {}
        for partition in placed:
            topics.setdefault(partition.topic, []).append(partition)
        for topic, partitions in topics.items():
            # A mirror whose offsets are its source's was empty.
            there = sum(p.acked.target for p in partitions if offsets_of(p) != IDENTICAL)
            text = f"mirroring {len(partitions)} new partition{'s' * (len(partitions) > 1)}"
            if there:
                text += f"; the mirror holds {there} records already, ours go after them"
            self._events.emit(
                Severity.WARNING if there else Severity.INFO, f"{self._name}/{topic}", text
            )

    def _note_gone(self, source: ClusterMetadata, selected: dict[str, TopicMetadata]) -> None:
        missing = {
            partition
            for partition in self._board.partitions.values()
            if partition.state != PartitionState.STOPPED
            and _is_gone(partition, source, selected.get(partition.topic))
        }
        # Twice in a row: a broker that just started may not know all topics yet.
        certain, self._missing = missing & self._missing, missing
        gone: dict[str, int] = {}
        for partition in certain:
            why = f"the source has no {partition.topic}/{partition.partition} any more"
            if self._config.on_recreate == OnRecreate.RESTART:
                self._missing.discard(partition)
                if partition.reason is None or partition.reason.text != why:
                    partition.wait(why, "The mirror is kept; when the topic is back, it goes on")
                    gone[partition.topic] = gone.get(partition.topic, 0) + 1
                continue
            partition.stop(why, "The mirror is kept as it is; when the topic is back, ccr retry")
            gone[partition.topic] = gone.get(partition.topic, 0) + 1
        for name, count in gone.items():
            self._events.emit(
                Severity.WARNING,
                f"{self._name}/{name}",
                f"{count} partitions are gone from the source; their mirrors are kept",
            )

    def _note_deleted_mirrors(self, names: dict[str, str], target: ClusterMetadata) -> None:
        """A mirror that was there and is no more: somebody deleted it, and not for us to refill."""
        held: dict[str, list[MirrorPartition]] = {}
        for partition in self._board.partitions.values():
            if partition.positioned and not partition.accepts:
                held.setdefault(partition.target_topic, []).append(partition)
        missing = {name for name in held if _is_unknown(name, target)} & set(names.values())
        # Twice in a row, as for the source; meanwhile it is not created again.
        certain, self._mirrors_missing = missing & self._mirrors_missing, missing
        for name in certain:
            for partition in held[name]:
                if partition.state != PartitionState.STOPPED:
                    partition.stop(
                        f"the mirror topic {name} was deleted on the target",
                        "ccr retry --accept creates it again and mirrors from the beginning",
                        acceptable=True,
                    )

    def _compare_ids(self, source: ClusterMetadata, target: ClusterMetadata) -> None:
        """Find partitions whose topic was deleted and created anew, on either side."""
        for partition in self._board.partitions.values():
            if not partition.positioned or partition.state == PartitionState.STOPPED:
                continue
            history = partition.history
            source_id = source.topic_id(partition.topic)
            target_id = target.topic_id(partition.target_topic)
            if history.source_id == NO_TOPIC_ID:
                history.source_id = source_id
            if history.target_id == NO_TOPIC_ID:
                history.target_id = target_id
            if source_id not in (NO_TOPIC_ID, history.source_id):
                self._replace(partition, "source")
            elif target_id not in (NO_TOPIC_ID, history.target_id):
                self._replace(partition, "target")

    def _replace(self, partition: MirrorPartition, side: Side) -> None:
        topic = partition.topic if side == "source" else partition.target_topic
        partition.wait(f"topic {topic} was deleted and created anew on the {side}")
        self.replaced[partition] = side

    async def _observe_inactive(self, source: ClusterMetadata) -> None:
        """Partitions that are not fetched still get their source end, so that their lag shows."""
        inactive = {
            partition.key: LATEST
            for partition in self._board.partitions.values()
            if partition.state != PartitionState.RUNNING
        }
        if not inactive:
            return
        ends = await self._source.list_offsets(inactive, source, isolation=self._isolation)
        now = time.time()
        for key, end in ends.items():
            self._board.partitions[key].observe_end(end, now)


def _is_unknown(topic: str, cluster: ClusterMetadata) -> bool:
    """Whether a cluster, asked without errors, says that it has no such topic."""
    known = cluster.topics.get(topic)
    return known is None or known.error == Code.UNKNOWN_TOPIC_OR_PARTITION


def _is_gone(
    partition: MirrorPartition, source: ClusterMetadata, topic: TopicMetadata | None
) -> bool:
    """Whether the source, asked without errors, does not list a partition."""
    known = source.topics.get(partition.topic)
    if known is not None and known.error:
        return False
    return topic is None or partition.partition not in topic.partitions
