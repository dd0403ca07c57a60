"""What a cluster tells of itself: brokers, topics, groups, quotas, controllers.

A handful of requests, however many topics there are; each part is bounded in time, and one that
is forbidden or fails is told as such while the others are there.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Iterator, Mapping
from typing import TypeVar

from engine.api.cluster_snapshots import (
    BrokerRow,
    ClusterDetail,
    GroupRow,
    Quorum,
    QuotaRow,
    Section,
    TopicRow,
    Untold,
)
from engine.api.snapshots import Reason
from engine.clusters.probing import Server
from engine.errors import CcrError, ConnectError
from engine.kafka.cluster import Cluster
from engine.kafka.fetch import TopicPartition
from engine.kafka.group_members import count_members
from engine.kafka.groups import list_groups
from engine.kafka.log_dirs import broker_sizes
from engine.kafka.metadata import NO_LEADER, ClusterMetadata, TopicMetadata
from engine.kafka.quorum import API_KEY as DESCRIBE_QUORUM
from engine.kafka.quorum import controller_of, describe_quorum
from engine.kafka.quotas import Quota, describe_quotas
from engine.kafka.releases import release
from engine.kafka.wire import CLIENT_ID

METADATA_WITHIN_S = 10.0
PART_WITHIN_S = 8.0
SIZES_EVERY_S = 30.0  # brokers add up their segments for it
_T = TypeVar("_T")
Sizes = Mapping[int, Mapping[TopicPartition, int]]


class ClusterLooker:
    """Looks at one cluster, by the engine's connections to it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._untold: list[Untold] = []
        self._sizes: tuple[float, Sizes] | None = None  # monotonic
        self._looking = asyncio.Lock()

    async def look(self) -> ClusterDetail:
        """Ask for everything; raises ConnectError and KafkaError when not even metadata comes."""
        async with self._looking:
            return await self._look()

    async def _look(self) -> ClusterDetail:
        cluster = self.cluster
        self._untold = []
        metadata = await self._metadata()
        problems, sizes, groups, quotas, quorum = await asyncio.gather(
            self._reach(metadata),
            self._part(Section.SIZES, self._ask_sizes(metadata)),
            self._part(Section.GROUPS, self._groups()),
            self._part(Section.QUOTAS, describe_quotas(cluster)),
            self._part(Section.QUORUM, self._quorum()),
        )
        versions = cluster.versions
        controller = quorum.leader if quorum else controller_of(metadata, versions)
        # Of 10,000 topics some 50 ms: other tasks of this loop must not wait for that.
        topics = await asyncio.to_thread(lambda: tuple(_topics(metadata, sizes)))
        return ClusterDetail(
            cluster.name,
            time.time(),
            metadata.cluster_id,
            release(versions) if versions else "",
            controller,
            quorum,
            tuple(_brokers(metadata, problems, sizes, controller)),
            topics,
            groups or (),
            tuple(_quotas(quotas or [], self._user)),
            tuple(self._untold),
        )

    @property
    def _user(self) -> str | None:
        sasl = self.cluster.config.sasl
        return (sasl.username or sasl.client_id) if sasl else None

    async def _metadata(self) -> ClusterMetadata:
        try:
            async with asyncio.timeout(METADATA_WITHIN_S):
                return await self.cluster.metadata()
        except TimeoutError:
            cause = f"it did not answer within {METADATA_WITHIN_S:.0f} s"
            raise ConnectError("asking cluster", self.cluster.name, cause) from None

    async def _part(self, section: Section, asked: Awaitable[_T]) -> _T | None:
        try:
            async with asyncio.timeout(PART_WITHIN_S):
                return await asked
        except TimeoutError:
            reason = Reason(f"no answer within {PART_WITHIN_S:.0f} s", "It is asked again")
        except CcrError as error:
            reason = Reason(error.cause, error.next_step)
        self._untold.append(Untold(section, reason))
        return None

    async def _reach(self, metadata: ClusterMetadata) -> dict[int, Reason]:
        async def one(node: int) -> Reason | None:
            try:
                async with asyncio.timeout(PART_WITHIN_S):
                    await self.cluster.broker_facts(node)
            except TimeoutError:
                return Reason(f"no connection within {PART_WITHIN_S:.0f} s")
            except CcrError as error:
                return Reason(error.cause, error.next_step)
            return None

        nodes = list(metadata.brokers)
        found = await asyncio.gather(*map(one, nodes))
        return {node: reason for node, reason in zip(nodes, found, strict=True) if reason}

    async def _ask_sizes(self, metadata: ClusterMetadata) -> Sizes:
        now = time.monotonic()
        if self._sizes is None or now - self._sizes[0] >= SIZES_EVERY_S:
            self._sizes = now, await broker_sizes(self.cluster, sorted(metadata.brokers))
        return self._sizes[1]

    async def _groups(self) -> tuple[GroupRow, ...]:
        listed = await list_groups(self.cluster)
        members = await self._part(Section.MEMBERS, count_members(self.cluster, listed.values()))
        known = members or {}
        return tuple(
            GroupRow(each.name, each.state, each.kind, known.get(each.name), each.coordinator)
            for each in listed.values()
        )

    async def _quorum(self) -> Quorum | None:
        if _is_old(self.cluster):
            return None
        found = await describe_quorum(self.cluster)
        return Quorum(found.leader, found.epoch, found.voters, found.observers)


