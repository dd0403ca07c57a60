"""Asking the leaders of partitions, none of which may hold up the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from engine.errors import ConnectError
from engine.kafka.fetch import TopicPartition
from engine.kafka.metadata import NO_LEADER, ClusterMetadata

ANSWER_S = 3.0  # a broker that takes longer is as good as away
_Answer = TypeVar("_Answer")


async def ask_leaders(
    keys: Iterable[TopicPartition],
    metadata: ClusterMetadata,
    ask: Callable[[list[TopicPartition]], Awaitable[Mapping[TopicPartition, _Answer]]],
) -> dict[TopicPartition, _Answer]:
    """Ask each leader for its own, at the same time; leave out who does not answer in time."""
    by_leader: dict[int, list[TopicPartition]] = {}
    for key in keys:
        leader = metadata.leader(*key)
        if leader != NO_LEADER:
            by_leader.setdefault(leader, []).append(key)

    async def bounded(wanted: list[TopicPartition]) -> Mapping[TopicPartition, _Answer]:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await ask(wanted)
        except (TimeoutError, ConnectError):
            return {}

    found: dict[TopicPartition, _Answer] = {}
    for answer in await asyncio.gather(*map(bounded, by_leader.values())):
        found |= answer
    return found
