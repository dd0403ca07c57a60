"""Whether a MirrorMaker 2 with the same clusters' names has left its own storage on the target."""

from __future__ import annotations

import asyncio

from engine.api.snapshots import Severity
from engine.kafka.codes import Code
from engine.replication.sync.mm2 import names
from engine.replication.sync.syncer import SyncContext


class Presence:
    """Looks once, and says so; whether that MirrorMaker 2 runs, its records will tell."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._looked = False
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """Look, unless that was done; raises ConnectError, KafkaError."""
        async with self._looking:
            if not self._looked:
                await self._look()
                self._looked = True

    async def _look(self) -> None:
        source, target = self._context.config.source, self._context.target
        storage = names.connect_offsets(source)
        metadata = await target.metadata([storage])
        found = metadata.topics.get(storage)
        if found is not None and found.error == Code.NONE:
            self._context.events.emit(
                Severity.WARNING,
                f"{self._context.flow}/mm2",
                f"cluster {target.name} has {storage}: a MirrorMaker 2 that mirrors {source} runs, "
                "or ran, and would write the same topics as this flow",
                "ccr writes none of its keys while it sees others' records; stop that MirrorMaker "
                "2 for good, or turn the flow's mm2 off",
            )
