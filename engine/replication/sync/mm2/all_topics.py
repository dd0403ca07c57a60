"""Which of MirrorMaker 2's topics a flow writes."""

from __future__ import annotations

from engine.replication.sync.groups.syncer import GroupSyncer
from engine.replication.sync.mm2.checkpoints import Checkpoints
from engine.replication.sync.mm2.heartbeats import Heartbeats
from engine.replication.sync.mm2.offset_syncs import OffsetSyncs
from engine.replication.sync.mm2.presence import Presence
from engine.replication.sync.syncer import SyncContext, Syncer


def mm2_syncers(context: SyncContext, groups: GroupSyncer | None) -> list[Syncer]:
    """Return those that are asked for; `groups` is the flow's, where it keeps them in step."""
    wanted, presence = context.config.mm2, Presence(context)
    found: list[Syncer] = []
    if wanted.heartbeats is not None:
        found.append(Heartbeats(context, presence))
    if wanted.checkpoints:
        found.append(Checkpoints(context, presence, groups))
    if wanted.offset_syncs is not None:
        found.append(OffsetSyncs(context, presence))
    return found
