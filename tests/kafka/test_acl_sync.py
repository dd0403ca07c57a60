"""ACLs carried between two real clusters with authorizers; real clients say what they are worth."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.protocol.admin import CreateAclsRequest

from engine.api.local import LocalEngineApi
from engine.api.snapshots import EngineMode, SyncSnapshot, SyncState
from engine.checking import check
from engine.config.cluster_section import ClusterConfig
from engine.config.model import Config
from engine.engine import Engine
from engine.errors import ConnectError, KafkaError
from engine.kafka import acls
from engine.kafka.acl_bindings import (
    AclBinding,
    Operation,
    Pattern,
    PatternType,
    Permission,
    ResourceType,
)
from engine.kafka.cluster import Cluster
from engine.replication.sync.acls.memory import withheld
from engine.runbook.fences import AclChoice, make_fence
from engine.runbook.findings import Severity
from engine.sandbox import ClusterSpec, Listener, Sandbox, Security
from tests.kafka.engines import FreshTopic, Running, create, running, until
from tests.kafka.fencing import nobody
from tests.kafka.test_security import produce
from tests.secured import USERS, Secured
from tests.unit.test_acl_plan import binding

pytestmark = pytest.mark.kafka

USER = "limited"
GROUP = ResourceType.GROUP
CLUSTER = 4  # its ResourceType, which ccr does not look at


@asynccontextmanager
async def cluster(secured: Secured, name: str) -> AsyncIterator[Cluster]:
    section = secured.section(name, Listener.PLAINTEXT)
    made = Cluster(name, ClusterConfig.model_validate(section))
    yield made
    await made.close()


async def allow(secured: Secured, name: str, *bindings: AclBinding) -> None:
    async with cluster(secured, name) as at:
        assert await acls.create_acls(at, bindings) == {}


async def revoke(secured: Secured, name: str, *bindings: AclBinding) -> None:
    async with cluster(secured, name) as at:
        assert await acls.delete_acls(at, bindings) == {}


async def standing(secured: Secured, name: str, prefix: str) -> set[AclBinding]:
    """What stands on a cluster for resources whose name begins with `prefix`."""
    async with cluster(secured, name) as at:
        found: Iterable[AclBinding] = [
            each for kind in ResourceType for each in await acls.describe_acls(at, kind)
        ]
    return {each for each in found if each.pattern.name.startswith(prefix)}


async def until_standing(secured: Secured, name: str, prefix: str, wanted: set[AclBinding]) -> None:
    found: set[AclBinding] = set()
    for _ in range(600):
        found = await standing(secured, name, prefix)
        if found == wanted:
            return
        await asyncio.sleep(0.1)
    assert found == wanted


async def read_as(group: str, topic: str, count: int, **settings: Any) -> int:
    """Read at least so many records and commit; return how many."""
    consumer = AIOKafkaConsumer(topic, group_id=group, auto_offset_reset="earliest", **settings)
    await consumer.start()
    try:
        read = 0
        async with asyncio.timeout(60):
            while read < count:
                read += sum(map(len, (await consumer.getmany(timeout_ms=200)).values()))
            await consumer.commit()
        return read
    finally:
        await consumer.stop()


@dataclass(frozen=True)
class Client:
    """Somebody who logs in at a cluster with a password."""

    secured: Secured
    cluster: str

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.secured.bootstrap(self.cluster, Listener.SASL),
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": USER,
            "sasl_plain_password": USERS[USER],
        }

    async def read(self, topic: str, group: str, count: int) -> int:
        """Read as a member of a group; raises aiokafka's errors when that is not allowed."""
        return await read_as(group, topic, count, **self.settings)

    async def write(self, topic: str) -> None:
        """Write a record; raises aiokafka's errors when that is not allowed."""
        producer = AIOKafkaProducer(**self.settings)
        await producer.start()
        try:
            await producer.send_and_wait(topic, b"intruder")
        finally:
            await producer.stop()


@dataclass(frozen=True)
class AclFlow:
    """A flow of its own over topics and groups that begin with a name."""

    secured: Secured
    prefix: str

    @property
    def topic(self) -> str:
        return f"{self.prefix}.one"

    @property
    def group(self) -> str:
        return f"{self.prefix}-readers"

    @property
    def clusters(self) -> dict[str, Any]:
        return {name: self.secured.section(name, Listener.PLAINTEXT) for name in ("east", "west")}

    def running(self, **settings: Any) -> Any:
        acl_section = {"interval": "1s", "principals": {r"User:(.*)@east": r"User:\1"}}
        settings.setdefault("clusters", self.clusters)
        return running(
            self.secured.sandbox,
            [re.escape(self.prefix) + ".*"],
            name=f"flow-{self.prefix}",
            sync={"acls": True, "groups": False},
            groups={"include": [re.escape(self.prefix) + ".*"], "exclude": [".*-tools"]},
            acls=acl_section | settings.pop("acls", {}),
            **settings,
        )


