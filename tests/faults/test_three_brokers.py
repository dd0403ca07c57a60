"""Clusters of three brokers: leaders and controllers move, a broker never comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError as AioKafkaError

from engine.api.snapshots import FlowState, PartitionSnapshot
from engine.sandbox import Sandbox
from tests.faults.conftest import Linked, behind_proxy
from tests.faults.rig import (
    CLICKS,
    IMPATIENT,
    ORDERS,
    PARTITIONS,
    POLL_S,
    EngineProcess,
    Rig,
    rig,
    until,
)
from tests.kafka.engines import producer

pytestmark = pytest.mark.kafka

BOTH = ("east", "west")


@pytest.fixture(scope="module")
def linked_trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linked]:
    """Two clusters of three brokers, each broker a controller too, behind a proxy."""
    with behind_proxy(tmp_path_factory.mktemp("trio"), 3) as made:
        yield made


@pytest.fixture
def trio(linked_trio: Linked) -> Sandbox:
    """The clusters, without the proxy."""
    return linked_trio.sandbox


async def _tool(sandbox: Sandbox, cluster: str, main: str, *arguments: str) -> str:
    """Run one of Kafka's own tools on a cluster."""
    command = ["--bootstrap-server", sandbox.bootstrap(cluster), *arguments]
    done = await sandbox.java.run(f"org.apache.kafka.tools.{main}", command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _controller(sandbox: Sandbox, cluster: str, *, but: int = 0) -> int:
    """Return the active controller as the brokers remember it; not `but`, which is dead."""
    remembered = []
    for node in (1, 2, 3):
        data = sandbox.log_file(cluster, node).parent / "data"
        state = json.loads((data / "__cluster_metadata-0" / "quorum-state").read_text())
        if node != but:
            remembered.append((state["leaderEpoch"], state["leaderId"]))
    return int(max(remembered)[1])


async def test_controllers_and_their_leaders_move(trio: Sandbox, tmp_path: Path) -> None:
    """The active controller of either cluster is killed, with all it leads, and comes back."""
    async with rig(trio, tmp_path) as flow:
        await flow.load(2, shapes=(CLICKS, ORDERS))
        engine = flow.engine()
        engine.start()
        await engine.works()
        before = [_controller(trio, cluster) for cluster in BOTH]
        await asyncio.gather(
            *(trio.kill_broker(cluster, node) for cluster, node in zip(BOTH, before, strict=True))
        )
        await engine.works()
        for cluster, old in zip(BOTH, before, strict=True):

            async def moved(cluster: str = cluster, old: int = old) -> bool:
                return _controller(trio, cluster, but=old) not in {old, -1}

            await until(moved, f"{cluster} has another controller")
        await asyncio.gather(
            *(trio.start_broker(cluster, node) for cluster, node in zip(BOTH, before, strict=True))
        )
        await engine.works()
        await flow.intact(engine)


async def test_leaders_are_moved_by_an_operator(trio: Sandbox, tmp_path: Path) -> None:
    """By kafka-reassign-partitions and kafka-leader-election, on either side, under load."""
    async with rig(trio, tmp_path) as flow:
        await flow.load(2, shapes=(CLICKS, ORDERS))
        engine = flow.engine()
        engine.start()
        await engine.works()
        before = await _leaders(flow)
        await asyncio.gather(*(_move_leaders(flow, cluster, before[cluster]) for cluster in BOTH))
        after = await _leaders(flow)
        for cluster in BOTH:
            assert all(before[cluster][key] != after[cluster][key] for key in before[cluster])
        await engine.works()
        await flow.intact(engine)


async def _leaders(flow: Rig) -> dict[str, dict[tuple[str, int], int]]:
    return {cluster: await _topics(flow, cluster, "leader") for cluster in BOTH}


async def _topics(flow: Rig, cluster: str, what: str) -> dict[tuple[str, int], Any]:
    """Return `leader` or `isr` of all partitions."""
    topics = await _asked(flow.sandbox, cluster, lambda admin: admin.describe_topics(flow.topics))
    return {
        (topic["topic"], partition["partition"]): partition[what]
        for topic in topics
        for partition in topic["partitions"]
    }


async def _asked(
    sandbox: Sandbox, cluster: str, ask: Callable[[AIOKafkaAdminClient], Awaitable[Any]]
) -> Any:
    """Ask by aiokafka, until it picks a broker that is there."""
    while True:
        admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap(cluster))
        try:
            await admin.start()
            return await ask(admin)
        except AioKafkaError:
            await asyncio.sleep(POLL_S)
        finally:
            await admin.close()


async def _move_leaders(flow: Rig, cluster: str, leaders: dict[tuple[str, int], int]) -> None:
    """Make the next broker of the three the first replica of every partition, and elect it."""
    plan = [
        {
            "topic": topic,
            "partition": partition,
            "replicas": [(leader + step) % 3 + 1 for step in range(3)],
        }
        for (topic, partition), leader in leaders.items()
    ]
    path = flow.folder / f"{cluster}-moves.json"
    path.write_text(json.dumps({"version": 1, "partitions": plan}))
    reassign = "reassign.ReassignPartitionsCommand"
    await _tool(flow.sandbox, cluster, reassign, "--reassignment-json-file", str(path), "--execute")
    await _tool(
        flow.sandbox, cluster, "LeaderElectionCommand",
        "--election-type", "preferred", "--all-topic-partitions",
    )  # fmt: skip


