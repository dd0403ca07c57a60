"""docs/permissions.md is enough, and what is missing is told: by `ccr check` and while running."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ccr_tui.cli.check import exit_code
from ccr_tui.cli.main import main
from engine.api.group_snapshots import GroupState
from engine.api.preview_snapshots import Action
from engine.api.snapshots import FlowState, OutOfStep, PartitionState, SyncState
from engine.checking import CheckReport, Grant, check
from engine.config.cluster_section import ClusterConfig
from engine.config.model import Config
from engine.kafka.cluster import Cluster
from engine.kafka.topic_configs import alter_configs
from engine.sandbox import Listener
from tests.kafka.engines import FreshTopic, Running, create, grow, running, until
from tests.kafka.group_tools import commit, reaches
from tests.kafka.test_security import assert_mirrored, produce
from tests.secured import Acls, Secured

pytestmark = pytest.mark.kafka

DOCS = Path(__file__).parents[2] / "docs" / "permissions.md"
_BLOCK = re.compile(r"```sh\n# (source|target)(?:, \w+)?\n(.*?)```", re.DOTALL)
USER = "limited"


def documented(side: str, flow: str, prefix: str) -> list[list[str]]:
    """Return the documented commands for the source or the target, for other names."""
    names = {"User:ccr": f"User:{USER}", "orders.": prefix, "primary-to-dr": flow}
    names |= {"primary.": "east.", "syncs.dr.": "syncs.west."}
    # The clusters are other tests' too.
    names |= {"--group '*'": f"--resource-pattern-type prefixed --group {prefix}"}
    commands = []
    for found, block in _BLOCK.findall(DOCS.read_text()):
        for line in block.strip().splitlines() if found == side else ():
            tool, *words = shlex.split(
                re.sub("|".join(map(re.escape, names)), lambda name: names[name[0]], line)
            )
            assert tool == "kafka-acls"
            commands.append(words)
    return commands


@dataclass
class Limited:
    """A user, a flow of its own over the topics that begin with `prefix`."""

    secured: Secured
    prefix: str

    @property
    def flow(self) -> str:
        return f"flow-{self.prefix.rstrip('.')}"

    @property
    def topic(self) -> str:
        return f"{self.prefix}one"

    @property
    def state(self) -> str:
        return f"ccr.{self.flow}.internal"

    @property
    def source(self) -> Acls:
        return Acls(self.secured, "east", USER)

    @property
    def target(self) -> Acls:
        return Acls(self.secured, "west", USER)

    def clusters(self) -> dict[str, Any]:
        login = self.secured.login(USER, "SCRAM-SHA-512")
        return {
            name: self.secured.section(name, Listener.SASL, sasl=login) for name in ("east", "west")
        }

    def config(self, **flow: Any) -> dict[str, Any]:
        # Other tests have left groups on these clusters.
        ours = {"include": [re.escape(self.prefix) + ".*"]}
        section = {"source": "east", "target": "west", "topics": ours, "groups": ours, **flow}
        return {"version": 1, "clusters": self.clusters(), "flows": {self.flow: section}}

    def running(self, **settings: Any) -> Any:
        include = [re.escape(self.prefix) + ".*"]
        settings = {"groups": {"include": include}} | settings
        return running(
            self.secured.sandbox, include, name=self.flow, clusters=self.clusters(), **settings
        )

    async def allow_all(self) -> None:
        """Allow what the documentation says, quickly."""
        await self.source.allow(self.prefix, "READ", "DESCRIBE_CONFIGS", prefixed=True)
        needed = ("CREATE", "ALTER", "WRITE", "READ", "ALTER_CONFIGS")
        await self.target.allow(self.prefix, *needed, prefixed=True)
        await self.target.allow(self.state, "CREATE", "WRITE", "READ")

    async def check(self, **flow: Any) -> CheckReport:
        return await check(Config.model_validate(self.config(**flow)))


@pytest.fixture
def limited(secured: Secured, fresh_topic: FreshTopic) -> Limited:
    return Limited(secured, f"{fresh_topic('acl')}.")


async def test_the_documented_permissions_are_enough(limited: Limited) -> None:
    """Exactly those of the documentation, given by Kafka's own tool, and the main job with them."""
    secured = limited.secured
    for cluster, side in (("east", "source"), ("west", "target")):
        for words in documented(side, limited.flow, limited.prefix):
            given = await secured.sandbox.java.run(
                "org.apache.kafka.tools.AclCommand",
                ["--bootstrap-server", secured.sandbox.bootstrap(cluster), *words],
            )
            assert given.returncode == 0, given.stdout + given.stderr
    await create(secured.sandbox, limited.topic, 2, cleanup_policy="compact")
    await produce(secured, limited.topic)
    optional = {
        "on_poison": "quarantine",
        "offsets": "identical",
        "mm2": {"heartbeats": "both", "offset_syncs": "source", "checkpoints": True},
        "sync": {"acls": True},
    }
    await Acls(secured, "east", "alice").allow(limited.topic, "READ")
    group = f"{limited.prefix}group"
    await commit(secured.sandbox, "east", group, {(limited.topic, 0): 100})
    before = await limited.check(**optional)
    assert exit_code(before) == 0, before
    async with limited.running(**optional) as engine:
        await engine.mirrored(limited.topic, 300)
        await until(
            lambda: (
                {s.name for s in engine.flow.snapshot().syncs if s.state == SyncState.IN_STEP}
                >= {"mm2 heartbeats", "mm2 offset syncs"}
            ),
            "MirrorMaker 2's topics are written",
        )
        await until(
            lambda: [s.changes for s in engine.flow.snapshot().syncs if s.name == "acls"] == [1],
            "alice's ACL is carried",
        )
        found = await reaches(engine, group, GroupState.IN_STEP)
        assert found.partitions[0].target_offset == 100
        await grow(secured.sandbox, limited.topic, 3)
        await until(lambda: (limited.topic, 2) in engine.flow.board.partitions, "it is grown")
        await produce(secured, limited.topic, 100, first=300)
        await engine.mirrored(limited.topic, 400)
    # Once more: now it has to find out what the mirror holds.
    async with limited.running(**optional) as engine:
        await produce(secured, limited.topic, 50, first=400)
        await engine.mirrored(limited.topic, 450)
    await assert_mirrored(secured, limited.topic, 450)
    after = await limited.check()
    assert exit_code(after) == 0
    assert {each.grant for each in after.flows[0].permissions} == {Grant.GRANTED}