@pytest.fixture
def flow(secured: Secured, fresh_topic: FreshTopic) -> AclFlow:
    return AclFlow(secured, fresh_topic("acls"))


NOT_YET = SyncSnapshot("acls", SyncState.STARTING, None, 0, (), 0, 0.0, 0.0)


def shown(engine: Running) -> SyncSnapshot:
    syncs = engine.flow.snapshot().syncs  # none before the flow is claimed
    return next((each for each in syncs if each.name == "acls"), NOT_YET)


async def test_a_principal_reads_the_mirror_and_cannot_write_it(flow: AclFlow) -> None:
    """Wide bindings and another name on the source; a restart in between; others' stay."""
    secured, topic = flow.secured, flow.topic
    there = f"User:{USER}@east"
    of_topics = binding(f"{flow.prefix}.", "ALL", there, kind="PREFIXED")
    of_groups = binding(flow.prefix, "READ", there, kind="PREFIXED", resource=GROUP)
    denied = binding(topic, "READ", "User:mallory@east", permission="DENY")
    await allow(secured, "east", of_topics, of_groups, denied)
    # Somebody had given these on the target before: one is what would be carried anyway.
    theirs = {binding(topic, "DESCRIBE", f"User:{USER}"), binding(topic, "READ", "User:other")}
    await allow(secured, "west", *theirs)
    await create(secured.sandbox, topic, 2)
    await produce(secured, topic, 60)
    await read_as(flow.group, topic, 1, bootstrap_servers=secured.bootstrap("east"))
    await read_as(f"{flow.prefix}-tools", topic, 1, bootstrap_servers=secured.bootstrap("east"))
    carried = {
        binding(topic, "READ", f"User:{USER}"),
        binding(topic, "DESCRIBE_CONFIGS", f"User:{USER}"),
        binding(topic, "READ", "User:mallory", permission="DENY"),
        binding(flow.group, "READ", f"User:{USER}", resource=GROUP),
    }
    client = Client(secured, "west")
    async with flow.running() as engine:
        await engine.mirrored(topic, 60)
        await until_standing(secured, "west", flow.prefix, carried | theirs)
        assert await client.read(topic, flow.group, 60) == 60
        with pytest.raises(kafka_errors.TopicAuthorizationFailedError):
            await client.write(topic)
        await until(lambda: shown(engine).state == SyncState.IN_STEP, "ACLs are in step")
        assert (shown(engine).changes, shown(engine).left) == (4, ())
    await revoke(secured, "east", of_topics, denied)
    async with flow.running() as engine:
        kept = {each for each in carried if each.pattern.resource == GROUP}
        await until_standing(secured, "west", flow.prefix, kept | theirs)
        with pytest.raises(kafka_errors.TopicAuthorizationFailedError):
            await client.read(topic, flow.group, 1)
        await until(lambda: shown(engine).changes == 3, "it is shown")
    assert await standing(secured, "east", flow.prefix) == {of_groups}


async def test_what_is_withheld_is_remembered_for_promotion(flow: AclFlow) -> None:
    """In the state topic, over a restart; granted as it stands there, the principal may write."""
    secured, topic = flow.secured, flow.topic
    await allow(
        secured, "east", binding(topic, "WRITE", f"User:{USER}"),
        binding(topic, "WRITE", "User:bob", permission="DENY"),
        binding(topic, "DELETE", "User:*", permission="DENY"),
    )  # fmt: skip
    await create(secured.sandbox, topic, 1)
    async with flow.running() as engine:
        await until(lambda: shown(engine).state == SyncState.OUT_OF_STEP, "it has looked")
        await until(lambda: shown(engine).left != (), "it has looked at the mirror")
        (left,) = shown(engine).left
        assert left.object == f"topic {topic}"
        assert left.text.startswith("DENY DELETE for User:*: not carried to west: it would lock")
        preview = (await engine.api.flows.preview(engine.name)).acls
        assert preview is not None
        # Nothing about the DENY for bob, which ccr created by now.
        assert [(row.verdict, row.object, row.text) for row in preview.rows] == [
            ("withhold", f"topic {topic}", f"ALLOW WRITE for User:{USER}"),
            ("leave alone", f"topic {topic}", left.text),
        ]
    async with flow.running() as engine:
        await until(lambda: engine.flow.board.partitions, "the state topic was read")
        memory = withheld(engine.flow._state.record, [topic])
        assert memory.withheld == {binding(topic, "WRITE", f"User:{USER}")}
        assert memory.not_carried == {binding(topic, "DELETE", "User:*", permission="DENY")}
        assert memory.created == {binding(topic, "WRITE", "User:bob", permission="DENY")}
    await allow(secured, "west", *memory.withheld)
    await Client(secured, "west").write(topic)