async def test_one_broker_is_a_black_hole(linked_trio: Linked, tmp_path: Path) -> None:
    """Of the target's three: the partitions that it leads wait, the others go on meanwhile."""
    proxy, port = linked_trio.proxy, linked_trio.ports["west"][1]
    async with rig(linked_trio.sandbox, tmp_path, linked_trio.bootstrap) as flow:
        await flow.load(1.5, shapes=(CLICKS, ORDERS))
        flow.timeouts = IMPATIENT
        engine = flow.engine()
        engine.start()
        await engine.works()
        leads = {key for key, node in (await _leaders(flow))["west"].items() if node == 2}
        proxy.black_hole(port)
        proxy.cut(port, reset=True)
        try:
            waiting = await engine.reaches(FlowState.WAITING, reason="no answer within 3 s")
            assert waiting.reason is not None
            assert f"west at 127.0.0.1:{port}" in waiting.reason.text
            before = await _mirrored(engine, flow)

            async def others_go_on() -> bool:
                now = await _mirrored(engine, flow)
                return all(now[key] > before[key] for key in now.keys() - leads)

            await until(others_go_on, "the other partitions go on")
        finally:
            proxy.calm(port)
        now = await _mirrored(engine, flow)
        assert leads
        assert all(now[key] == before[key] for key in leads)
        proxy.cut(port, reset=True)  # what waits for an answer in the hole
        await engine.reaches(FlowState.RUNNING)
        await flow.intact(engine)


async def _mirrored(engine: EngineProcess, flow: Rig) -> dict[tuple[str, int], int]:
    page = await engine.api.flows.partitions(flow.flow)
    return {(row.topic, row.partition): row.mirrored_to or 0 for row in page.partitions}


async def test_a_broker_is_gone_for_good(trio: Sandbox, tmp_path: Path) -> None:
    """Of the target's three: what has another replica goes on, as far as min.insync.replicas lets
    it; the rest waits and says why. It went on by itself once an operator had lowered the one and
    brought back the other.
    """
    async with rig(trio, tmp_path) as flow:
        strict, single = flow.topic("strict"), flow.topic("single")
        await _create(trio, "east", strict, 3)
        await _create(trio, "west", strict, 3, {"min.insync.replicas": "3"})
        await _create(trio, "east", single, 1)
        flow.topics += [strict, single]
        await flow.load(2, shapes=(ORDERS,), min_insync_replicas="2")
        engine = flow.engine()
        engine.start()
        await engine.works()
        sent = [await _send(trio, topic) for topic in (strict, single)]
        await flow.drained_of(engine, [strict, single])
        await trio.kill_broker("west", 3)

        async def missed() -> bool:
            return not any(3 in isr for isr in (await _topics(flow, "west", "isr")).values())

        await until(missed, "the target misses the broker")
        sent += [await _send(trio, topic) for topic in (strict, single)]

        said: dict[str, dict[int, str]] = {strict: {}, single: {}}

        async def all_said() -> bool:
            rows = await _rows(engine, flow)
            for topic, reasons in said.items():
                reasons |= {r.partition: r.reason.text for r in rows[topic] if r.reason}
            return (
                len(said[strict]) == PARTITIONS
                and all("NOT_ENOUGH_REPLICAS" in text for text in said[strict].values())
                and 0 < len(said[single]) < PARTITIONS
                and all("no leader" in text for text in said[single].values())
            )

        try:
            await until(all_said, "what cannot go on says why")
        except AssertionError as error:
            raise AssertionError(f"{error}: {said}") from None
        await flow.end_load()
        await flow.drained_of(engine, [topic for topic in flow.topics if "orders" in topic])
        rows = await _rows(engine, flow)
        assert all(row.lag_records for row in rows[strict])
        assert {r.partition for r in rows[single] if r.lag_records} == said[single].keys()

        await _set_min_insync(trio, strict, 2)
        await flow.drained_of(engine, [strict])
        await trio.start_broker("west", 3)
        await flow.intact(engine, others=sum(sent))


async def _rows(engine: EngineProcess, flow: Rig) -> dict[str, list[PartitionSnapshot]]:
    page = await engine.api.flows.partitions(flow.flow)
    return {topic: [row for row in page.partitions if row.topic == topic] for topic in flow.topics}


async def _create(
    sandbox: Sandbox, cluster: str, topic: str, replicas: int, configs: dict[str, str] | None = None
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap(cluster))
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, replicas, topic_configs=configs)])
    await admin.close()


async def _set_min_insync(sandbox: Sandbox, topic: str, replicas: int) -> None:
    change = ConfigResource(
        ConfigResourceType.TOPIC, topic, configs={"min.insync.replicas": str(replicas)}
    )
    await _asked(sandbox, "west", lambda admin: admin.alter_configs([change]))


async def _send(sandbox: Sandbox, topic: str) -> int:
    """Produce some records to each partition of the source topic; return how many in all."""
    numbers = range(40)
    async with producer(sandbox) as plain:
        for number in numbers:
            value = f"{topic} {number}".encode()
            await plain.send_and_wait(topic, value, key=b"k", partition=number % PARTITIONS)
    return len(numbers)
