"""Heartbeats, once a second, as MirrorMaker 2's heartbeat connector writes them.

They tell that who writes them lives. A mirror of the source's, `<source>.heartbeats` on the target
(engine.replication.topics.selection), tells clients that the flow does: MirrorClient's
upstreamClusters and replicationHops go by its name alone.
"""

from __future__ import annotations

import time

from engine.config.sync_sections import HeartbeatsOn
from engine.replication.sync.mm2 import names
from engine.replication.sync.mm2.formats import Heartbeat
from engine.replication.sync.mm2.presence import Presence
from engine.replication.sync.mm2.topic import Mm2Topic
from engine.replication.sync.syncer import Outcome, SyncContext

INTERVAL_S = 1.0
QUIET_S = 10.0
READ_BACK = 100  # offsets: of more than the last seconds nothing is wanted


class Heartbeats:
    """Writes `heartbeats` on the target; on the source too where that is asked for."""

    name = "mm2 heartbeats"
    interval = INTERVAL_S

    def __init__(self, context: SyncContext, presence: Presence) -> None:
        self._presence = presence
        flow = context.config
        # On the source it is the other direction's, as a dedicated MirrorMaker 2 has it.
        ways = {context.target: (flow.source, flow.target)}
        if flow.mm2.heartbeats == HeartbeatsOn.BOTH:
            ways[context.source] = (flow.target, flow.source)
        self._topics: list[tuple[Mm2Topic, tuple[str, str]]] = []
        for cluster, way in ways.items():
            key = Heartbeat(*way, 0).key()
            topic = Mm2Topic(
                cluster,
                names.HEARTBEATS,
                context.flow,
                setting="mm2.heartbeats",
                quiet_seconds=QUIET_S,
                read_back=READ_BACK,
                is_ours=key.__eq__,
            )
            self._topics.append((topic, way))

    async def sync_once(self) -> Outcome:
        """Write one to each."""
        await self._presence.look()
        outcome = Outcome()
        for topic, way in self._topics:
            await topic.look()
            if topic.in_the_way is not None:
                outcome.left.append(topic.in_the_way)
                continue
            beat = Heartbeat(*way, int(time.time() * 1000))
            await topic.write([(beat.key(), beat.value())])
            outcome.changes += 1
        return outcome

    def close(self) -> None:
        """Let go of the connections."""
        for topic, _ in self._topics:
            topic.close()
