"""A look at a flow's consumer groups on both clusters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from engine.config.matching import Pattern
from engine.config.sync_sections import GroupsConfig
from engine.errors import KafkaError
from engine.kafka import groups
from engine.kafka.cluster import Cluster
from engine.kafka.group_wire import Commits, ListedGroup
from engine.replication.board import Board

AT_ONCE = 200  # names that are matched in one go of a thread


@dataclass(slots=True)
class Look:
    """What was found; only groups that the flow takes."""

    at: float
    source: dict[str, ListedGroup] = field(default_factory=dict)
    target: dict[str, ListedGroup] = field(default_factory=dict)
    source_commits: dict[str, Commits | KafkaError] = field(default_factory=dict)
    target_commits: dict[str, Commits | KafkaError] = field(default_factory=dict)


class GroupLook:
    """Looks again and again."""

    def __init__(
        self, config: GroupsConfig, source: Cluster, target: Cluster, board: Board
    ) -> None:
        self._source = source
        self._target = target
        self._board = board
        self._include = [Pattern(text) for text in config.include]
        self._exclude = [Pattern(text) for text in config.exclude]
        self._taken: dict[str, bool] = {}

    async def look(self, known: Collection[str] = ()) -> Look:
        """Look at the groups of the source, and at those that are `known` to have been there.

        Raises ConnectError, KafkaError and TooSlowError.
        """
        found = Look(time.time())
        source, target = await asyncio.gather(
            groups.list_groups(self._source), groups.list_groups(self._target)
        )
        taken = await self._select({*source, *known})
        found.source = {name: group for name, group in source.items() if name in taken}
        found.target = {name: group for name, group in target.items() if name in taken}
        topics, mirrors = set(), set()
        for partition in self._board.partitions.values():
            topics.add(partition.topic)
            mirrors.add(partition.target_topic)
        found.source_commits, found.target_commits = await asyncio.gather(
            groups.committed_offsets(self._source, _with_offsets(found.source), topics),
            groups.committed_offsets(self._target, _with_offsets(found.target), mirrors),
        )
        return found

    async def _select(self, names: Collection[str]) -> set[str]:
        new = [name for name in names if name not in self._taken]
        for at in range(0, len(new), AT_ONCE):
            self._taken |= await asyncio.to_thread(self._match, new[at : at + AT_ONCE])
        return {name for name in names if self._taken[name]}

    def _match(self, names: Iterable[str]) -> dict[str, bool]:
        return {
            name: any(pattern.matches(name) for pattern in self._include)
            and not any(pattern.matches(name) for pattern in self._exclude)
            for name in names
        }


def _with_offsets(listed: Mapping[str, ListedGroup]) -> list[ListedGroup]:
    return [group for group in listed.values() if group.kind != groups.SHARE]
