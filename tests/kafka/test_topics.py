"""What the preview shows is what then happens; configs are kept in step; deletions on request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ccr_tui.cli.main import main
from engine.api.preview_snapshots import (
    Action,
    Conflict,
    ConflictKind,
    PreviewSnapshot,
    Rule,
    TopicPlan,
    ValueFrom,
)
from engine.api.snapshots import FlowState, PartitionState
from engine.config.cluster_section import ClusterConfig
from engine.config.flow_section import FlowConfig, TopicSelection
from engine.kafka.cluster import LATEST, Cluster
from engine.kafka.topic_configs import alter_configs, described_configs
from engine.sandbox import Sandbox
from engine.service.codec import PREVIEW
from tests.kafka.engines import (
    FreshTopic,
    Running,
    create,
    grow,
    producer,
    running,
    until,
    until_async,
)

pytestmark = pytest.mark.kafka

ENDLESS = "(a|a)+b"  # tries 2^n ways on n letters a
QUICK = {"interval": "500ms"}


@dataclass
class Sides:
    """Both clusters, to look at and to change by hand."""

    sandbox: Sandbox
    east: Cluster
    west: Cluster

    async def make(self, cluster: str, topic: str, partitions: int = 1, **configs: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.sandbox.bootstrap(cluster))
        await admin.start()
        named = {key.replace("_", "."): value for key, value in configs.items()}
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=named)])
        await admin.close()

    async def delete(self, cluster: str, topic: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.sandbox.bootstrap(cluster))
        await admin.start()
        await admin.delete_topics([topic])
        await admin.close()

    async def write(self, cluster: str, topic: str, count: int) -> None:
        async with producer(self.sandbox, cluster) as made:
            for number in range(count):
                await made.send_and_wait(topic, b"%d" % number, key=b"k", partition=0)

    async def configs(self, side: Cluster, topic: str) -> dict[str, str]:
        """Return what is set on a topic itself."""
        found, _ = await described_configs(side, [topic])
        return found[topic].own_values if topic in found else {}

    async def has(self, side: Cluster, topic: str, **wanted: str | None) -> None:
        """Wait until a topic has configs as wanted; None: not set."""
        names = {key.replace("_", "."): value for key, value in wanted.items()}
        for _ in range(200):
            own = await self.configs(side, topic)
            if all(own.get(name) == value for name, value in names.items()):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{topic} has {own}, not {names}")


@pytest.fixture
async def sides(sandbox: Sandbox) -> AsyncIterator[Sides]:
    clusters = [
        Cluster(name, ClusterConfig(bootstrap_servers=sandbox.bootstrap(name).split(",")))
        for name in ("east", "west")
    ]
    yield Sides(sandbox, *clusters)
    for cluster in clusters:
        await cluster.close()


def plan_of(preview: PreviewSnapshot, topic: str) -> TopicPlan:
    plan = next(each.plan for each in preview.topics if each.topic == topic)
    assert plan is not None
    return plan


def conflict(plan: TopicPlan, kind: ConflictKind) -> Conflict:
    found = [each for each in plan.conflicts if each.kind == kind]
    assert len(found) == 1, plan.conflicts
    return found[0]


@asynccontextmanager
async def configured(
    sides: Sides, topic: str, *, name: str | None = None, **configs: Any
) -> AsyncIterator[Running]:
    settings = {"configs": {**QUICK, **configs}}
    async with running(sides.sandbox, [topic], name=name, **settings) as engine:
        await until(lambda: synced(engine), "configs are compared")
        yield engine


def synced(engine: Running) -> bool:
    return any(s.name == "configs" and s.looked_at for s in engine.flow.snapshot().syncs)


def left(engine: Running) -> dict[str, str]:
    """What the configs syncer leaves, by object."""
    syncs = [s for s in engine.flow.snapshot().syncs if s.name == "configs"]
    return {each.object: each.text for sync in syncs for each in sync.left}


async def test_what_is_previewed_is_what_happens(
    sides: Sides, fresh_topic: FreshTopic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = fresh_topic("p")
    new, wide, small, old, twin = (f"{at}.{each}" for each in ("new", "wide", "small", "old", "t"))
    archive = f"{at}.archive"
    await create(
        sides.sandbox, new, 3, cleanup_policy="compact", retention_ms="77", min_insync_replicas="2"
    )
    await create(sides.sandbox, archive, 1, retention_ms="1000")
    await create(sides.sandbox, wide, 2)
    await create(sides.sandbox, small, 4, max_message_bytes="2000000")
    await create(sides.sandbox, old, 1, retention_ms="5000")
    await create(sides.sandbox, twin, 1)
    await create(sides.sandbox, f"{at}.tmp", 1)
    await sides.make("west", wide, 5, cleanup_policy="compact")
    await sides.make("west", small, 2, max_message_bytes="9000")
    await sides.make("west", old, 1)
    await sides.make("west", f"{at}_t", 1)  # what the broker's metrics would call the same
    await sides.write("west", old, 7)
    await sides.write("east", new, 30)
    name = fresh_topic("flow")
    flow = {
        "topics": {"include": [rf"{at}\..*"], "exclude": [r".*\.tmp"]},
        "replication_factor": 2,
        "configs": {"pinned": {r".*\.archive": {"retention.ms": "31536000000"}}, **QUICK},
        "topic_refresh": "500ms",
    }
    config = {
        "version": 1,
        "clusters": {
            side: {"bootstrap_servers": sides.sandbox.bootstrap(side).split(",")}
            for side in ("east", "west")
        },
        "flows": {name: {"source": "east", "target": "west", **flow}},
    }
    path = tmp_path / "ccr.yaml"
    path.write_text(yaml.safe_dump(config))

    code = await asyncio.to_thread(main, ["preview", name, "--json", "--config", str(path)])
    shown = json.loads(capsys.readouterr().out)
    assert code == 1, "one topic is refused"
    preview = PREVIEW.validate_python(shown, strict=False)
    by_name = {each.topic: each for each in preview.topics}
    assert by_name[f"{at}.tmp"].decision.rule == Rule.EXCLUDE
    assert by_name[f"{at}.tmp"].plan is None
    assert by_name[new].size.records == 30
    assert (by_name[new].size.bytes or 0) > 30
    assert by_name[new].size.records_per_second == 0.0

    created = plan_of(preview, new)
    assert (created.action, created.partitions, created.replication_factor) == (Action.CREATE, 3, 1)
    assert {(c.name, c.after, c.origin) for c in created.configs} == {
        ("cleanup.policy", "compact", ValueFrom.SOURCE),
        ("retention.ms", "77", ValueFrom.SOURCE),
        ("min.insync.replicas", "1", ValueFrom.CAPPED),
    }
    assert "2 replicas are wanted, the target has 1 broker" in (
        conflict(created, ConflictKind.REPLICATION_FACTOR).text
    )
    assert plan_of(preview, archive).configs[0].after == "31536000000"
    assert plan_of(preview, wide).action == Action.NONE
    assert "5 partitions, the source 2" in (
        conflict(plan_of(preview, wide), ConflictKind.PARTITIONS).text
    )
    conflict(plan_of(preview, wide), ConflictKind.CLEANUP_POLICY)
    grown = plan_of(preview, small)
    assert (grown.action, grown.mirror_partitions) == (Action.GROW, 2)
    assert grown.configs == (), "it was set on the mirror, not by us"
    assert "9000 on the mirror" in conflict(grown, ConflictKind.MAX_MESSAGE_BYTES).text
    assert "holds 7 records" in conflict(plan_of(preview, old), ConflictKind.NOT_OURS).text
    refused = conflict(plan_of(preview, twin), ConflictKind.REFUSED)
    assert refused.blocks
    assert "collides" in refused.text
    assert plan_of(preview, twin).action == Action.REFUSE

    async with running(sides.sandbox, [], name=name, **flow) as engine:
        await until(lambda: synced(engine), "configs are compared")
        await engine.mirrored(new, 30)
        for topic in (new, archive, small, old):
            plan = plan_of(preview, topic)
            metadata = (await sides.west.metadata([topic])).topics[topic]
            assert len(metadata.partitions) == plan.partitions
            assert metadata.replication_factor == plan.replication_factor
            wanted = {each.name.replace(".", "_"): each.after for each in plan.configs}
            await sides.has(sides.west, topic, **wanted)
        assert twin not in (await sides.west.metadata()).topics
        assert (await sides.configs(sides.west, small))["max.message.bytes"] == "9000"
        # The same engine, asked now, has nothing left to do but what it refuses.
        again = await engine.api.flows.preview(name)
        actions = {each.topic: each.plan.action for each in again.topics if each.plan is not None}
        assert actions == {
            **dict.fromkeys((new, archive, wide, small, old), Action.NONE),
            twin: Action.REFUSE,
        }
        kept = plan_of(again, small).kept
        assert [(each.name, each.value, each.wanted) for each in kept] == [
            ("max.message.bytes", "9000", "2000000")
        ]
        # Other regexes are tried without touching anything.
        tried = await engine.api.flows.preview(
            name, TopicSelection(include=[rf"{at}\.tmp"], exclude=[])
        )
        assert plan_of(tried, f"{at}.tmp").action == Action.CREATE
        # And so is a flow that is not there yet.
        section = {"source": "east", "target": "west", "topics": {"include": [new]}}
        candidate = FlowConfig.model_validate({**section, "rename": "prefix"})
        selected = await engine.api.flows.select("not-there", candidate)
        assert (selected.taken, selected.prefix) == (1, "east.")
        planned = plan_of(await engine.api.flows.preview("not-there", candidate), new)
        assert (planned.action, planned.target_topic) == (Action.CREATE, f"east.{new}")
        assert not {f"{at}.tmp", f"east.{new}"} & set((await sides.west.metadata()).topics)


async def test_configs_follow_and_an_operators_own_are_left_alone(
    sides: Sides, fresh_topic: FreshTopic
) -> None:
    topic, name = fresh_topic("configs"), fresh_topic("flow")
    await create(sides.sandbox, topic, 1, retention_ms="1000", segment_ms="60000")
    pinned = {"pinned": {topic: {"retention.bytes": "111"}}, "exclude": [r"segment\..*"]}
    async with configured(sides, topic, name=name, **pinned):
        expected = {"retention_ms": "1000", "retention_bytes": "111", "segment_ms": None}
        await sides.has(sides.west, topic, **expected)
        # Changed and added on the source, with a fence that must never come back in a mirror.
        await alter_configs(
            sides.east,
            {topic: {"retention.ms": "2000", "flush.ms": "5000", "segment.ms": "70000"}},
        )
        await sides.has(sides.west, topic, retention_ms="2000", flush_ms="5000", segment_ms=None)
        # A pinned value is put back; removed on the source is removed here.
        await alter_configs(sides.west, {topic: {"retention.bytes": "222"}})
        await alter_configs(sides.east, {topic: {"flush.ms": None, "retention.bytes": "333"}})
        await sides.has(sides.west, topic, retention_bytes="111", flush_ms=None)
        # An operator's own value stays, whatever the source does, and is told.
        await alter_configs(sides.west, {topic: {"retention.ms": "9999"}})
    async with configured(sides, topic, name=name, **pinned) as engine:
        await alter_configs(sides.east, {topic: {"retention.ms": "3000", "flush.ms": "6000"}})
        await sides.has(sides.west, topic, flush_ms="6000", retention_ms="9999")
        assert left(engine) == {
            f"topic {topic}, retention.ms": "was set to 9999 there, the source has 3000: left alone"
        }
        # As on the source again, both agree, and the source is followed.
        await alter_configs(sides.west, {topic: {"retention.ms": "3000"}})
        await until(lambda: not left(engine), "they agree")
        await alter_configs(sides.east, {topic: {"retention.ms": "4000"}})
        await sides.has(sides.west, topic, retention_ms="4000")
        await alter_configs(sides.west, {topic: {"retention.ms": "8888"}})
    async with configured(sides, topic, name=name, overwrite=True) as engine:
        await sides.has(sides.west, topic, retention_ms="4000", retention_bytes="333")
        await until(lambda: not left(engine), "nothing is left")


async def test_both_ways_a_change_is_carried_over_once(
    sides: Sides, fresh_topic: FreshTopic
) -> None:
    topic = fresh_topic("both")
    await sides.make("east", topic, 1, retention_ms="1000")
    await sides.make("west", topic, 1, retention_ms="2000")
    back = {
        "east": {"bootstrap_servers": sides.sandbox.bootstrap("west").split(",")},
        "west": {"bootstrap_servers": sides.sandbox.bootstrap("east").split(",")},
    }
    settings = {"configs": QUICK}
    async with (
        running(sides.sandbox, [topic], **settings) as there,
        running(sides.sandbox, [topic], clusters=back, **settings) as here,
    ):
        await until(lambda: left(there) and left(here), "neither knows which one is right")
        await alter_configs(sides.west, {topic: {"retention.ms": "1000"}})
        await until(lambda: not left(there) and not left(here), "they agree")
        await alter_configs(sides.east, {topic: {"retention.ms": "5000"}})
        await sides.has(sides.west, topic, retention_ms="5000")
        await until(lambda: not left(there) and not left(here), "they agree")
        await alter_configs(sides.west, {topic: {"retention.ms": None}})
        await sides.has(sides.east, topic, retention_ms=None)
        await until(lambda: not left(there) and not left(here), "they agree")
        assert await sides.configs(sides.west, topic) == {}


def _told(engine: Running, words: str) -> bool:
    syncs = engine.flow.snapshot().syncs
    return any(
        words in left.text for sync in syncs if sync.name == "deletions" for left in sync.left
    )


@pytest.mark.parametrize("deletions", [False, True])
async def test_a_deleted_source_topic(
    sides: Sides, fresh_topic: FreshTopic, *, deletions: bool
) -> None:
    """Its mirror goes with it only when that is asked for, and never with others' records."""
    ours, shared = fresh_topic("ours"), fresh_topic("shared")
    for topic in (ours, shared):
        await create(sides.sandbox, topic, 1)
        await sides.write("east", topic, 5)
    sync = {"deletions": deletions}
    async with running(sides.sandbox, [ours, shared], sync=sync) as engine:
        await engine.in_step(**{ours: 5, shared: 5})
        await sides.write("west", shared, 1)
        for topic in (ours, shared):
            await sides.delete("east", topic)
        preview = await engine.api.flows.preview(engine.name)
        action = Action.DELETE if deletions else Action.KEEP
        for topic in (ours, shared):
            if any(each.topic == topic for each in preview.topics):
                assert plan_of(preview, topic).action == action
        stopped = engine.flow.board.partitions[shared, 0]
        await until(lambda: stopped.state == PartitionState.STOPPED, "its partition stops")
        if deletions:
            await until(lambda: (ours, 0) not in engine.flow.board.partitions, "it is deleted")
            await until(lambda: _told(engine, "not this flow's"), "why the other one is kept")
        there = (await sides.west.metadata()).topics
        assert (ours in there) is not deletions
        assert shared in there
        if deletions:  # a topic of that name begins anew
            await create(sides.sandbox, ours, 1)
            await sides.write("east", ours, 3)
            await engine.mirrored(ours, 3)
            west = await sides.west.metadata([ours])
            assert await sides.west.list_offsets({(ours, 0): LATEST}, west) == {(ours, 0): 3}


