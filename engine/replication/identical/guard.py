"""Seeing to it that what was deleted stays deleted.

A broker writes down where its logs begin once a minute (log.flush.start.offset.checkpoint.interval
.ms), and when it ends in order. One that is killed before may bring fillers back.
"""

from __future__ import annotations

import asyncio
import logging
import time

from engine.api.snapshots import Severity
from engine.errors import CcrError
from engine.kafka.cluster import EARLIEST
from engine.kafka.connection import ConnectionLostError
from engine.kafka.delete_records import delete_records
from engine.kafka.metadata import NO_TOPIC_ID, ClusterMetadata
from engine.replication.identical.topic_hold import TopicHold, put_back
from engine.replication.partition import MirrorPartition
from engine.replication.state_log import SupersededError
from engine.replication.sync.syncer import SyncContext

log = logging.getLogger(__name__)

LOOK_S = 15.0
WATCHED_S = 600.0  # after a partition began, or this engine


class StartGuard:
    """Looks at the starts of mirrors that were aligned, for a while."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._until: dict[MirrorPartition, float] = {}  # monotonic

    async def run(self) -> None:
        """Look now and then, until cancelled or superseded."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except SupersededError:
                raise
            except (CcrError, ConnectionLostError) as error:
                log.debug("looking at where mirrors begin failed: %s", error)  # next time

    async def look(self) -> None:
        """Look once; delete again what came back. Raises ConnectError and KafkaError."""
        watched = [p for p in self._context.board.partitions.values() if self._is_watched(p)]
        if not watched:
            return
        target = self._context.target
        metadata = await target.metadata({partition.target_topic for partition in watched})
        keys = [partition.target_key for partition in watched]
        starts = await target.list_offsets(dict.fromkeys(keys, EARLIEST), metadata)
        for partition in watched:
            began, start = partition.history.began, starts.get(partition.target_key)
            if began is None or start is None or start >= began.target:
                continue
            # Another topic of that name is none of ours.
            topic_id = metadata.topic_id(partition.target_topic)
            if topic_id not in (NO_TOPIC_ID, partition.history.target_id):
                continue
            await self._delete_again(partition, metadata, start, began.target)

    def _is_watched(self, partition: MirrorPartition) -> bool:
        began = partition.history.began
        if not partition.positioned or began is None or began.why or not began.target:
            return False
        now = time.monotonic()
        return now < self._until.setdefault(partition, now + WATCHED_S)

    async def _delete_again(
        self, partition: MirrorPartition, metadata: ClusterMetadata, start: int, end: int
    ) -> None:
        context, topic = self._context, partition.target_topic
        hold = TopicHold(context.target, topic, context.remember)
        connection = await context.target.data_connection(metadata.leader(*partition.target_key))
        try:
            await hold.widen()
            await delete_records(connection, partition.target_key, end)
        except (CcrError, ConnectionLostError):
            await put_back(context, {topic: hold.value})
            raise
        finally:
            connection.abort("done")
        await put_back(context, {topic: hold.value})
        context.events.emit(
            Severity.WARNING,
            f"{context.flow}/{partition.topic}/{partition.partition}",
            f"a broker that ended abruptly brought fillers back, at offsets {start} to {end - 1} "
            f"of {topic}/{partition.partition}: deleted again",
        )
