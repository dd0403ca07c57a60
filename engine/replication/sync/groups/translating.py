"""Which way a flow's offsets are translated, found out anew each round."""

from __future__ import annotations

from engine.kafka.cluster import LATEST
from engine.replication.both_ways.other_flows import OtherFlows
from engine.replication.sync.groups.looking import Look
from engine.replication.sync.groups.translation import BothWays, OneWay, Translator
from engine.replication.sync.syncer import SyncContext


class Translating:
    """One flow's translators."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._others = OtherFlows(context)
        self._one_way = OneWay()
        self._both_ways = BothWays(self._others)

    def close(self) -> None:
        """Let go of the connections."""
        self._others.close()

    async def translator(self, look: Look) -> Translator:
        """Return what translates this look's commits.

        Raises ConnectError, KafkaError and ConnectionLostError.
        """
        await self._others.read()
        if not self._others.any:
            return self._one_way
        target, partitions = self._context.target, self._context.board.partitions
        mirrors = [
            partitions[key].target_key
            for commits in look.source_commits.values()
            if isinstance(commits, dict)
            for key in commits
            if key in partitions
        ]
        metadata = await target.metadata({topic for topic, _ in mirrors})
        self._both_ways.begin(await target.list_offsets(dict.fromkeys(mirrors, LATEST), metadata))
        return self._both_ways
