"""A flow's groups for whoever asks: from the syncer, or by a look that changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from engine.api.group_snapshots import GroupsPage
from engine.replication.state_records import FlowRecord
from engine.replication.sync.groups.looking import GroupLook
from engine.replication.sync.groups.rows import Rows
from engine.replication.sync.groups.standing import standings
from engine.replication.sync.groups.syncer import SYNCER
from engine.replication.sync.groups.translating import Translating
from engine.replication.sync.syncer import SyncContext

LOOK_SPACING_S = 1.0  # however often it is asked for


class GroupsView:
    """Answers for one flow, whoever runs it."""

    def __init__(self, context: SyncContext, record: Callable[[], FlowRecord]) -> None:
        """`record` returns the flow's state as it is known just now."""
        config = context.config
        self._board = context.board
        self._record = record
        self._look = GroupLook(config.groups, context.source, context.target, context.board)
        self._translating = Translating(context)
        self._rows = Rows(config)
        self._looking = asyncio.Lock()
        self._page = GroupsPage(context.flow, config.sync.groups, 0.0, 0.0, None, ())

    def close(self) -> None:
        """Let go of the connections."""
        self._translating.close()

    async def page(self, synced: GroupsPage | None) -> GroupsPage:
        """Return what the flow's syncer has found, if it has yet, or look.

        Raises ConnectError, KafkaError, ConnectionLostError and TooSlowError.
        """
        if synced is not None and (synced.looked_at or synced.reason is not None):
            return synced
        async with self._looking:
            if time.time() - self._page.looked_at > LOOK_SPACING_S:
                await self._refresh()
            return self._page

    async def _refresh(self) -> None:
        began = time.monotonic()
        look = await self._look.look(self._record().synced.get(SYNCER, {}))
        translator = await self._translating.translator(look)
        found = await standings(look, self._board.partitions, translator)
        rows = tuple(self._rows.group(group, translator) for group in found)
        seconds = time.monotonic() - began
        self._page = replace(self._page, looked_at=look.at, seconds=seconds, groups=rows)
