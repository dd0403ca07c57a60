"""Deletes mirrors after their source topics were deleted; only with `sync.deletions`.

Only what is certain: the source, asked for the topic by name, says that there is none (a topic that
we may not see is answered otherwise), in several looks one after the other; the mirror is the very
topic that this flow made, and holds nothing but this flow's records.
"""

from __future__ import annotations

from engine.api.snapshots import OutOfStep, Severity
from engine.config.flow_section import Offsets
from engine.kafka.cluster import LATEST
from engine.kafka.codes import Code
from engine.kafka.metadata import NO_TOPIC_ID, ClusterMetadata
from engine.kafka.topics import delete_topics
from engine.replication.checkpoints import forgotten
from engine.replication.partition import MirrorPartition
from engine.replication.state_records import Entry
from engine.replication.sync.syncer import Outcome, SyncContext

NAME = "deletions"
LOOKS = 3  # that have to agree


class DeletionSync:
    """A flow's deletions."""

    name = NAME

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self.interval = context.config.topic_refresh
        self._missing: dict[str, int] = {}  # topic to looks in which it was not there

    async def sync_once(self) -> Outcome:
        """Look which sources are gone; delete the mirrors of those that surely are."""
        context = self._context
        topics: dict[str, list[MirrorPartition]] = {}
        for partition in context.board.partitions.values():
            if partition.positioned:
                topics.setdefault(partition.topic, []).append(partition)
        listed = await context.source.metadata()
        gone = [topic for topic in topics if topic not in listed.topics]
        asked = await context.source.metadata(gone) if gone else listed
        outcome = Outcome()
        looks: dict[str, int] = {}
        for topic in gone:
            if not _is_unknown(topic, asked):
                text = "it is not listed, and the source does not say that it is gone"
                outcome.left.append(OutOfStep(f"topic {topic}", text, "Grant DESCRIBE on it"))
                continue
            looks[topic] = self._missing.get(topic, 0) + 1
            if looks[topic] >= LOOKS:
                await self._delete(topic, topics[topic], outcome)
        self._missing = looks
        return outcome

    async def _delete(
        self, topic: str, partitions: list[MirrorPartition], outcome: Outcome
    ) -> None:
        context = self._context
        name = partitions[0].target_topic
        why = await self._not_ours(name, partitions)
        if why is None:
            refused = await delete_topics(context.target, [name])
            if not refused:
                await self._forget(partitions)
                outcome.changes += 1
                context.events.emit(
                    Severity.WARNING,
                    f"{context.flow}/{topic}",
                    f"deleted mirror topic {name}: its source topic was deleted (sync.deletions)",
                )
                return
            why = refused[name].cause
            step = refused[name].next_step
        else:
            step = "Delete it yourself if it is no longer needed"
        text = f"its source topic is gone, the mirror is kept: {why}"
        outcome.left.append(OutOfStep(f"topic {name}", text, step))

    async def _not_ours(self, name: str, partitions: list[MirrorPartition]) -> str | None:
        """Return why a mirror may not be deleted, or None."""
        target = await self._context.target.metadata([name])
        known = target.topics.get(name)
        if known is None or known.error != Code.NONE:
            return "the target does not show it"
        ids = {partition.history.target_id for partition in partitions}
        if ids != {known.topic_id} or NO_TOPIC_ID in ids:
            return "it cannot be told from another topic of that name"
        if {p.partition for p in partitions} < set(known.partitions):
            return "it has partitions that this flow did not write"
        ends = await self._context.target.list_offsets(
            {p.target_key: LATEST for p in partitions}, target
        )
        fillers = self._context.config.offsets == Offsets.IDENTICAL
        for partition in partitions:
            end = ends.get(partition.target_key)
            if end is None:
                return f"partition {partition.partition} has no leader"
            if not _holds_only_ours(partition, end, fillers=fillers):
                return f"partition {partition.partition} holds records that are not this flow's"
        return None

    async def _forget(self, partitions: list[MirrorPartition]) -> None:
        """Leave nothing that a later topic of that name would be taken up from."""
        entries: list[Entry] = [(f"sync/configs/{partitions[0].topic}", None)]
        for partition in partitions:
            entries += forgotten(partition)
            self._context.board.partitions.pop(partition.key, None)
            self._context.record.checkpoints.pop(partition.key, None)
        await self._context.remember(entries)


def _is_unknown(topic: str, asked: ClusterMetadata) -> bool:
    known = asked.topics.get(topic)
    return known is not None and known.error == Code.UNKNOWN_TOPIC_OR_PARTITION


def _holds_only_ours(partition: MirrorPartition, end: int, *, fillers: bool) -> bool:
    """Whether a mirror partition never held anything but this flow's records.

    `fillers`: it may begin with what made its offsets the source's.
    """
    runs = list(partition.offset_map.runs())
    if end != partition.acked.target or partition.history.foreign:
        return False
    first = runs[0][1] if runs else end
    return (fillers or first == 0) and sum(count for _, _, count in runs) == end - first
