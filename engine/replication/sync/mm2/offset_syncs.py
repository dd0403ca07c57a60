"""Offset syncs out of the offset map, for MirrorMaker 2's checkpoint connector and others."""

from __future__ import annotations

from engine.config.sync_sections import OffsetSyncsOn
from engine.kafka.fetch import TopicPartition
from engine.replication.offset_map import OffsetMap
from engine.replication.partition import MirrorPartition
from engine.replication.sync.mm2 import names
from engine.replication.sync.mm2.formats import OffsetSync
from engine.replication.sync.mm2.presence import Presence
from engine.replication.sync.mm2.sampling import ALL, pairs_after
from engine.replication.sync.mm2.topic import Mm2Topic
from engine.replication.sync.syncer import Outcome, SyncContext

INTERVAL_S = 1.0
QUIET_S = 300.0  # MirrorMaker 2 writes them only where records flow
READ_BACK = 50_000  # offsets
MOST_PAIRS = 2_000  # a round, and what the partition that reaches it adds

Pair = tuple[int, int]


class OffsetSyncs:
    """Writes `mm2-offset-syncs.….internal`, on the source or on the target."""

    name = "mm2 offset syncs"
    interval = INTERVAL_S

    def __init__(self, context: SyncContext, presence: Presence) -> None:
        self._presence = presence
        flow, on_source = context.config, context.config.mm2.offset_syncs == OffsetSyncsOn.SOURCE
        self._partitions = context.board.partitions
        self._topic = Mm2Topic(
            context.source if on_source else context.target,
            names.offset_syncs(flow.target if on_source else flow.source),
            context.flow,
            setting="mm2.offset_syncs",
            quiet_seconds=QUIET_S,
            read_back=READ_BACK,
            is_ours=self._is_ours,
        )
        self._standing: dict[TopicPartition, Pair] = {}  # the newest that readers know
        self._looked_at: dict[TopicPartition, int] = {}  # target offset up to which all is written
        self._turn = 0

    def _is_ours(self, key: bytes) -> bool:
        try:
            return OffsetSync.place(key) in self._partitions
        except ValueError:
            return False

    async def sync_once(self) -> Outcome:
        """Write what is new."""
        if not self._partitions:
            return Outcome()  # whose keys are ours is not known yet
        await self._presence.look()
        rows = await self._topic.look()
        if self._topic.anew:
            self._standing.clear()
            self._looked_at.clear()
        for key, value in rows:
            self._learn(key, value)
        if self._topic.in_the_way is not None:
            return Outcome(left=[self._topic.in_the_way])
        due = self._due()
        try:
            await self._topic.write([(sync.key(), sync.value()) for sync in due])
        except BaseException:
            self._looked_at.clear()
            raise
        for sync in due:
            self._standing[sync.topic, sync.partition] = sync.upstream, sync.downstream
        return Outcome(changes=len(due))

    def _learn(self, key: bytes, value: bytes) -> None:
        try:
            sync = OffsetSync.parse(key, value)
        except ValueError:
            return  # no business of ours: readers pass over it as well
        self._standing[sync.topic, sync.partition] = sync.upstream, sync.downstream
        self._looked_at.pop((sync.topic, sync.partition), None)

    def _due(self) -> list[OffsetSync]:
        """Return what is new; where that is too much for a round, the next goes on there."""
        due: list[OffsetSync] = []
        partitions = list(self._partitions.values())
        turn, self._turn = self._turn, 0
        for number, partition in enumerate([*partitions[turn:], *partitions[:turn]], turn):
            end = partition.acked.target
            if not partition.positioned or self._looked_at.get(partition.key) == end:
                continue
            due += [OffsetSync(*partition.key, *pair) for pair in self._pairs(partition)]
            self._looked_at[partition.key] = end
            if len(due) >= MOST_PAIRS:
                self._turn = (number + 1) % len(partitions)
                break
        return due

    def _pairs(self, partition: MirrorPartition) -> list[Pair]:
        begin = where_to_begin(
            partition.offset_map, self._standing.get(partition.key), complete=self._topic.complete
        )
        return [] if begin is None else pairs_after(partition.offset_map, begin)

    def close(self) -> None:
        """Let go of the connection."""
        self._topic.close()


def where_to_begin(offset_map: OffsetMap, standing: Pair | None, *, complete: bool) -> int | None:
    """Return the source offset behind which pairs are to be written (ALL), None for nowhere.

    `standing` is the newest pair that readers know; without one, `complete` says whether there is
    surely none. A pair before one that they know makes MirrorMaker 2's store forget all it has of
    the partition: right when the history changed, a loss otherwise.
    """
    last = offset_map.last_run()
    if last is None or not last[2]:
        return None
    first, target, length = last
    newest = first + length - 1, target + length - 1
    if standing is None:
        return ALL if complete else newest[0] - 1
    if newest[0] > standing[0]:
        unchanged = offset_map.record_before(standing[0]) == standing
        # Of what is older than what the map knows exactly nothing else is known.
        older = standing[0] < (offset_map.exact_since or 0)
        return standing[0] if unchanged or older else ALL
    # Behind what was written: after a restart for a moment, or the source has another history.
    return ALL if newest[1] > standing[1] else None
