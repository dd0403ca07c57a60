"""All that a flow keeps in step besides the records, and the looks at other flows beside it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from engine.api.both_ways_snapshots import ConflictsSnapshot, InboundFlowSnapshot
from engine.api.group_snapshots import GroupsPage
from engine.api.snapshots import SyncSnapshot
from engine.replication.both_ways.conflict_watch import ConflictWatch
from engine.replication.both_ways.provenance import Provenance
from engine.replication.sync.everything import syncers
from engine.replication.sync.groups.syncer import GroupSyncer
from engine.replication.sync.syncer import SyncContext, Syncer, SyncLoop

SETTINGS = frozenset({"configs", "acls"})


class InStep:
    """Runs a flow's syncers and tells how they get on."""

    def __init__(self, context: SyncContext, provenance: Provenance) -> None:
        self._provenance = provenance
        window = context.config.conflicts.window
        self._conflicts = ConflictWatch(context, provenance, window) if window else None
        beside: list[Syncer] = [provenance, *([self._conflicts] if self._conflicts else [])]
        self.loops = [SyncLoop(syncer, context) for syncer in [*beside, *syncers(context)]]

    def leave_settings(self, left: bool) -> None:
        """Leave topic configs and ACLs as they are, or go on with them.

        A fence changes them on the source: that must not be carried over.
        """
        for loop in self.loops:
            if loop.syncer.name in SETTINGS:
                loop.suspend(left)

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Run them all in `tasks`."""
        for loop in self.loops:
            tasks.create_task(loop.run())

    @property
    def syncs(self) -> tuple[SyncSnapshot, ...]:
        """How each gets on."""
        return tuple(loop.snapshot for loop in self.loops)

    @property
    def inbound(self) -> tuple[InboundFlowSnapshot, ...]:
        """The flows that write into the source."""
        return self._provenance.snapshot()

    @property
    def conflicts(self) -> ConflictsSnapshot | None:
        """What looking for conflicts has found; None when that was not asked for."""
        return self._conflicts.snapshot() if self._conflicts else None

    @property
    def groups(self) -> GroupsPage | None:
        """Where consumer groups stood at the last round; None when they are not kept in step."""
        for loop in self.loops:
            if isinstance(loop.syncer, GroupSyncer):
                return replace(loop.syncer.page, reason=loop.snapshot.reason)
        return None

    async def translate_groups(self) -> GroupsPage | None:
        """Look at the groups once more and commit; as `groups` otherwise."""
        for loop in self.loops:
            if isinstance(loop.syncer, GroupSyncer):
                await loop.next_round()
        return self.groups
