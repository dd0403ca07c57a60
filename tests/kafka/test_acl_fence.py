"""DENY WRITE as a fence, on a cluster with an authorizer."""

from __future__ import annotations

import itertools
import re
import shlex
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.protocol.admin import CreateAclsRequest

from engine.config.cluster_section import ClusterConfig
from engine.kafka import acls
from engine.kafka.acl_bindings import (
    EVERYONE,
    AclBinding,
    Operation,
    Pattern,
    PatternType,
    Permission,
    ResourceType,
)
from engine.kafka.cluster import Cluster
from engine.runbook.fences import RECORD, AclChoice, Fence, make_fence, recorded_fence
from engine.runbook.findings import Finding, Severity
from engine.runbook.standing import standing
from engine.sandbox import Listener, Sandbox
from tests.kafka.engines import FreshTopic, create, read, until_async
from tests.kafka.fencing import (
    KINDS,
    as_user,
    content,
    nobody,
    size_fence,
    source,
    stops,
    tried_again,
    writing,
)
from tests.secured import Acls, Secured

pytestmark = pytest.mark.kafka

USER = "limited"
TOPIC = ResourceType.TOPIC
CLUSTER, TRANSACTIONAL_ID = 4, 5  # their ResourceType, which ccr does not look at


def acl_fence(at: Cluster, *topics: str, principals: tuple[str, ...] = (EVERYONE,)) -> Fence:
    return make_fence(AclChoice(principals=principals), at, "flow", topics, nobody)


def binding(
    name: str,
    operation: Operation,
    permission: Permission = Permission.ALLOW,
    *,
    user: str = USER,
    kind: PatternType = PatternType.LITERAL,
) -> AclBinding:
    pattern = Pattern(TOPIC, name, kind)
    return AclBinding(pattern, f"User:{user}", "*", operation, permission)


async def grant(at: Cluster, *bindings: AclBinding) -> None:
    assert await acls.create_acls(at, bindings) == {}

    async def known() -> bool:
        return (await acls.describe_acls(at, TOPIC)).issuperset(bindings)

    await until_async(known, "the broker knows the ACLs")


async def about(at: Cluster, topic: str) -> set[AclBinding]:
    """What there is for resources that a topic's name begins."""
    found = await acls.describe_acls(at, TOPIC)
    return {each for each in found if topic.startswith(each.pattern.name)} - {
        each for each in found if len(each.pattern.name) < 6
    }


def warnings(findings: list[Finding]) -> list[str]:
    return [each.text for each in findings if each.severity is Severity.WARN]


async def test_nobody_writes_once_it_stands(secured: Secured, fresh_topic: FreshTopic) -> None:
    """Producers of every kind are kept out, whoever reads goes on, ALLOWs stay as they are."""
    topic = fresh_topic("denied")
    await create(secured.sandbox, topic, len(KINDS))
    client = as_user(secured.sandbox, USER)
    async with source(secured.sandbox) as at:
        allowed = {binding(topic, Operation.WRITE), binding(topic, Operation.READ)}
        await grant(at, *allowed)
        await allow(at, TRANSACTIONAL_ID, f"{topic}-writer", Operation.WRITE)
        async with writing(topic, client) as writers:
            fence = acl_fence(at, topic)
            assert stops(await fence.examine()) == []
            record = await fence.record()
            await fence.raise_up(record)
            await fence.raise_up(record)
            seen = await standing(at, [topic], quiet_s=1, timeout_s=30)
            assert seen.tight, seen
            there = await content(secured.sandbox, topic)
            accepted = [len(each.accepted) for each in writers[1:]]
            await tried_again(writers)
            assert await content(secured.sandbox, topic) == there
            assert [len(each.accepted) for each in writers[1:]] == accepted
            # A new producer id is for those who may write to any topic.
            assert {each.kind: each.refusals[-1] for each in writers[1:]} == {
                "acks-1": "TopicAuthorizationFailedError",
                "acks-all": "TopicAuthorizationFailedError",
                "idempotent": "ClusterAuthorizationFailedError",
                "transactional": "TopicAuthorizationFailedError",
            }
            assert await readable(client, topic)
            evidence = await fence.stands(record, [topic, "came-later"])
            assert evidence.stands is True
            assert evidence.outside == ("came-later",)
            again = RECORD.validate_json(RECORD.dump_json(record))
            lifter = recorded_fence(again, at, nobody)
            await lifter.lift(again)
            await lifter.lift(again)
            assert (await fence.stands(record)).open_topics == (topic,)
            await tried_again(writers)
            after = await content(secured.sandbox, topic)
            assert all(len(after[number]) > len(there[number]) for number in range(len(KINDS)))
        assert await about(at, topic) == allowed


