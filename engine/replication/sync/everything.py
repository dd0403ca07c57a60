"""Which syncers a flow has, by its configuration."""

from __future__ import annotations

from engine.replication.sync.acls.syncer import AclSyncer
from engine.replication.sync.configs import ConfigSync
from engine.replication.sync.deletions import DeletionSync
from engine.replication.sync.groups.syncer import GroupSyncer
from engine.replication.sync.mm2.all_topics import mm2_syncers
from engine.replication.sync.syncer import SyncContext, Syncer


def syncers(context: SyncContext) -> list[Syncer]:
    """Return the flow's syncers, in the order in which they are shown."""
    topics: list[Syncer] = []
    if context.config.sync.configs:
        topics.append(ConfigSync(context))
    if context.config.sync.deletions:
        topics.append(DeletionSync(context))
    acls = [AclSyncer(context)] if context.config.sync.acls else []
    groups = GroupSyncer(context) if context.config.sync.groups else None
    return [*topics, *acls, *([groups] if groups else []), *mm2_syncers(context, groups)]
