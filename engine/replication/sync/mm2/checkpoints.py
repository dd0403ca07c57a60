"""Checkpoints out of the groups' translation, for MirrorMaker 2's clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from engine.api.group_snapshots import GroupSnapshot
from engine.kafka.fetch import TopicPartition
from engine.replication.sync.groups.syncer import GroupSyncer
from engine.replication.sync.groups.view import GroupsView
from engine.replication.sync.mm2 import names
from engine.replication.sync.mm2.formats import Checkpoint
from engine.replication.sync.mm2.presence import Presence
from engine.replication.sync.mm2.topic import Mm2Topic
from engine.replication.sync.syncer import Outcome, SyncContext

QUIET_S = 300.0  # MirrorMaker 2 writes, each minute, those that have changed
READ_BACK = 20_000  # offsets


class Checkpoints:
    """Writes `<source>.checkpoints.internal` on the target, those that have changed."""

    name = "mm2 checkpoints"

    def __init__(
        self, context: SyncContext, presence: Presence, groups: GroupSyncer | None
    ) -> None:
        """`groups` keeps the flow's groups in step; without it, they are only looked at."""
        self.interval = context.config.groups.interval
        self._presence = presence
        self._groups = groups
        self._view = GroupsView(context, lambda: context.record)
        self._partitions = context.board.partitions
        self._topic = Mm2Topic(
            context.target,
            names.checkpoints(context.config.source),
            context.flow,
            setting="mm2.checkpoints",
            quiet_seconds=QUIET_S,
            read_back=READ_BACK,
            is_ours=self._is_ours,
        )
        self._mirrors: set[TopicPartition] = set()
        self._standing: dict[bytes, bytes] = {}  # what readers know

    def _is_ours(self, key: bytes) -> bool:
        try:
            _, topic, partition = Checkpoint.place(key)
        except ValueError:
            return False
        return (topic, partition) in self._mirrors

    async def sync_once(self) -> Outcome:
        """Write those that have changed."""
        if not self._partitions:
            return Outcome()  # whose keys are ours is not known yet
        await self._presence.look()
        self._mirrors = {each.target_key for each in self._partitions.values()}
        rows = await self._topic.look()
        if self._topic.anew:
            self._standing.clear()
        self._standing.update(rows)
        if self._topic.in_the_way is not None:
            return Outcome(left=[self._topic.in_the_way])
        page = await self._view.page(self._groups.page if self._groups else None)
        wanted: dict[bytes, bytes] = {}
        for group in page.groups:
            wanted |= {each.key(): each.value() for each in checkpoints(group)}
            await asyncio.sleep(0)
        due = [(key, value) for key, value in wanted.items() if self._standing.get(key) != value]
        await self._topic.write(due)
        self._standing = wanted
        return Outcome(changes=len(due))

    def close(self) -> None:
        """Let go of the connections."""
        self._topic.close()
        self._view.close()


def checkpoints(group: GroupSnapshot) -> Iterator[Checkpoint]:
    """Yield what is translated, while the source still has the group."""
    for row in group.partitions:
        if row.source_offset is not None and row.translated is not None:
            place = group.name, row.target_topic, row.partition
            yield Checkpoint(*place, row.source_offset, row.translated, row.metadata)