async def test_a_regex_without_end_leaves_the_flow_as_it_is(
    sides: Sides, fresh_topic: FreshTopic
) -> None:
    topic, victim = fresh_topic("good"), "a" * 60 + fresh_topic("a").replace("-", "a")
    await create(sides.sandbox, topic, 1)
    async with running(sides.sandbox, [topic, ENDLESS]) as engine:
        await sides.write("east", topic, 3)
        await engine.mirrored(topic, 3)
        await create(sides.sandbox, victim, 1)
        await until(lambda: engine.flow.state()[1] is not None, "the flow says so")
        state, reason = engine.flow.state()
        assert state == FlowState.RUNNING
        assert reason is not None
        assert ENDLESS in reason.text
        assert victim in reason.text
        await grow(sides.sandbox, topic, 2)
        await until(lambda: (topic, 1) in engine.flow.board.partitions, "what there is goes on")
        await sides.write("east", topic, 4)
        await engine.mirrored(topic, 7)
        await sides.delete("east", victim)
        await until(lambda: engine.flow.state()[1] is None, "it goes on by itself")


async def test_two_names_of_one_cluster_are_refused(sides: Sides, fresh_topic: FreshTopic) -> None:
    topic = fresh_topic("circle")
    await create(sides.sandbox, topic, 1)
    await sides.write("east", topic, 1)
    servers = sides.sandbox.bootstrap("east").split(",")
    clusters = {side: {"bootstrap_servers": servers} for side in ("east", "west")}
    async with running(sides.sandbox, [topic], clusters=clusters) as engine:
        await until(lambda: engine.flow.state()[0] == FlowState.WAITING, "it is refused")
        reason = engine.flow.state()[1]
        assert reason is not None
        assert "one and the same" in reason.text
        assert not engine.flow.board.partitions


async def test_an_answer_about_topics_that_is_the_same_again_is_not_read_again(
    sides: Sides, fresh_topic: FreshTopic
) -> None:
    topic = fresh_topic("again")
    await sides.make("east", topic, 2)
    seen = await sides.east.metadata([topic])
    assert await sides.east.metadata([topic]) is seen
    everything = await sides.east.metadata()
    assert await sides.east.metadata([topic]) is seen, "one answer does not push out the other"
    assert everything.topics.keys() > {topic}
    await grow(sides.sandbox, topic, 3)
    await until_async(lambda: _has(sides.east, topic, 3), "the third partition is told of")


async def _has(cluster: Cluster, topic: str, partitions: int) -> bool:
    found = (await cluster.metadata([topic])).topics.get(topic)
    return found is not None and len(found.partitions) == partitions
