"""What `ccr loss` says is what is missing on the target, also once the source is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition

from ccr_tui.cli.main import main
from engine.api.loss_snapshots import LossSnapshot
from engine.api.snapshots import PartitionState
from engine.sandbox import ClusterSpec, Sandbox
from engine.service import loss_wording
from tests.kafka.engines import FreshTopic, Running, create, producer, read, running, until

pytestmark = pytest.mark.kafka

PAYLOAD = b"x" * 1000


async def write(sandbox: Sandbox, topic: str, count: int, *, partition: int = 0) -> None:
    """Write records of 1000 bytes, no two of them alike."""
    async with producer(sandbox) as plain:
        for number in range(count):
            key = b"%s-%d" % (topic.encode(), number)
            await plain.send(topic, PAYLOAD, key=key, partition=partition)


async def missing(sandbox: Sandbox, topic: str) -> int:
    """Read both clusters and count what only the source has."""
    there = {(r.partition, r.key, r.timestamp) for r in await read(sandbox, "west", topic)}
    here = [(r.partition, r.key, r.timestamp) for r in await read(sandbox, "east", topic)]
    return sum(record not in there for record in here)


async def settles(
    ask: Callable[[], Awaitable[LossSnapshot]], condition: Callable[[LossSnapshot], bool], what: str
) -> LossSnapshot:
    """Ask until a condition holds; fails naming it."""
    for _ in range(600):
        seen = await ask()
        if condition(seen):
            return seen
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within 30 s: {what}; {seen}")


async def loss_of(engine: Running, records: int) -> LossSnapshot:
    return await settles(
        lambda: engine.api.flows.loss(engine.name),
        lambda seen: seen.lost_records == records and seen.groups_looked_at > 0,
        f"{records} records would be lost",
    )


async def commit(sandbox: Sandbox, cluster: str, group: str, topic: str, offset: int) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=sandbox.bootstrap(cluster), group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    await consumer.commit({partition: offset})
    await consumer.stop()


async def test_what_would_be_lost_is_what_the_target_lacks(
    sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Records, bytes, partitions, topics and groups; by a running engine and by none."""
    prefix = fresh_topic("loss")
    orders, clicks, group = f"{prefix}.orders", f"{prefix}.clicks", f"{prefix}-billing"
    await create(sandbox, orders, 2)
    await create(sandbox, clicks)
    await write(sandbox, orders, 20)
    await write(sandbox, clicks, 5)
    settings = {"groups": {"include": [f"{prefix}.*"], "interval": "500ms"}, "name": prefix}
    async with running(sandbox, [rf"{prefix}\..*"], **settings) as engine:
        await engine.in_step(**{orders: 20, clicks: 5})
        await settles(
            lambda: engine.api.flows.loss(engine.name),
            lambda seen: (seen.lost_records, seen.at_least) == (0, False),
            "nothing would be lost, as of just now",
        )
        await engine.api.flows.pause(engine.name)
        await write(sandbox, orders, 30)
        await write(sandbox, orders, 7, partition=1)
        await write(sandbox, clicks, 3)
        # Reads up to 40, which the target does not have: 10 are lost to it, none is read again.
        await commit(sandbox, "east", group, orders, 40)
        loss = await loss_of(engine, 40)
        assert await missing(sandbox, orders) == 37
        assert await missing(sandbox, clicks) == 3
        assert [(t.topic, t.lost_records, t.partitions, t.partitions_halted) for t in loss.topics]\
            == [(orders, 37, 2, 2), (clicks, 3, 1, 1)]  # fmt: skip
        assert loss.lost_bytes is not None
        assert 40 * 1000 < loss.lost_bytes < 40 * 1300
        assert loss.lost_seconds is not None
        assert 0 < loss.lost_seconds < 30
        listed = (await engine.api.flows.loss(engine.name, orders)).listed
        assert [(row.partition, row.lost_records, row.state) for row in listed] == [
            (0, 30, PartitionState.PAUSED),
            (1, 7, PartitionState.PAUSED),
        ]
        loss = await settles(
            lambda: engine.api.flows.loss(engine.name),
            lambda seen: any(each.group == group for each in seen.groups),
            "the group is looked at",
        )
        (found,) = (each for each in loss.groups if each.group == group)
        assert (found.again_records, found.lost_records) == (0, 10)
        await until(
            lambda: engine.flow.losses.history(None).lost_records[-1:] == (40,),
            "the history has it",
        )
        worst = (await engine.api.flows.loss(engine.name)).worst
        assert worst is not None
        assert worst.lost_records == 40
    one_shot = await asyncio.to_thread(by_command, sandbox, prefix, tmp_path, capsys)
    assert one_shot["lost_records"] == 40
    assert [each["topic"] for each in one_shot["topics"]] == [orders, clicks]
    assert 40 * 1000 < one_shot["lost_bytes"] < 40 * 1300  # as they are on the source's disk
    assert one_shot["source_trouble"] == ""