async def test_check_names_each_permission_that_is_missing(limited: Limited) -> None:
    await limited.allow_all()
    await create(limited.secured.sandbox, limited.topic, 1)
    assert exit_code(await limited.check()) == 0
    prefix = limited.prefix
    # The mirror and the state topic are not there yet.
    for acls, name, operation, prefixed in (
        (limited.source, prefix, "DESCRIBE_CONFIGS", True),
        (limited.target, prefix, "CREATE", True),
        (limited.target, limited.state, "CREATE", False),
    ):
        await _check_without(limited, acls, name, operation, prefixed=prefixed)
    async with limited.running() as engine:
        await until(lambda: engine.flow.state()[0] == FlowState.RUNNING, "the mirror is made")
    for acls, name, operation, prefixed in (
        (limited.target, prefix, "WRITE", True),
        (limited.target, prefix, "READ", True),
        (limited.target, prefix, "ALTER", True),
        (limited.target, prefix, "ALTER_CONFIGS", True),
        (limited.target, limited.state, "WRITE", False),
        (limited.target, limited.state, "READ", False),
    ):
        await _check_without(limited, acls, name, operation, prefixed=prefixed)


async def _check_without(
    limited: Limited, acls: Acls, name: str, operation: str, *, prefixed: bool
) -> None:
    await acls.remove(name, operation, prefixed=prefixed)
    report = await limited.check()
    await acls.allow(name, operation, prefixed=prefixed)
    topic = limited.topic if prefixed else name
    found = [(each.cluster, each.operation, each.topics) for each in report.flows[0].missing]
    assert found == [(acls.cluster, operation, (topic,))]
    assert exit_code(report) == 1


async def test_check_of_a_topic_that_may_not_be_read(limited: Limited) -> None:
    """Topics that may not be described are not listed; those that are named are asked for."""
    await limited.allow_all()
    await limited.source.remove(limited.prefix, "READ", "DESCRIBE_CONFIGS", prefixed=True)
    await create(limited.secured.sandbox, limited.topic, 1)
    report = await limited.check()
    assert report.flows[0].topics == 0
    assert "topics that we may not DESCRIBE are not listed" in report.flows[0].problems[0].next_step
    report = await limited.check(topics={"include": [re.escape(limited.topic)]})
    missing = [(each.cluster, each.operation, each.topics) for each in report.flows[0].missing]
    assert missing == [("east", "READ", (limited.topic,))]