async def test_what_was_created_is_known_though_the_answer_was_lost(
    flow: AclFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was remembered before: it is not taken for somebody else's, and goes with the source's."""
    secured, topic = flow.secured, flow.topic
    there = binding(topic, "READ", "User:alice")
    await allow(secured, "east", there)
    await create(secured.sandbox, topic, 1)
    asked = 0

    async def create_and_lose_the_answer(
        at: Cluster, bindings: Iterable[AclBinding]
    ) -> dict[AclBinding, KafkaError]:
        nonlocal asked
        wanted = list(bindings)
        answer = await create_acls(at, wanted)
        asked += bool(wanted)
        if wanted and asked == 1:
            raise ConnectError("asking cluster", at.name, "the answer was lost")
        return answer

    create_acls = acls.create_acls
    monkeypatch.setattr(acls, "create_acls", create_and_lose_the_answer)
    async with flow.running() as engine:
        await until(lambda: shown(engine).state == SyncState.FAILING, "the answer is lost")
        assert await standing(secured, "west", topic) == {there}
        await until(lambda: shown(engine).state == SyncState.IN_STEP, "it looks again")
        await revoke(secured, "east", there)
        await until_standing(secured, "west", topic, set())
    assert asked == 1


async def test_a_source_without_an_authorizer(
    flow: AclFlow, sandbox: Sandbox, secured: Secured
) -> None:
    """Said once, in a sentence; nothing fails, nothing is taken away on the target."""
    plain = {"bootstrap_servers": sandbox.bootstrap("east").split(",")}
    clusters = {"east": plain, "west": flow.clusters["west"]}
    await create(sandbox, flow.topic, 1)
    theirs = binding(flow.topic, "READ", "User:other")
    await allow(secured, "west", theirs)
    async with flow.running(clusters=clusters) as engine:
        await until(lambda: engine.flow.board.partitions, "it mirrors")
        await until(lambda: shown(engine).state == SyncState.OUT_OF_STEP, "it is said")
        (left,) = shown(engine).left
        assert (left.object, left.text) == (
            "cluster east", "it has no authorizer, so it has no ACLs",
        )  # fmt: skip
        assert left.next_step == "Set sync.acls: false, or give the cluster an authorizer"
        preview = await engine.api.flows.preview(engine.name)
        assert preview.acls is None
        assert any("cluster east: it has no authorizer" in note for note in preview.notes)
    assert await standing(secured, "west", flow.prefix) == {theirs}


async def test_permissions_that_it_takes(flow: AclFlow) -> None:
    """Each that is missing is named; granted, it goes on by itself."""
    secured, topic = flow.secured, flow.topic
    sasl = secured.login("stranger", "SCRAM-SHA-512")
    mine = [
        binding(name, operation, "User:stranger", kind="PREFIXED")
        for name in (flow.prefix, f"ccr.flow-{flow.prefix}")
        for operation in ("READ", "WRITE", "CREATE", "ALTER", "DESCRIBE_CONFIGS", "ALTER_CONFIGS")
    ]
    of_group = binding(flow.group, "READ", resource=GROUP)
    await allow(secured, "east", *mine, binding(topic, "READ"), of_group)
    await allow(secured, "west", *mine)
    await create(secured.sandbox, topic, 1)
    clusters = {name: secured.section(name, Listener.SASL, sasl=sasl) for name in ("east", "west")}
    async with flow.running(clusters=clusters) as engine:

        def reason() -> str:
            why = shown(engine).reason
            return f"{why.text}. {why.next_step}" if why else ""

        assert await missing(engine) == {
            ("east", "DESCRIBE"),
            ("west", "ALTER"),
            ("west", "DESCRIBE_CONFIGS"),
        }
        for name, operation in (("east", "DESCRIBE"), ("west", "DESCRIBE"), ("west", "ALTER")):
            told = f"Grant {operation} on the cluster {name} (docs/permissions.md)"
            await until(lambda told=told: told in reason(), told)
            assert "CLUSTER_AUTHORIZATION_FAILED" in reason()
            assert await standing(secured, "west", topic) == set()
            await grant_on_cluster(secured, name, "stranger", operation)
        await until_standing(secured, "west", topic, {binding(topic, "READ")})
        # Nobody has an ACL for the group yet: it might be open to all, as far as can be told.
        await until(lambda: shown(engine).left != (), "it is said")
        (left,) = shown(engine).left
        assert left.object == f"group {flow.group}"
        assert left.next_step == (
            "Grant DESCRIBE_CONFIGS on the cluster west (docs/permissions.md)"
        )
        await grant_on_cluster(secured, "west", "stranger", "DESCRIBE_CONFIGS")
        assert await missing(engine) == set()
        await until_standing(secured, "west", flow.group, {of_group})
        await until(lambda: shown(engine).state == SyncState.IN_STEP, "all is in step")


async def missing(engine: Running) -> set[tuple[str, str]]:
    """What `ccr check` says that the flow lacks on the clusters themselves."""
    report = await check(engine.engine.config, [engine.name])
    lacking = report.flows[0].missing
    return {(each.cluster, each.operation) for each in lacking if not each.topics}


async def grant_on_cluster(secured: Secured, name: str, user: str, operation: str) -> None:
    async with cluster(secured, name) as at:
        answer = await at.request(
            CreateAclsRequest(
                CLUSTER, "kafka-cluster", PatternType.LITERAL, f"User:{user}", "*",
                Operation[operation], Permission.ALLOW,
            )
        )  # fmt: skip
    assert [error for error, _ in answer.creation_responses] == [0]


async def test_both_ways_a_revoked_acl_does_not_come_back(flow: AclFlow) -> None:
    """What one flow created is not taken for the other side's own by the flow back."""
    secured = flow.secured
    group = binding(flow.group, "READ", resource=GROUP)
    groups = {"include": [re.escape(flow.prefix) + ".*"]}
    settings = {
        "sync": {"acls": True, "groups": False},
        "groups": groups,
        "acls": {"interval": "1s"},
        "topic_refresh": "500ms",
    }
    flows = {
        f"there-{flow.prefix}": {"source": "east", "target": "west", "topics": {"include": [
            re.escape(flow.prefix) + r"\.e\..*"]}, **settings},
        f"back-{flow.prefix}": {"source": "west", "target": "east", "topics": {"include": [
            re.escape(flow.prefix) + r"\.w\..*"]}, **settings},
    }  # fmt: skip
    config = Config.model_validate({"version": 1, "clusters": flow.clusters, "flows": flows})
    await allow(secured, "east", group)
    engine = Engine(config, config_path="test", mode=EngineMode.SERVICE)
    await engine.start()
    try:
        await until_standing(secured, "west", flow.prefix, {group})
        back = Running(engine, LocalEngineApi(engine), f"back-{flow.prefix}")
        await until(lambda: back.flow.snapshot().syncs, "the flow back runs")
        seen = shown(back).looked_at
        await until(lambda: shown(back).looked_at > seen, "the flow back has looked")
        await revoke(secured, "east", group)
        await until_standing(secured, "west", flow.prefix, set())
        seen = shown(back).looked_at
        await until(lambda: shown(back).looked_at > seen, "the flow back has looked again")
        assert await standing(secured, "east", flow.prefix) == set()
        assert shown(back).changes == 0
    finally:
        await engine.stop(10)


async def test_a_cluster_that_is_open_where_no_acl_is(tmp_path: Path, secured: Secured) -> None:
    """The broker's own answer: that it was set; and on an ordinary cluster that it was not."""
    properties = {"allow.everyone.if.no.acl.found": "true"}
    spec = ClusterSpec(security=Security(authorizer=True), properties=properties)
    own = Sandbox(tmp_path / "sandbox", {"open": spec}, ephemeral=True)
    await own.up()
    try:
        section = {"bootstrap_servers": own.bootstrap("open").split(",")}
        at = Cluster("open", ClusterConfig.model_validate(section))
        found = await acls.openness(at)
        findings = await make_fence(AclChoice(), at, "flow", ["orders"], nobody).examine()
        await at.close()
    finally:
        await own.down()
    assert found is not None
    assert found.why == "its brokers set allow.everyone.if.no.acl.found"
    (stopping,) = (each for each in findings if each.severity is Severity.STOP)
    assert stopping.text.endswith("take READ from everybody too, ccr among them")
    async with cluster(secured, "west") as closed:
        assert await acls.openness(closed) is None


async def test_many_bindings_are_created_read_and_deleted(secured: Secured, flow: AclFlow) -> None:
    """More than go into one request, and names that are not ASCII."""
    many = {
        AclBinding(Pattern(GROUP, f"{flow.prefix}-ö-{n}"), "User:ä", "10.0.0.1", *said)
        for n in range(300)
        for said in ((Operation.READ, Permission.ALLOW), (Operation.DELETE, Permission.DENY))
    }
    await allow(secured, "west", *many)
    assert await standing(secured, "west", flow.prefix) == many
    await revoke(secured, "west", *many)
    assert await standing(secured, "west", flow.prefix) == set()
