"""A cluster's consumer groups: which there are, what they committed, and committing for them.

One request a broker where Kafka has one (KIP-518, KIP-709, KIP-699: Kafka 3.0). Every function
raises ConnectError, and KafkaError when a broker refuses or is older than that.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from engine.errors import KafkaError
from engine.kafka import codes, group_offsets_wire, group_wire
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.fetch import TopicPartition
from engine.kafka.group_offsets_wire import Commit, Commits
from engine.kafka.group_wire import ListedGroup
from engine.kafka.raw import RawResponse

MOST_IN_A_COMMIT = 1_000  # partitions: a commit becomes one batch of __consumer_offsets
_THREAD_BYTES = 64 * 1024  # an answer larger than this is parsed in a thread
_COORDINATOR_TRIES = 40
_COMMIT_TRIES = 12
_RETRY_S = 0.25
_T = TypeVar("_T")

SHARE = "share"
_READ = 3  # AclOperation's number, and bit among those that are allowed
_MEMBERS = frozenset(
    {
        Code.UNKNOWN_MEMBER_ID,
        Code.ILLEGAL_GENERATION,
        Code.REBALANCE_IN_PROGRESS,
        Code.STALE_MEMBER_EPOCH,
    }
)


class GroupActiveError(KafkaError):
    """The group has members: what they read counts, and nobody else commits for them."""


async def list_groups(cluster: Cluster) -> dict[str, ListedGroup]:
    """Return the groups that we may see, by name."""
    await cluster.metadata([])  # brokers that are gone would not answer
    nodes = sorted(cluster.brokers)
    answers = await asyncio.gather(
        *(cluster.request(group_wire.ListGroupsRequest(), node) for node in nodes)
    )
    found = {}
    for node, answer in zip(nodes, answers, strict=True):
        error, groups = await _parsed(cluster, answer, partial(_listed_at, node))
        if error:
            raise _refused("listing the groups of", f"cluster {cluster.name}", error)
        found.update({group.name: group for group in groups})
    return found


async def committed_offsets(
    cluster: Cluster, groups: Iterable[ListedGroup], topics: Collection[str]
) -> dict[str, Commits | KafkaError]:
    """Return what groups committed for these topics, or why that is not to be known, by group."""
    by_coordinator: dict[int, list[str]] = {}
    for group in groups:
        by_coordinator.setdefault(group.coordinator, []).append(group.name)
    answers = await asyncio.gather(
        *(
            cluster.request(group_offsets_wire.FetchOffsetsRequest(names), node)
            for node, names in by_coordinator.items()
        )
    )
    found: dict[str, Commits | KafkaError] = {}
    for answer in answers:
        parsed = await _parsed(
            cluster, answer, lambda r: group_offsets_wire.parse_offsets(r, topics)
        )
        for name, offsets in parsed.items():
            error = offsets.error or next(iter(offsets.refused.values()), 0)
            what = "reading the offsets of group", f"{name} on cluster {cluster.name}"
            found[name] = _refused(*what, error) if error else offsets.commits
    return found


async def find_coordinators(
    cluster: Cluster, groups: Collection[str]
) -> dict[str, int | KafkaError]:
    """Return who coordinates groups, or is going to, by group.

    A cluster's first group makes it create its offsets topic; that is waited for.
    """
    found: dict[str, int | KafkaError] = {}
    left = set(groups)
    for attempt in range(_COORDINATOR_TRIES):
        if not left:
            break
        if attempt:
            await asyncio.sleep(_RETRY_S)
        request = group_wire.FindCoordinatorsRequest(sorted(left))
        answer = await cluster.request(request)
        for name, (node, error) in (
            await _parsed(cluster, answer, group_wire.parse_coordinators)
        ).items():
            what = "finding the coordinator of group", f"{name} on cluster {cluster.name}"
            found[name] = _refused(*what, error) if error else node
            if error not in codes.RETRIABLE:
                left.discard(name)
    if any(node not in cluster.brokers for node in found.values() if isinstance(node, int)):
        await cluster.metadata([])
    return found


async def may_commit(cluster: Cluster, groups: Collection[str]) -> dict[str, bool | KafkaError]:
    """Return whether we may commit for groups, by group; or why that is not to be known."""
    found: dict[str, bool | KafkaError] = {}
    by_coordinator: dict[int, list[str]] = {}
    for name, node in (await find_coordinators(cluster, groups)).items():
        if isinstance(node, int):
            by_coordinator.setdefault(node, []).append(name)
        else:  # without DESCRIBE, which READ implies, not even that is told
            found[name] = False if node.next_step else node
    for node, names in by_coordinator.items():
        answer = await cluster.request(group_wire.DescribeGroupsRequest(names), node)
        told = await _parsed(cluster, answer, group_wire.parse_operations)
        for name, (error, operations) in told.items():
            what = "asking for group", f"{name} on cluster {cluster.name}"
            found[name] = _refused(*what, error) if error else bool(operations >> _READ & 1)
    return found


async def commit_offsets(
    cluster: Cluster, coordinator: int, group: str, commits: Mapping[TopicPartition, Commit]
) -> dict[TopicPartition, KafkaError]:
    """Commit for a group that has no members; return what was refused.

    A coordinator that has yet to load the group is waited for. Raises GroupActiveError when the
    group has members.
    """
    errors: dict[TopicPartition, int] = {}
    rows = iter(commits.items())
    while share := dict(islice(rows, MOST_IN_A_COMMIT)):
        for left in reversed(range(_COMMIT_TRIES)):
            found = await _commit(cluster, coordinator, group, share)
            again = {key: share[key] for key, error in found.items() if error in codes.RETRIABLE}
            if not again or not left:
                errors |= found
                break
            errors |= {key: error for key, error in found.items() if key not in again}
            share = again
            await asyncio.sleep(_RETRY_S)
    what = "committing for group", f"{group} on cluster {cluster.name}"
    return {key: _refused(*what, error, "READ") for key, error in errors.items() if error}


async def _commit(
    cluster: Cluster, coordinator: int, group: str, commits: Mapping[TopicPartition, Commit]
) -> dict[TopicPartition, int]:
    answer = await cluster.request(
        group_offsets_wire.CommitOffsetsRequest(group, commits), coordinator
    )
    found = await _parsed(cluster, answer, group_offsets_wire.parse_committed)
    members = next((error for error in found.values() if error in _MEMBERS), 0)
    if members:
        what = "committing for group", f"{group} on cluster {cluster.name}"
        raise GroupActiveError(*what, f"it has members ({codes.name(members)})")
    return found


def _listed_at(node: int, answer: RawResponse) -> tuple[int, list[ListedGroup]]:
    return group_wire.parse_list(answer, node)


def _refused(operation: str, subject: str, error: int, needed: str = "DESCRIBE") -> KafkaError:
    next_step = ""
    if error == Code.GROUP_AUTHORIZATION_FAILED:
        next_step = f"Grant {needed} on the group (docs/permissions.md)"
    elif error == Code.TOPIC_AUTHORIZATION_FAILED:
        next_step = f"Grant {needed} on the topics that it reads (docs/permissions.md)"
    elif error == Code.OFFSET_METADATA_TOO_LARGE:
        next_step = "Raise offset.metadata.max.bytes of the brokers there"
    return KafkaError(
        operation, subject, codes.name(error), next_step, retriable=error in codes.RETRIABLE
    )


async def _parsed(cluster: Cluster, answer: Any, parse: Callable[[RawResponse], _T]) -> _T:
    try:
        if len(answer.payload) > _THREAD_BYTES:
            return await asyncio.to_thread(parse, answer)
        return parse(answer)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        kind = type(answer).__name__
        raise KafkaError(
            "asking cluster", cluster.name, f"its answer ({kind}) makes no sense: {error}"
        ) from error
