"""Promotion and failover on real clusters, with clients that follow: counted by content."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from engine.api.runbook_snapshots import RunKind, RunOptions, RunState, StepName, StepState
from engine.api.snapshots import FlowState
from engine.errors import RefusedError
from engine.kafka.cluster import LATEST
from engine.kafka.topic_configs import topic_configs
from engine.sandbox import Sandbox
from tests.kafka.engines import FreshTopic, create, until, until_async
from tests.kafka.group_tools import cluster
from tests.kafka.switching import PARTITIONS, Producer, Site, everything, read_by_group, told

pytestmark = pytest.mark.kafka


@pytest.fixture
async def site(sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path) -> Site:
    topic = fresh_topic("switch")
    await create(sandbox, topic, PARTITIONS)
    return Site(sandbox, tmp_path, f"flow-{topic}", topic)


async def test_a_planned_switch_loses_and_repeats_nothing(site: Site) -> None:
    """Clients follow; the way back mirrors what they write now; the old direction is refused."""
    producer = Producer(site)
    async with site.engine() as hands:
        await hands.mirrors()
        before = await read_by_group(site, "east")
        await hands.start(RunKind.PROMOTE)
        run = await hands.ended()
        assert run.state is RunState.DONE, told(run)
        assert {step.state for step in run.steps} == {StepState.DONE}
        await until(lambda: producer.at == "west", "clients write on west")
        await producer.moves_on()
        between = await read_by_group(site, "west")
        assert not set(before) & set(between)  # nothing again
        flow = hands.engine.flow(site.flow)
        assert flow.state()[0] is FlowState.PROMOTED
        back = hands.engine.flow(f"{site.flow}-back")
        await until(lambda: back.board.records_total > 0, "the way back mirrors")
        async with cluster(site.sandbox, "east") as east:
            configs = await topic_configs(east, [site.topic], ["max.message.bytes"])
            assert "max.message.bytes" not in configs[site.topic].own_values  # the fence is down
        with pytest.raises(RefusedError, match="promoted"):
            await hands.api.flows.pause(site.flow)
    async with site.engine() as hands:  # another engine, later: it still refuses, and leads home
        flow = hands.engine.flow(site.flow)
        await until(lambda: flow.state()[0] is FlowState.PROMOTED, "the promotion is known")
        await hands.mirrors(f"{site.flow}-back")
        await hands.start(RunKind.PROMOTE, flow=f"{site.flow}-back")
        run = await hands.ended(flow=f"{site.flow}-back")
        assert run.state is RunState.DONE, told(run)
        await until(lambda: producer.at == "east", "clients write on east again")
        await producer.moves_on()
        written = await producer.end()
        after = await read_by_group(site, "east", len(written) - len(before + between))
        assert sorted(before + between + after) == written  # nothing lost, nothing read again
        assert flow.state()[0] is FlowState.RUNNING
        await until(lambda: flow.board.lag_records == 0, "the old direction mirrors again")
        await until(lambda: flow.board.records_total > 0, "what is new")

        async def followed() -> bool:
            groups = (await hands.api.flows.groups(site.flow)).groups  # none before the first look
            ends = [each.target_offset for group in groups for each in group.partitions]
            return ends == await target_ends(site) and all(group.again == 0 for group in groups)

        await until_async(followed, "the group is followed while the way back rests")
    for name in ("east", "west"):
        assert sorted(await everything(site, name)) == written


async def test_a_switch_that_cannot_be_is_undone(site: Site) -> None:
    """Aborted while it waits for a transaction: the fence comes down, producers write on."""
    site.switch = {"drain_timeout": "1m"}
    open_one = AIOKafkaProducer(
        bootstrap_servers=site.sandbox.bootstrap("east"), transactional_id=site.topic
    )
    await open_one.start()
    async with site.engine() as hands:
        await open_one.begin_transaction()
        await open_one.send_and_wait(site.topic, b"0" * 20, partition=0)
        flow = hands.engine.flow(site.flow)
        await until(lambda: len(flow.board.partitions) == PARTITIONS, "partitions are known")
        await hands.start(RunKind.PROMOTE)

        async def waits() -> bool:
            steps = {step.name.value: step for step in (await hands.latest()).steps}
            return "transaction" in steps["stand"].waits_for

        await until_async(waits, "it waits for the transaction")
        with pytest.raises(RefusedError, match="another run"):
            await hands.api.runbooks.start(site.flow, RunKind.PROMOTE, RunOptions(), "")
        await hands.api.runbooks.abort(site.flow)
        run = await hands.ended()
        assert run.state is RunState.UNDONE, told(run)
        await open_one.commit_transaction()
        await open_one.begin_transaction()
        await open_one.send_and_wait(site.topic, b"1" * 20, partition=0)
        await open_one.commit_transaction()
        await open_one.stop()
        mirror = flow.board.partitions[site.topic, 0]
        await until(lambda: mirror.acked.source >= 4, "it is mirrored on")
        assert flow.state()[0] is FlowState.RUNNING


async def test_failover_promotes_what_has_arrived(site: Site) -> None:
    """The plan says what is lost; groups go on where they were; producers move by themselves."""
    producer = Producer(site)
    async with site.engine() as hands:
        await hands.mirrors()
        before = await read_by_group(site, "east")
        written = await producer.end()
        flow = hands.engine.flow(site.flow)
        rows = flow.board.partitions
        await until(
            lambda: sum(p.acked.source for p in rows.values()) == len(written), "all is mirrored"
        )
        plan = await hands.plan(RunKind.FAILOVER)
        assert plan.loss is not None
        await hands.start(RunKind.FAILOVER)
        run = await hands.ended()
        assert run.state is RunState.DONE, told(run)
        assert run.crossed
        after = await read_by_group(site, "west", len(written) - len(before))
        assert sorted(before + after) == written
        assert site.moved == ["west"]
        assert flow.state()[0] is FlowState.PROMOTED


async def test_a_flow_of_another_name_is_refused_too(site: Site, tmp_path: Path) -> None:
    """Nothing is mirrored from the old primary, by whatever flow, until the promotion is undone."""
    producer = Producer(site)
    async with site.engine() as hands:
        await hands.mirrors()
        await hands.start(RunKind.FAILOVER)
        run = await hands.ended()
        assert run.state is RunState.DONE, told(run)
        await producer.end()
    stands = await target_ends(site)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    other = Site(site.sandbox, folder, f"another-{site.topic}", site.topic)
    async with other.engine() as hands:
        flow = hands.engine.flow(other.flow)
        await until(lambda: flow.state()[0] is FlowState.WAITING, "it waits")
        reason = flow.state()[1]
        assert reason is not None
        why = f"flow {site.flow} mirrored that from east until it was promoted, by run {run.id}"
        assert why in reason.text
        assert f"Remove flow {other.flow}" in reason.next_step
        async with AIOKafkaProducer(bootstrap_servers=site.sandbox.bootstrap("east")) as plain:
            await plain.send_and_wait(site.topic, b"on the old primary", partition=0)
        assert await target_ends(site) == stands


async def test_a_rehearsal_leaves_nothing_behind(site: Site) -> None:
    """Its steps are those of a switch, with their times; the real flow mirrors on all the while."""
    producer = Producer(site)
    async with site.engine() as hands:
        await hands.mirrors()
        before = await topics_of(site)
        plan = await hands.plan(RunKind.REHEARSAL)
        assert not [each for each in plan.findings if each.stops]
        began = await hands.start(RunKind.REHEARSAL)
        run = await hands.ended()
        assert run.id == began
        assert run.state is RunState.DONE, told(run)
        assert [step.name for step in run.steps] == [step.name for step in plan.steps]
        assert all(step.state is StepState.DONE and step.ended > 0 for step in run.steps)
        verified = next(step for step in run.steps if step.name is StepName.VERIFY)
        assert verified.evidence[0] == "600 records compared by content, all equal"
        await until_async(lambda: are_topics(site, before), "all that was made is gone")
        flow = hands.engine.flow(site.flow)
        assert flow.state()[0] is FlowState.RUNNING
        assert not site.moved  # the command that moves clients was not run
        await producer.moves_on()
        told_of = [each for each in hands.engine.events.since(0) if each.subject != site.flow]
        assert not [each for each in told_of if "not known what it writes" in each.text]
    await producer.end()
    async with site.engine() as hands:  # on record, for whoever asks later
        await hands.mirrors()
        assert (await hands.latest()).kind is RunKind.REHEARSAL


async def topics_of(site: Site) -> dict[str, set[str]]:
    """Return the topics of both clusters."""
    found = {}
    for name in ("east", "west"):
        async with cluster(site.sandbox, name) as connected:
            found[name] = set((await connected.metadata()).topics)
    return found


async def are_topics(site: Site, before: dict[str, set[str]]) -> bool:
    """Whether there are no more topics than before, but for the consumers' own."""
    now = await topics_of(site)
    return all(now[name] - before[name] <= {"__consumer_offsets"} for name in before)


async def target_ends(site: Site) -> list[int]:
    """Return where the mirror's partitions end."""
    async with cluster(site.sandbox, "west") as west:
        keys = [(site.topic, number) for number in range(PARTITIONS)]
        ends = await west.list_offsets(
            dict.fromkeys(keys, LATEST), await west.metadata([site.topic])
        )
    return [ends[key] for key in keys]
