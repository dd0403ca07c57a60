"""`offsets: identical` on clusters with an authorizer: what it needs, and who sees nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from engine.api.snapshots import PartitionState
from engine.checking import Grant
from engine.errors import ConnectError, KafkaError
from engine.kafka.acl_bindings import Operation, PatternType, Permission, ResourceType
from engine.kafka.acls import describe_acls
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.connection import ConnectionLostError
from engine.kafka.topics import NewTopic, create_topics
from engine.replication.tail import read_once
from tests.kafka.engines import FreshTopic, create, until
from tests.kafka.test_identical_offsets import aligned, begin_at, bounds, opened, produce, said
from tests.kafka.test_permissions import USER, Limited
from tests.secured import Secured

pytestmark = pytest.mark.kafka

TRANSACTIONAL_ID, CLUSTER = 5, 4  # their ResourceTypes, which ccr does not look at
START = 1_500_000


@pytest.fixture
def limited(secured: Secured, fresh_topic: FreshTopic) -> Limited:
    return Limited(secured, f"{fresh_topic('identical')}.")


async def grant(
    cluster: Cluster, resource: int, name: str, kind: PatternType, *operations: Operation
) -> None:
    """Allow the limited user something."""
    for operation in operations:
        answer = await cluster.request(
            CreateAclsRequest(
                resource, name, kind, f"User:{USER}", "*", operation, Permission.ALLOW
            )
        )
        assert [error for error, _ in answer.creation_responses] == [0]


@asynccontextmanager
async def granted_on_cluster(cluster: Cluster, *operations: Operation) -> AsyncIterator[None]:
    """Allow the limited user something on the cluster itself, for a while."""
    await grant(cluster, CLUSTER, "kafka-cluster", PatternType.LITERAL, *operations)
    try:
        yield
    finally:
        for each in operations:
            answer = await cluster.request(
                DeleteAclsRequest(
                    CLUSTER, "kafka-cluster", PatternType.LITERAL, f"User:{USER}", "*", each,
                    Permission.ALLOW,
                )
            )  # fmt: skip
            assert [result[0] for result in answer.filter_responses] == [0]


async def grant_all(west: Cluster, limited: Limited) -> None:
    """What the documentation says, quickly."""
    await limited.allow_all()
    ids = f"ccr.{limited.flow}.align."
    await grant(west, TRANSACTIONAL_ID, ids, PatternType.PREFIXED, Operation.WRITE)
    topic = ResourceType.TOPIC
    await grant(west, topic, limited.prefix, PatternType.PREFIXED, Operation.DELETE)


@asynccontextmanager
async def reading(reader: Cluster, topic: str) -> AsyncIterator[set[str]]:
    """Read uncommitted data from wherever the log begins, all the time; yields what came of it."""
    outcomes: set[str] = set()

    async def read() -> None:
        while True:
            try:
                metadata = await reader.metadata([topic])
                found = await reader.list_offsets({(topic, 0): EARLIEST}, metadata)
                connection = await reader.data_connection(metadata.leader(topic, 0))
                try:
                    batches, _ = await read_once(connection, (topic, 0), found[topic, 0], wait_ms=0)
                finally:
                    connection.abort("done")
                outcomes.update(
                    "filler" if header.record_count > 100 else "record" for header, _ in batches
                )
            except (KafkaError, ConnectError, ConnectionLostError, KeyError) as error:
                outcomes.add(getattr(error, "cause", "other"))
            await asyncio.sleep(0)

    task = asyncio.create_task(read())
    try:
        yield outcomes
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_read_is_withheld_while_fillers_are_there(limited: Limited) -> None:
    """Who may read the mirror is refused until it is aligned, and never sees a filler."""
    sandbox, topic = limited.secured.sandbox, limited.topic
    await create(sandbox, topic)
    async with opened(sandbox, "east") as east, opened(sandbox, "west") as west:
        await begin_at(east, topic, {0: START})
        await produce(sandbox, topic, 0, START, 10)
        await grant_all(west, limited)
        assert not await create_topics(west, [NewTopic(topic, 1, 1)])
        others = await describe_acls(west, ResourceType.TOPIC)
        async with (
            granted_on_cluster(west, Operation.DESCRIBE, Operation.ALTER),
            limited.running(offsets="identical") as engine,
        ):
            reader = engine.flow._target
            async with reading(reader, topic) as outcomes:
                await aligned(engine, topic, START + 10)
                await until(lambda: "record" in outcomes, "records can be read")
            assert "TOPIC_AUTHORIZATION_FAILED" in outcomes
            assert "filler" not in outcomes
            await said(engine, topic, "identical")
            events = " ".join(event.text for event in engine.engine.events.since(0))
            assert "READ on it is withheld meanwhile" in events
        assert await describe_acls(west, ResourceType.TOPIC) == others
        assert await bounds(west, topic, 1) == [(START, START + 10)]


async def test_what_is_missing_is_told_and_waited_for(limited: Limited) -> None:
    """By `ccr check`, and as the partition's reason; granted, it goes on by itself."""
    sandbox, topic = limited.secured.sandbox, limited.topic
    await create(sandbox, topic)
    async with opened(sandbox, "east") as east, opened(sandbox, "west") as west:
        await begin_at(east, topic, {0: 5})
        await produce(sandbox, topic, 0, 5, 10)
        await limited.allow_all()
        async with limited.running(offsets="identical") as engine:
            board = engine.flow.board

            def why() -> str:
                row = board.partitions.get((topic, 0))
                waits = row is not None and row.state == PartitionState.WAITING
                return f"{row.reason.text} {row.reason.next_step}" if waits and row.reason else ""

            ids = f"ccr.{limited.flow}.align."
            await until(lambda: f"Grant WRITE on transactional id {ids}" in why(), "told of ids")
            report = await limited.check(offsets="identical")
            missing = [
                (p.operation, p.topics, p.transactional_ids) for p in report.flows[0].missing
            ]
            assert missing == [("DELETE", (topic,), ()), ("WRITE", (), (f"{ids}*",))]
            await grant(west, TRANSACTIONAL_ID, ids, PatternType.PREFIXED, Operation.WRITE)
            await until(lambda: f"Grant DELETE on topic {topic}" in why(), "told of DELETE")
            name = ResourceType.TOPIC, limited.prefix, PatternType.PREFIXED
            await grant(west, *name, Operation.DELETE)
            await aligned(engine, topic, 15)
            await said(engine, topic, "identical")
            events = " ".join(event.text for event in engine.engine.events.since(0))
            assert "(READ could not be withheld: CLUSTER_AUTHORIZATION_FAILED" in events, events
        report = await limited.check(offsets="identical")
        assert {each.grant for each in report.flows[0].permissions} == {Grant.GRANTED}
        metadata = await west.metadata([topic])
        assert (await west.list_offsets({(topic, 0): LATEST}, metadata))[topic, 0] == 15