def _is_old(cluster: Cluster) -> bool:
    """Whether the cluster has no quorum: it is run by ZooKeeper."""
    versions = cluster.versions
    return bool(versions) and DESCRIBE_QUORUM not in versions


def _brokers(
    metadata: ClusterMetadata,
    problems: Mapping[int, Reason],
    sizes: Sizes | None,
    controller: int | None,
) -> Iterator[BrokerRow]:
    leads = Counter(
        partition.leader
        for topic in metadata.topics.values()
        for partition in topic.partitions.values()
    )
    for node, (host, port) in sorted(metadata.brokers.items()):
        held = None if sizes is None or node not in sizes else sum(sizes[node].values())
        yield BrokerRow(
            node,
            str(Server(host, port)),
            metadata.racks.get(node, ""),
            leads[node],
            problems.get(node),
            held,
            node == controller,
        )


def _topics(metadata: ClusterMetadata, sizes: Sizes | None) -> Iterator[TopicRow]:
    largest: Counter[str] | None = None
    if sizes is not None:
        copies: dict[TopicPartition, int] = {}
        for share in sizes.values():
            for key, size in share.items():
                copies[key] = max(size, copies.get(key, 0))
        largest = Counter()
        for (name, _), size in copies.items():
            largest[name] += size
    for topic in metadata.topics.values():
        yield _topic(topic, None if largest is None else largest.get(topic.name))


def _topic(topic: TopicMetadata, held: int | None) -> TopicRow:
    partitions = topic.partitions.values()
    return TopicRow(
        topic.name,
        topic.internal,
        len(partitions),
        topic.replication_factor,
        sum(each.in_sync < each.replicas for each in partitions),
        sum(each.leader == NO_LEADER for each in partitions),
        held,
    )


def _quotas(quotas: list[Quota], user: str | None) -> Iterator[QuotaRow]:
    """Yield what may hold for us: by our user or client id, and the defaults.

    Where nobody logs in by name, the user is not known: quotas of users are all told.
    """
    for quota in quotas:
        named = quota.entity.get("user", "")
        client = quota.entity.get("client-id", "")
        others = (named and user is not None and named != user) or (client and client != CLIENT_ID)
        if others or set(quota.entity) - {"user", "client-id"}:
            continue
        yield QuotaRow(
            _entity(quota.entity, "user"),
            _entity(quota.entity, "client-id"),
            quota.key,
            quota.value,
        )


def _entity(entity: Mapping[str, str | None], kind: str) -> str | None:
    return (entity[kind] or "") if kind in entity else None
