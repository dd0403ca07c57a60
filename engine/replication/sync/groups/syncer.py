"""Keeps the target's group offsets in step: looks, translates, commits for groups without members.

Only what has changed is committed. A broker refuses a commit for a group that has members, so one
that joins between our look and our commit is not disturbed. Which groups were ever carried over is
remembered in the state topic, so that one that goes from the source is shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from engine.api.group_snapshots import GroupSnapshot, GroupsPage
from engine.errors import KafkaError
from engine.kafka import groups
from engine.kafka.fetch import TopicPartition
from engine.kafka.group_offsets_wire import Commit
from engine.kafka.groups import GroupActiveError
from engine.replication.state_records import Entry
from engine.replication.sync.groups.looking import GroupLook, Look
from engine.replication.sync.groups.rows import Rows, out_of_step
from engine.replication.sync.groups.standing import GroupStanding, standings
from engine.replication.sync.groups.translating import Translating
from engine.replication.sync.groups.translation import Translator
from engine.replication.sync.syncer import Outcome, SyncContext

SYNCER = "groups"
SOON_S = 0.5  # while the flow begins: nothing is mirrored yet

Due = dict[TopicPartition, Commit]


class GroupSyncer:
    """One flow's."""

    name = SYNCER

    def __init__(self, context: SyncContext) -> None:
        self.interval = SOON_S
        self._context = context
        self._partitions = context.board.partitions
        self._translating = Translating(context)
        self._look = GroupLook(context.config.groups, context.source, context.target, context.board)
        self._rows = Rows(context.config)
        self._known = set(context.record.synced.get(SYNCER, {}))
        self.page = GroupsPage(context.flow, True, 0.0, 0.0, None, ())

    def close(self) -> None:
        """Let go of the connections."""
        self._translating.close()

    @property
    def rows(self) -> tuple[GroupSnapshot, ...]:
        """The groups as they were after the last round; `page.looked_at` says when."""
        return self.page.groups

    async def sync_once(self) -> Outcome:
        """Look and commit.

        Raises ConnectError, KafkaError, ConnectionLostError, TooSlowError and SupersededError.
        """
        began = time.monotonic()
        if any(partition.positioned for partition in self._partitions.values()):
            self.interval = self._context.config.groups.interval
        look = await self._look.look(self._known, to_commit=True)
        translator = await self._translating.translator(look)
        found = await standings(look, self._partitions, translator)
        due = {}
        for group in found:
            wanted = self._due(group, translator)
            if wanted:
                due[group.name] = wanted
        await self._remember(look, due)
        changes = await self._commit({group.name: group for group in found}, due)
        rows = []
        for group in found:
            rows.append(self._rows.group(group, translator))
            await asyncio.sleep(0)
        seconds = time.monotonic() - began
        self.page = GroupsPage(self._context.flow, True, look.at, seconds, None, tuple(rows))
        left = (out_of_step(row, group) for row, group in zip(rows, found, strict=True))
        return Outcome(changes, list(dict.fromkeys(each for each in left if each is not None)))

    def _due(self, group: GroupStanding, translator: Translator) -> Due:
        if not group.followed:
            return {}
        return group.due(translator, rewind=self._context.config.groups.rewind)

    async def _remember(self, look: Look, due: Mapping[str, Due]) -> None:
        new = due.keys() - self._known
        gone = self._known - look.source.keys() - look.target.keys()
        entries: list[Entry] = [(f"sync/{SYNCER}/{name}", {"at": look.at}) for name in sorted(new)]
        entries += [(f"sync/{SYNCER}/{name}", None) for name in sorted(gone)]
        if entries:
            await self._context.remember(entries)
        self._known = (self._known | new) - gone

    async def _commit(self, found: Mapping[str, GroupStanding], due: Mapping[str, Due]) -> int:
        target = self._context.target
        coordinators: dict[str, int | KafkaError] = {
            name: group.coordinator for name in due if (group := found[name].target) is not None
        }
        strange = due.keys() - coordinators.keys()
        if strange:
            coordinators |= await groups.find_coordinators(target, strange)
        counts = await asyncio.gather(
            *(
                self._commit_one(found[name], coordinators[name], commits)
                for name, commits in due.items()
            )
        )
        return sum(counts)

    async def _commit_one(
        self, group: GroupStanding, coordinator: int | KafkaError, commits: Due
    ) -> int:
        """Commit for one group, and note in its standing what became of it."""
        if not isinstance(coordinator, int):
            group.error = coordinator
            return 0
        try:
            refused = await groups.commit_offsets(
                self._context.target, coordinator, group.name, commits
            )
        except GroupActiveError:
            group.active = True
            return 0
        for each in group.partitions:
            commit = commits.get(each.partition.target_key)
            if commit is None:
                continue
            each.refused = refused.get(each.partition.target_key)
            if each.refused is None:
                each.target = commit
        return len(commits) - len(refused)
