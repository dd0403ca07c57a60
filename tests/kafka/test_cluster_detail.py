"""What is told of a cluster, beside what aiokafka's admin client and Kafka's own tools say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from engine.api.cluster_snapshots import ClusterDetail, Reach, Section
from engine.api.local import LocalEngineApi
from engine.api.snapshots import EngineMode
from engine.config.model import Config
from engine.engine import Engine
from engine.errors import ConfigError
from engine.sandbox import Listener
from tests.kafka.engines import FreshTopic, create, until_async
from tests.kafka.group_tools import member
from tests.kafka.test_security import produce
from tests.secured import Secured

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def engine_of(**clusters: dict[str, Any]) -> AsyncIterator[LocalEngineApi]:
    """Run an engine without flows."""
    config = Config.model_validate({"version": 1, "clusters": clusters, "flows": {}})
    engine = Engine(config, config_path="/none/ccr.yaml", mode=EngineMode.EMBEDDED)
    await engine.start()
    try:
        yield LocalEngineApi(engine)
    finally:
        await engine.stop(0)


@asynccontextmanager
async def consumer_group(secured: Secured, group: str, topic: str) -> AsyncIterator[None]:
    """Have a member of KIP-848's protocol in a group, which aiokafka does not speak."""
    words = [
        *("--bootstrap-server", secured.sandbox.bootstrap("east"), "--topic", topic),
        *("--group", group, "--consumer-property", "group.protocol=consumer"),
    ]
    command = secured.sandbox.java.command("org.apache.kafka.tools.consumer.ConsoleConsumer", words)
    process = await asyncio.create_subprocess_exec(
        *command,
        env=secured.sandbox.java.environment(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def looked(
    look: Callable[[], Awaitable[ClusterDetail]], enough: Callable[[ClusterDetail], object]
) -> ClusterDetail:
    """Look until it shows what was just made."""
    found: list[ClusterDetail] = []

    async def shown() -> bool:
        found.append(await look())
        return bool(enough(found[-1]))

    await until_async(shown, "the cluster shows it")
    return found[-1]


async def test_everything_as_the_admin_client_sees_it(
    secured: Secured, fresh_topic: FreshTopic
) -> None:
    topic, classic, modern = fresh_topic("detail"), fresh_topic("classic"), fresh_topic("modern")
    await create(secured.sandbox, topic, 3)
    await produce(secured, topic, 100)
    quota = "kafka.admin.ConfigCommand"
    arguments = ["--bootstrap-server", secured.sandbox.bootstrap("east"), "--alter"]
    entity = ["--entity-type", "users", "--entity-name", "ccr"]
    added = ["--add-config", "consumer_byte_rate=50000000"]
    done = await secured.sandbox.java.run(quota, [*arguments, *entity, *added])
    assert done.returncode == 0, done.stderr
    section = secured.section("east", Listener.SASL, sasl=secured.login("ccr", "PLAIN"))
    async with (
        engine_of(east=section) as api,
        member(secured.sandbox, "east", classic, topic),
        consumer_group(secured, modern, topic),
    ):
        members = {classic: 1, modern: 1}
        detail = await looked(
            lambda: api.clusters.detail("east"),
            lambda d: members.items() <= {g.name: g.members for g in d.groups}.items(),
        )
    admin = AIOKafkaAdminClient(bootstrap_servers=secured.sandbox.bootstrap("east"))
    await admin.start()
    described = await admin.describe_cluster()
    topics = {each["topic"]: each for each in await admin.describe_topics()}
    groups = {name for name, _ in await admin.list_consumer_groups()}
    await admin.close()

    assert detail.untold == ()
    assert detail.cluster_id == described["cluster_id"]
    assert detail.kafka == "4.1"
    assert [broker.id for broker in detail.brokers] == [b["node_id"] for b in described["brokers"]]
    [broker] = detail.brokers
    assert broker.address == secured.bootstrap("east", Listener.SASL)[0]
    assert broker.problem is None
    assert broker.leads == sum(row.partitions for row in detail.topics)
    assert broker.bytes == sum(row.bytes or 0 for row in detail.topics)
    assert detail.quorum is not None
    assert detail.quorum.leader == detail.controller == 1
    assert detail.quorum.voters == (1,)
    told = {row.name: (row.partitions, row.internal) for row in detail.topics}
    assert told == {
        name: (len(each["partitions"]), each["is_internal"]) for name, each in topics.items()
    }
    mine = next(row for row in detail.topics if row.name == topic)
    assert (mine.replication_factor, mine.under_replicated, mine.offline) == (1, 0, 0)
    assert mine.bytes is not None
    assert mine.bytes > 1000
    by_name = {row.name: row for row in detail.groups}
    assert groups <= by_name.keys()
    assert (by_name[classic].state, by_name[classic].kind) == ("Stable", "classic")
    assert (by_name[modern].state, by_name[modern].kind) == ("Stable", "consumer")
    quotas = [(row.user, row.client_id, row.key, row.value) for row in detail.quotas]
    assert ("ccr", None, "consumer_byte_rate", 50_000_000.0) in quotas


async def test_what_is_forbidden_is_told_part_by_part(
    secured: Secured, fresh_topic: FreshTopic
) -> None:
    hidden = fresh_topic("hidden")
    await create(secured.sandbox, hidden, 1)
    section = secured.section("east", Listener.SASL, sasl=secured.login("nobody", "PLAIN"))
    async with engine_of(east=section) as api:
        detail = await api.clusters.detail("east")
    assert [broker.problem for broker in detail.brokers] == [None]
    # Other tests let everybody see topics of theirs.
    assert hidden not in {row.name for row in detail.topics}
    assert detail.brokers[0].bytes is None
    expected = {
        Section.SIZES: "Grant DESCRIBE on the cluster",
        Section.QUOTAS: "Grant DESCRIBE_CONFIGS on the cluster",
        Section.QUORUM: "Grant DESCRIBE on the cluster",
    }
    assert {each.section: each.reason.next_step for each in detail.untold} == expected
    why = detail.why_not(Section.QUOTAS)
    assert why is not None
    assert "CLUSTER_AUTHORIZATION_FAILED" in why.text


async def test_the_list_tells_who_is_reached_and_how(secured: Secured) -> None:
    login = secured.login("ccr", "SCRAM-SHA-256")
    missing = {"mechanism": "PLAIN", "username": "ccr", "password": "env:CCR_TEST_NO_SUCH_SECRET"}
    good = secured.section("east", Listener.SASL, sasl=login, environment="production")
    bad = secured.section("west", Listener.SASL, sasl=missing, read_only=True)
    async with engine_of(east=good, west=bad) as api:
        first = await api.clusters.list()
        assert {row.reach for row in first.clusters} == {Reach.UNTRIED}

        async def known() -> bool:
            rows = (await api.clusters.list()).clusters
            return rows[0].reach is Reach.REACHED and rows[1].reach is Reach.AWAY

        await until_async(known, "both were tried")
        east, west = (await api.clusters.list()).clusters
        with pytest.raises(ConfigError, match="CCR_TEST_NO_SUCH_SECRET is not set"):
            await api.clusters.detail("west")
    assert (east.protocol, east.mechanism, east.user) == ("SASL_PLAINTEXT", "SCRAM-SHA-256", "ccr")
    assert (east.brokers, east.kafka, east.environment) == (1, "4.1", "production")
    assert east.cluster_id
    assert east.controller is None  # KRaft: a broker would name any
    assert [(each.key, each.state) for each in east.secrets] == [("sasl.password", "read")]
    assert [(each.key, each.state) for each in west.secrets] == [("sasl.password", "missing")]
    assert west.read_only
    assert west.reason is not None
    assert "the environment variable CCR_TEST_NO_SUCH_SECRET is not set" in west.reason.text
    assert "Set it where ccr is started" in west.reason.next_step
    assert west.since > 0