async def test_ccr_check(
    limited: Limited, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command: tables, JSON, exit codes; certificates with their ends."""
    secured, path = limited.secured, tmp_path / "ccr.yaml"
    await limited.allow_all()
    await create(secured.sandbox, limited.topic, 1)
    config = limited.config()
    tls = {"ca": secured.ca, "certificate": secured.client_certificate(USER)}
    config["clusters"]["west"] = secured.section("west", Listener.MTLS, tls=tls)

    async def ccr(*arguments: str) -> tuple[int, str]:
        path.write_text(yaml.safe_dump(config))
        code = await asyncio.to_thread(main, ["check", "--config", str(path), *arguments])
        return code, capsys.readouterr().out

    code, text = await ccr()
    assert code == 0
    assert "4.1 or newer" in text
    assert f"{USER} (SCRAM-SHA-512)" in text
    assert re.search(r"our certificate CN=limited expires on \d{4}-\d\d-\d\d, in 36\d days", text)
    assert re.search(r"the first of the brokers' certificates expires on .*, in\s+36\d days", text)
    assert "no permission is missing" in text
    await limited.target.remove(limited.state, "CREATE")
    code, text = await ccr(limited.flow)
    assert code == 1
    assert f"missing: CREATE on topic {limited.state}" in " ".join(text.split())
    code, text = await ccr("--json", "west")
    assert code == 0
    assert [cluster["name"] for cluster in json.loads(text)["clusters"]] == ["west"]
    code, _ = await ccr("nobody")
    assert code == 2
    config["clusters"]["east"]["sasl"]["password"] = secured.secret("not this")
    code, text = await ccr("--json")
    assert code == 3
    east = json.loads(text)["clusters"][0]
    assert "the login limited (SCRAM-SHA-512) was refused" in east["problem"]["text"]


async def _stopped(engine: Running, limited: Limited) -> str:
    await until(
        lambda: engine.flow.board.count_state(PartitionState.STOPPED) == 2, "the partitions stop"
    )
    reason = engine.flow.board.partitions[limited.topic, 0].reason
    assert reason is not None
    return f"{reason.text}. {reason.next_step}"


@pytest.mark.parametrize(
    ("side", "operation", "told"),
    [
        (
            "source",
            "DESCRIBE_CONFIGS",
            "reading the configs of topic {topic} on cluster east: TOPIC_AUTHORIZATION_FAILED",
        ),
        ("target", "CREATE", "creating topic {topic} on cluster west: TOPIC_AUTHORIZATION_FAILED"),
    ],
    ids=["configs", "create"],
)
async def test_a_mirror_that_may_not_be_made(
    limited: Limited, side: str, operation: str, told: str
) -> None:
    """Its partitions stop with the reason; granted, `ccr retry` starts them."""
    await limited.allow_all()
    acls = limited.source if side == "source" else limited.target
    await acls.remove(limited.prefix, operation, prefixed=True)
    await create(limited.secured.sandbox, limited.topic, 2)
    await produce(limited.secured, limited.topic, 100)
    async with limited.running() as engine:
        text = await _stopped(engine, limited)
        assert told.format(topic=limited.topic) in text
        assert f"Grant {operation} on topic {limited.topic}" in text
        await acls.allow(limited.prefix, operation, prefixed=True)
        await engine.api.flows.retry(limited.flow)
        await engine.mirrored(limited.topic, 100)
    await assert_mirrored(limited.secured, limited.topic, 100)


async def test_a_mirror_that_may_not_be_read(limited: Limited) -> None:
    """Its partitions wait with the reason, and go on by themselves."""
    await limited.allow_all()
    await create(limited.secured.sandbox, limited.topic, 2)
    await produce(limited.secured, limited.topic, 100)
    async with limited.running() as engine:
        await engine.mirrored(limited.topic, 100)
    await limited.target.remove(limited.prefix, "READ", prefixed=True)
    await produce(limited.secured, limited.topic, 100, first=100)
    async with limited.running() as engine:
        board = engine.flow.board
        await until(lambda: board.count_state(PartitionState.WAITING) == 2, "they wait")
        reason = board.partitions[limited.topic, 0].reason
        assert reason is not None
        assert f"{limited.topic}/0 on cluster west: TOPIC_AUTHORIZATION_FAILED" in reason.text
        assert f"Grant READ on topic {limited.topic}" in reason.text
        await limited.target.allow(limited.prefix, "READ", prefixed=True)
        await engine.mirrored(limited.topic, 200)
    await assert_mirrored(limited.secured, limited.topic, 200)


async def test_groups_that_may_not_be_committed_for(limited: Limited) -> None:
    """Those that it may not see there are not carried over, and told; made up for once they may."""
    await limited.allow_all()
    secured, group = limited.secured, f"{limited.prefix}group"
    await create(secured.sandbox, limited.topic, 2)
    await produce(secured, limited.topic)
    await commit(secured.sandbox, "east", group, {(limited.topic, 0): 100})
    await limited.source.allow_group(group, "DESCRIBE")
    settings = {"groups": {"include": [group], "interval": "500ms"}}
    report = await limited.check(**settings)
    wanted = f"consumer groups {group} cannot be carried to west: READ is missing"
    assert wanted in [problem.text for problem in report.flows[0].problems]
    async with limited.running(**settings) as engine:
        await engine.mirrored(limited.topic, 300)
        found = await reaches(engine, group, GroupState.FAILED)
        assert found.reason is not None
        assert "Grant" in found.reason.next_step
        await limited.target.allow_group(group, "READ")
        await reaches(engine, group, GroupState.IN_STEP)
    assert wanted not in [p.text for p in (await limited.check(**settings)).flows[0].problems]


async def test_a_state_topic_that_may_not_be_used(limited: Limited) -> None:
    """The flow waits with the reason, and goes on by itself."""
    await limited.allow_all()
    await limited.target.remove(limited.state, "CREATE", "WRITE", "READ")
    await create(limited.secured.sandbox, limited.topic, 2)
    await produce(limited.secured, limited.topic, 100)
    async with limited.running() as engine:
        await until(lambda: engine.flow.state()[0] == FlowState.WAITING, "the flow waits")
        reason = engine.flow.state()[1]
        assert reason is not None
        assert f"{limited.state} on cluster west: TOPIC_AUTHORIZATION_FAILED" in reason.text
        assert reason.next_step == "Grant READ and WRITE on it, and CREATE (docs/permissions.md)"
        await limited.target.allow(limited.state, "CREATE", "WRITE", "READ")
        await engine.mirrored(limited.topic, 100)
    await assert_mirrored(limited.secured, limited.topic, 100)


async def test_configs_that_may_not_be_changed_are_told(limited: Limited) -> None:
    """By the preview beforehand, and by the syncer; and sizes that may not be asked for."""
    await limited.allow_all()
    await limited.source.remove_on_cluster("DESCRIBE")  # another test may have given it
    sandbox = limited.secured.sandbox
    await create(sandbox, limited.topic, 1, retention_ms="1000")
    section = limited.secured.section("east", Listener.PLAINTEXT)
    east = Cluster("east", ClusterConfig.model_validate(section))
    async with limited.running(configs={"interval": "500ms"}) as engine:
        await until(lambda: engine.flow.board.partitions, "the mirror is made")
        await limited.target.allow(limited.prefix, "DESCRIBE_CONFIGS", prefixed=True)
        await limited.target.remove(limited.prefix, "ALTER_CONFIGS", prefixed=True)
        await alter_configs(east, {limited.topic: {"retention.ms": "2000"}})
        await east.close()

        def left() -> list[OutOfStep]:
            return [o for s in engine.flow.snapshot().syncs if s.name == "configs" for o in s.left]

        await until(left, "it is told")
        assert left()[0].object == f"topic {limited.topic}, retention.ms"
        assert left()[0].next_step == f"Grant ALTER_CONFIGS on topic {limited.topic}"
        preview = await engine.api.flows.preview(engine.name)
        shown = next(each for each in preview.topics if each.topic == limited.topic)
        plan = shown.plan
        assert plan is not None
        assert plan.action == Action.CONFIGURE
        assert plan.conflicts[0].next_step == f"Grant ALTER_CONFIGS on topic {limited.topic}"
        assert shown.size.bytes is None
        assert "Grant DESCRIBE on the cluster" in preview.notes[0]
        await limited.target.allow(limited.prefix, "ALTER_CONFIGS", prefixed=True)
        await until(lambda: not left(), "it is made up for")
