"""Which syncers a flow has, by its configuration."""

from __future__ import annotations

from engine.replication.sync.syncer import SyncContext, Syncer


def syncers(context: SyncContext) -> list[Syncer]:
    """Return the flow's syncers, in the order in which they are shown."""
    return []