async def test_what_a_limit_keeps_out_of_the_fetch_is_seen_nevertheless(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """The topic's rate is used up for hours; nobody but the look for it sees the source's end."""
    topic = fresh_topic("limited")
    await create(sandbox, topic)
    async with running(sandbox, [topic]) as engine:
        await until(lambda: (topic, 0) in engine.flow.board.partitions, "the topic is seen")
        await engine.api.flows.limit(engine.name, 1, topic)
        await write(sandbox, topic, 8)
        await engine.mirrored(topic, 8)  # what a limit lets through at once is a batch
        await write(sandbox, topic, 11)
        loss = await settles(
            lambda: engine.api.flows.loss(engine.name),
            lambda seen: seen.lost_records == 11 and not seen.at_least,
            "what the limit keeps back is counted",
        )
        assert await missing(sandbox, topic) == 11
        assert loss.lost_seconds is not None
        assert loss.topics[0].partitions_halted == 0, "it is at work, but slowly"


def by_command(
    sandbox: Sandbox, flow: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, object]:
    """Ask with no engine running: `ccr loss --json`, and its words."""
    config = folder / "ccr.yaml"
    clusters = {
        name: {"bootstrap_servers": sandbox.bootstrap(name).split(",")} for name in ("east", "west")
    }
    topics = {"include": [rf"{flow}\..*"]}
    flows = {flow: {"source": "east", "target": "west", "topics": topics}}
    config.write_text(yaml.safe_dump({"version": 1, "clusters": clusters, "flows": flows}))
    assert main(["loss", flow, "--config", str(config)]) == 0
    assert capsys.readouterr().out.startswith("If east vanished now: ")
    assert main(["loss", flow, "--json", "--config", str(config)]) == 0
    (found,) = json.loads(capsys.readouterr().out)["flows"]
    return found


async def test_a_flow_that_never_ran_would_lose_everything_that_the_source_still_has(
    sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = fresh_topic("never") + ".orders"
    await create(sandbox, topic, 2)
    await write(sandbox, topic, 12)
    flow = topic.removesuffix(".orders")
    found = await asyncio.to_thread(by_command, sandbox, flow, tmp_path, capsys)
    assert (found["lost_records"], found["topics_losing"]) == (12, 1)


async def test_a_source_that_is_gone_leaves_a_lower_bound_with_its_age(
    tmp_path: Path, fresh_topic: FreshTopic
) -> None:
    """What was seen last still counts; the answer says how old it is and why."""
    own = Sandbox(
        tmp_path / "sandbox", {"east": ClusterSpec(), "west": ClusterSpec()}, ephemeral=True
    )
    await own.up()
    topic, followed = fresh_topic("gone"), fresh_topic("followed")
    try:
        await create(own, topic)
        await create(own, followed)
        await write(own, topic, 4)
        await write(own, followed, 3)
        async with running(own, [topic]) as paused, running(own, [followed]) as live:
            await paused.mirrored(topic, 4)
            await live.mirrored(followed, 3)
            await paused.api.flows.pause(paused.name)
            await write(own, topic, 9)
            assert (await loss_of(paused, 9)).at_least is False
            assert await missing(own, topic) == 9
            await own.pause_broker("east", 1)
            frozen = asyncio.get_running_loop().time()
            told = await settles(
                lambda: live.api.flows.loss(live.name),
                lambda seen: bool(seen.source_trouble),
                "the source is known to be away",
            )
            assert "answered nothing since" in told.source_trouble
            for engine, words in ((paused, "at least 9 records"), (live, "nothing of what it had")):
                seen = await engine.api.flows.loss(engine.name)
                assert seen.at_least
                # Not older than the freeze and the last look before it, for an idle topic too.
                age = seen.taken_at - seen.looked_at
                assert 4 < age < asyncio.get_running_loop().time() - frozen + 6
                said = loss_wording.sentence(seen)
                assert words in said
                assert " s ago" in said
            await own.continue_broker("east", 1)
            await settles(
                lambda: live.api.flows.loss(live.name),
                lambda seen: not seen.at_least and not seen.source_trouble,
                "the source is seen again",
            )
    finally:
        await own.continue_broker("east", 1)
        await own.down()