DOCS = Path(__file__).parents[2] / "docs" / "permissions.md"
_OF_FENCES = re.compile(r"```sh\n# source: [^\n]*\n(.*?)```", re.DOTALL)
_RESOURCES = {"--topic": TOPIC, "--cluster": CLUSTER, "--transactional-id": TRANSACTIONAL_ID}


async def grant_what_is_documented(at: Cluster, prefix: str) -> None:
    """Give the user what docs/permissions.md has commands for."""
    for line in "".join(_OF_FENCES.findall(DOCS.read_text())).splitlines():
        tool, *words = shlex.split(line.replace("orders.", prefix))
        assert tool == "kafka-acls"
        (flag,) = _RESOURCES.keys() & set(words)
        name = "kafka-cluster" if flag == "--cluster" else words[words.index(flag) + 1]
        kind = PatternType.PREFIXED if "prefixed" in words else PatternType.LITERAL
        for option, operation in itertools.pairwise(words):
            if option == "--operation":
                wanted = re.sub("(?<=[a-z])(?=[A-Z])", "_", operation).upper()
                await allow(at, _RESOURCES[flag], name, Operation[wanted], kind)


async def nothing_stops(fence: Fence) -> bool:
    return not stops(await fence.examine())


async def allow(
    at: Cluster,
    resource: int,
    name: str,
    operation: Operation,
    kind: PatternType = PatternType.LITERAL,
) -> None:
    row = (resource, name, kind, f"User:{USER}", "*", operation, Permission.ALLOW)
    answer = await at.request(CreateAclsRequest(*row))
    assert [each[0] for each in answer.creation_responses] == [0]


async def test_the_documented_permissions_are_enough(
    secured: Secured, fresh_topic: FreshTopic
) -> None:
    """For both fences, and for naming whose transaction is open; beside READ, to mirror."""
    prefix = f"{fresh_topic('documented')}."
    topic = f"{prefix}one"
    await create(secured.sandbox, topic)
    section = secured.section("east", Listener.SASL, sasl=secured.login(USER, "PLAIN"))
    limited = Cluster("east", ClusterConfig.model_validate(section))
    own = AIOKafkaProducer(
        bootstrap_servers=secured.sandbox.bootstrap("east"), transactional_id=topic
    )
    await own.start()
    try:
        async with source(secured.sandbox) as at:
            await grant(at, binding(topic, Operation.READ), binding(topic, Operation.WRITE))
            await grant_what_is_documented(at, prefix)
            await own.begin_transaction()
            await own.send_and_wait(topic, b"a record")
            for fence in (acl_fence(limited, topic), size_fence(limited, topic)):
                await until_async(partial(nothing_stops, fence), "the broker knows what it allows")
                record = await fence.record()
                await fence.raise_up(record)
                assert (await fence.stands(record)).stands is True
                seen = await standing(limited, [topic], quiet_s=0.2, timeout_s=0.6)
                assert seen.not_told == ""
                assert [each.transactional_id for each in seen.transactions] == [topic]
                await fence.lift(record)
                assert (await fence.stands(record)).stands is False
            await own.abort_transaction()
    finally:
        await Acls(secured, "east", USER).remove_on_cluster("ALTER")
        await limited.close()
        await own.stop()


