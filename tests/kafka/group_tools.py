"""Consumer groups on the sandbox, for tests: committed by us, read by aiokafka's admin client."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from engine.api.group_snapshots import GroupSnapshot, GroupsPage, GroupState
from engine.config.cluster_section import ClusterConfig
from engine.kafka import groups
from engine.kafka.cluster import Cluster
from engine.kafka.group_offsets_wire import Commit
from engine.sandbox import Sandbox
from tests.kafka.engines import Running, until_async

Commits = Mapping[tuple[str, int], int]


@asynccontextmanager
async def cluster(sandbox: Sandbox, name: str) -> AsyncIterator[Cluster]:
    """Connect to one of the sandbox's clusters."""
    servers = sandbox.bootstrap(name).split(",")
    made = Cluster(name, ClusterConfig.model_validate({"bootstrap_servers": servers}))
    try:
        yield made
    finally:
        await made.close()


async def commit_all(
    sandbox: Sandbox, name: str, commits: Mapping[str, Commits], metadata: str = ""
) -> None:
    """Commit for groups that have no members."""
    async with cluster(sandbox, name) as connected:
        coordinators = await groups.find_coordinators(connected, commits)
        for group, offsets in commits.items():
            node = coordinators[group]
            assert isinstance(node, int), node
            rows = {key: Commit(offset, metadata) for key, offset in offsets.items()}
            assert not await groups.commit_offsets(connected, node, group, rows)


async def commit(
    sandbox: Sandbox, name: str, group: str, commits: Commits, metadata: str = ""
) -> None:
    """Commit for one."""
    await commit_all(sandbox, name, {group: commits}, metadata)


async def committed(
    sandbox: Sandbox, name: str, names: Iterable[str]
) -> dict[str, dict[tuple[str, int], tuple[int, str]]]:
    """Return offsets and metadata by group and partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap(name))
    await admin.start()
    try:
        found = {}
        for group in names:
            offsets = await admin.list_consumer_group_offsets(group)
            found[group] = {
                (key.topic, key.partition): (each.offset, each.metadata)
                for key, each in offsets.items()
            }
        return found
    finally:
        await admin.close()


async def offset_of(sandbox: Sandbox, name: str, group: str, key: tuple[str, int]) -> int | None:
    """Return what one group committed for one partition."""
    found = (await committed(sandbox, name, [group]))[group]
    return found[key][0] if key in found else None


async def row(engine: Running, group: str) -> GroupSnapshot | None:
    """Return a group as the API shows it."""
    page: GroupsPage = await engine.api.flows.groups(engine.name)
    return next((each for each in page.groups if each.name == group), None)


async def reaches(engine: Running, group: str, state: GroupState) -> GroupSnapshot:
    """Wait for a group's state as of a look that began after this call."""
    asked = time.time()
    found: GroupSnapshot | None = None

    async def reached() -> bool:
        nonlocal found
        page = await engine.api.flows.groups(engine.name)
        found = next((each for each in page.groups if each.name == group), None)
        return page.looked_at > asked and found is not None and found.state == state

    try:
        await until_async(reached, f"{group} is {state}")
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {found}") from None
    assert found is not None
    return found


@asynccontextmanager
async def member(
    sandbox: Sandbox, name: str, group: str, topic: str
) -> AsyncIterator[AIOKafkaConsumer]:
    """Have a member in a classic group, which has its partitions."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=sandbox.bootstrap(name),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:

        async def assigned() -> bool:
            return bool(consumer.assignment())

        await until_async(assigned, f"{group} has partitions")
        yield consumer
    finally:
        await consumer.stop()


def keys(topic: str, partitions: int) -> list[TopicPartition]:
    """Return a topic's partitions."""
    return [TopicPartition(topic, number) for number in range(partitions)]
