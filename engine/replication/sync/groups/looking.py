"""A look at a flow's consumer groups on both clusters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from engine.config.sync_sections import GroupsConfig
from engine.errors import KafkaError
from engine.kafka import groups
from engine.kafka.cluster import Cluster
from engine.kafka.group_offsets_wire import Commits
from engine.kafka.group_wire import ListedGroup
from engine.replication.board import Board
from engine.replication.sync.groups.selection import GroupSelector


@dataclass(slots=True)
class Look:
    """What was found; only groups that the flow takes.

    A broker that has just started lists no group that it has yet to load. So a group that is not
    listed, and of which that matters, is asked for by name.
    """

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
        self._selector = GroupSelector(config)

    async def look(self, known: Collection[str] = (), *, to_commit: bool = False) -> Look:
        """Look at the groups of the source, and at those that are `known` to have been there.

        `to_commit`: make sure of the target's offsets of every group that has some on the source.
        Raises ConnectError, KafkaError and TooSlowError.
        """
        found = Look(time.time())
        source, target = await asyncio.gather(
            groups.list_groups(self._source), groups.list_groups(self._target)
        )
        taken = await self._selector.select({*source, *known})
        topics, mirrors = set(), set()
        for partition in self._board.partitions.values():
            topics.add(partition.topic)
            mirrors.add(partition.target_topic)
        missing = taken - source.keys()
        found.source, found.source_commits = await _side(
            self._source, source, taken, missing, topics
        )
        unlisted = set()
        if to_commit:
            unlisted = {name for name, commits in found.source_commits.items() if commits}
            unlisted -= target.keys()
        found.target, found.target_commits = await _side(
            self._target, target, taken, unlisted, mirrors
        )
        return found


async def _side(
    cluster: Cluster,
    listed: Mapping[str, ListedGroup],
    taken: Collection[str],
    unlisted: Collection[str],
    topics: Collection[str],
) -> tuple[dict[str, ListedGroup], dict[str, Commits | KafkaError]]:
    """Return the groups that are taken, and their offsets; `unlisted` ones are asked for."""
    found = {name: group for name, group in listed.items() if name in taken}
    errors: dict[str, Commits | KafkaError] = {}
    asked = {}
    if unlisted:
        for name, node in (await groups.find_coordinators(cluster, unlisted)).items():
            if isinstance(node, KafkaError):
                errors[name] = node
            else:
                asked[name] = ListedGroup(name, "", "", node)
    wanted = [group for group in (found | asked).values() if group.kind != groups.SHARE]
    commits = errors | await groups.committed_offsets(cluster, wanted, topics)
    # Asked for by name and without offsets: it is not there.
    found |= {name: group for name, group in asked.items() if commits.get(name)}
    return found, commits