async def readable(client: dict[str, str], topic: str) -> bool:
    consumer = AIOKafkaConsumer(topic, **client, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return bool(await consumer.getone())
    finally:
        await consumer.stop()


@pytest.mark.parametrize("commits", [True, False], ids=["commits", "aborts"])
async def test_an_open_transaction_ends(
    secured: Secured, fresh_topic: FreshTopic, *, commits: bool
) -> None:
    """The coordinator writes its marker, whom no ACL denies anything; the id is usable again."""
    topic = fresh_topic("opendeny")
    await create(secured.sandbox, topic)
    client = as_user(secured.sandbox, USER)
    async with source(secured.sandbox) as at:
        await allow(at, TRANSACTIONAL_ID, topic, Operation.WRITE)
        await grant(at, binding(topic, Operation.WRITE))
        slow = AIOKafkaProducer(**client, transactional_id=topic)
        await slow.start()
        await slow.begin_transaction()
        await slow.send_and_wait(topic, b"before the fence")
        fence = acl_fence(at, topic)
        record = await fence.record()
        await fence.raise_up(record)
        seen = await standing(at, [topic], quiet_s=0.2, timeout_s=1)
        assert [each.transactional_id for each in seen.transactions] == [topic]
        await (slow.commit_transaction() if commits else slow.abort_transaction())
        await slow.stop()
        seen = await standing(at, [topic], quiet_s=0.2, timeout_s=30)
        assert seen.tight
        assert seen.ends == seen.stable == {(topic, 0): 2}
        await fence.lift(record)
        again = AIOKafkaProducer(**client, transactional_id=topic)
        await again.start()
        async with again.transaction():
            await again.send_and_wait(topic, b"after it was lifted")
        await again.stop()
    values = [each.value for each in await read(secured.sandbox, "east", topic)]
    assert values == [b"before the fence"] * commits + [b"after it was lifted"]


async def test_the_denials_of_others_stay(secured: Secured, fresh_topic: FreshTopic) -> None:
    """Those from before are neither made nor deleted; those that came meanwhile are told."""
    topic = fresh_topic("others")
    await create(secured.sandbox, topic)
    before = binding(topic, Operation.WRITE, Permission.DENY, user="stranger")
    wide = binding(topic[:-3], Operation.ALL, Permission.DENY, kind=PatternType.PREFIXED)
    meanwhile = binding(topic, Operation.WRITE, Permission.DENY, user="nobody")
    async with source(secured.sandbox) as at:
        await grant(at, before, wide, binding(topic, Operation.WRITE, user="fault"))
        fence = acl_fence(at, topic, principals=("User:stranger", "User:limited"))
        told = warnings(await fence.examine())
        assert "Only User:stranger, User:limited will be kept out; others may write on" in told
        record = await fence.record()
        await fence.raise_up(record)
        assert binding(topic, Operation.WRITE, Permission.DENY) in await about(at, topic)
        await grant(at, meanwhile)
        done = await fence.lift(record)
        (left_alone,) = done.findings
        words = f"DENY WRITE for User:nobody on topic {topic} came meanwhile"
        assert left_alone.text.startswith(words)
        left = await about(at, topic)
        assert {before, wide, meanwhile} <= left
        assert binding(topic, Operation.WRITE, Permission.DENY) not in left
        await acls.delete_acls(at, [before, wide, meanwhile])


async def test_what_would_stop_it_is_found(secured: Secured, fresh_topic: FreshTopic) -> None:
    """No permission to make ACLs, nobody but super users to keep out, a principal that is none."""
    topic = fresh_topic("examined")
    await create(secured.sandbox, topic)
    section = secured.section("east", Listener.SASL, sasl=secured.login(USER, "PLAIN"))
    limited = Cluster("east", ClusterConfig.model_validate(section))
    try:
        unread = stops(await acl_fence(limited, topic).examine())
        assert unread == ["The ACLs of east cannot be read: CLUSTER_AUTHORIZATION_FAILED"]
    finally:
        await limited.close()
    async with source(secured.sandbox) as at:
        found = await acl_fence(at, topic).examine()
        assert stops(found) == []
        assert "Cluster east has super users: no ACL keeps them out" in warnings(found)
        assert [each for each in warnings(found) if f"write to topic {topic}:" in each]
        odd = await acl_fence(at, topic, principals=("orders",)).examine()
        assert stops(odd) == ["orders is no principal"]
        assert not [each for each in await about(at, topic) if each.pattern.name == topic]


async def test_without_authorizer_it_is_refused(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    async with source(sandbox) as at:
        (finding,) = await acl_fence(at, fresh_topic("open")).examine()
        assert finding.severity is Severity.STOP
        assert finding.text == "Cluster east has no authorizer: an ACL keeps nobody out"
        with pytest.raises(acls.NoAuthorizerError):
            await acl_fence(at, fresh_topic("open")).record()
