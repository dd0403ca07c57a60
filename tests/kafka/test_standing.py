"""Who still writes, on real brokers: producers and transactions by name, markers, brokers away."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.config.cluster_section import ClusterConfig
from engine.errors import ConnectError
from engine.kafka.cluster import Cluster
from engine.kafka.transactions import Transaction
from engine.runbook.standing import standing
from engine.runbook.standing_words import in_the_way, waited_for
from engine.sandbox import ClusterSpec, Listener, Sandbox
from tests.kafka.engines import FreshTopic, create, producer, until
from tests.kafka.fencing import PAUSE_S, source
from tests.secured import Acls, Secured

pytestmark = pytest.mark.kafka


async def test_who_writes_is_named(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """One with a producer id by it, one without as such; who wrote before is not suspected."""
    topic = fresh_topic("written")
    await create(sandbox, topic, 3)
    async with (
        source(sandbox) as at,
        producer(sandbox, enable_idempotence=True) as finished,
        producer(sandbox, enable_idempotence=True) as busy,
        producer(sandbox, acks=1) as plain,
    ):
        for number in range(3):
            await finished.send_and_wait(topic, b"long ago", partition=number)

        async def write() -> None:
            while True:
                await busy.send_and_wait(topic, b"again" * 4000, partition=1)
                await plain.send_and_wait(topic, b"again" * 4000, partition=2)
                await asyncio.sleep(PAUSE_S)

        writing = asyncio.create_task(write())
        seen = await standing(at, [topic], quiet_s=1, timeout_s=2)
        writing.cancel()
        assert not seen.tight
        assert [(each.topic, each.partition) for each in seen.moving] == [(topic, 1), (topic, 2)]
        assert all(each.end > each.began for each in seen.moving)
        by_id, without = seen.moving
        assert [writer.producer_id for writer in by_id.writers] == [busy._txn_manager.producer_id]
        assert by_id.writers[0].last_write_ms > 1_700_000_000_000
        assert without.writers == ()
        assert waited_for(seen).startswith("2 partitions still written to; ")
        still = await standing(at, [topic], quiet_s=0.3, timeout_s=20)
        assert still.tight
        assert still.ends[topic, 0] == 1
        assert still.elapsed_s >= still.stood_s >= 0.3


async def test_what_is_appended_and_not_yet_committed_counts(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Records of an open transaction move the end; it is open on two partitions, told as one."""
    topic = fresh_topic("uncommitted")
    await create(sandbox, topic, 2)
    async with source(sandbox) as at, producer(sandbox, transactional_id=topic) as slow:
        await slow.begin_transaction()
        for number in (0, 1, 1):
            await slow.send_and_wait(topic, b"a record", partition=number)
        seen = await standing(at, [topic], quiet_s=0.2, timeout_s=0.6)
        assert not seen.tight
        assert seen.ends == {(topic, 0): 1, (topic, 1): 2}
        (transaction,) = seen.transactions
        assert transaction.partitions == {(topic, 0): 0, (topic, 1): 0}
        assert transaction.producer_id == slow._txn_manager.producer_id
        assert transaction.last_write_ms > 1_700_000_000_000
        await slow.abort_transaction()


async def test_markers_do_not_count_and_a_record_among_them_does(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Transactions that write nothing and are aborted, without a pause: what a fence leads to."""
    topic = fresh_topic("marked")
    await create(sandbox, topic)
    partition = topic, 0
    async with source(sandbox) as at, source(sandbox) as other, producer(sandbox, acks=1) as plain:
        restless = Transaction(other, topic)
        writes = asyncio.Event()

        async def be_restless() -> None:
            await other.metadata([topic])
            await restless.begin()
            while True:
                await restless.add(partition)
                await restless.abort()
                if writes.is_set():
                    await plain.send_and_wait(topic, b"a record")

        task = asyncio.create_task(be_restless())
        seen = await standing(at, [topic], quiet_s=1.5, timeout_s=20)
        assert seen.tight
        later = await standing(at, [topic], quiet_s=0.2, timeout_s=20)
        assert later.tight
        assert later.ends[partition] > seen.ends[partition] + 3, "markers arrive all the time"
        writes.set()
        moving = await standing(at, [topic], quiet_s=1.5, timeout_s=2.5)
        assert [(each.topic, each.partition) for each in moving.moving] == [partition]
        assert not task.done()
        task.cancel()


async def test_it_may_be_cancelled(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """At any point; the cluster's connections are good afterwards."""
    topic = fresh_topic("cancelled")
    await create(sandbox, topic)
    async with source(sandbox) as at, producer(sandbox, acks=1) as plain:
        for number in range(20):
            looks: list[str] = []
            task = asyncio.create_task(
                standing(at, [topic], quiet_s=30, timeout_s=60, tell=looks.append)
            )
            if number % 2:
                await until(lambda looks=looks: len(looks) > 0, "it has looked")  # type: ignore[misc]
                await plain.send_and_wait(topic, b"a record")
            await asyncio.sleep(random.uniform(0, 0.05))  # anywhere
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await standing(at, [topic], quiet_s=0.1, timeout_s=20)).tight


async def test_who_may_not_be_named(secured: Secured, fresh_topic: FreshTopic) -> None:
    """Without READ producers are not told, and that is; without DESCRIBE a topic is not seen."""
    topic, unseen = fresh_topic("described"), fresh_topic("unseen")
    for each in (topic, unseen):
        await create(secured.sandbox, each)
    await Acls(secured, "east", "limited").allow(topic, "DESCRIBE")
    section = secured.section("east", Listener.SASL, sasl=secured.login("limited", "PLAIN"))
    at = Cluster("east", ClusterConfig.model_validate(section))
    try:
        still = await standing(at, [topic], quiet_s=0.2, timeout_s=10)
        assert still.tight
        assert f"Grant READ on topic {topic}" in still.not_told
        blind = await standing(at, [topic, unseen], quiet_s=0.2, timeout_s=0.6)
        assert not blind.tight
        assert blind.unseen == (unseen,)
        assert f"Topic {unseen} is not there, or ccr may not DESCRIBE it" in [
            each.text for each in in_the_way(blind)
        ]
    finally:
        await at.close()


async def test_nobody_answers() -> None:
    nowhere = Cluster("east", ClusterConfig(bootstrap_servers=["127.0.0.1:1"]))
    with pytest.raises(ConnectError, match=r"127\.0\.0\.1:1"):
        await standing(nowhere, ["orders"], quiet_s=0.1, timeout_s=0.5)
    await nowhere.close()


@pytest.mark.soak
async def test_a_broker_that_hangs(tmp_path: Path) -> None:
    """What it leads is unanswered; what it follows is behind, until the others do without it."""
    async with Sandbox(tmp_path / "own", {"east": ClusterSpec(3)}, ephemeral=True) as own:
        await create_assigned(own, {"led": [3], "followed": [1, 3]})
        async with (
            source(own, request_timeout=4, connect_timeout=2) as at,
            producer(own, acks=1) as plain,
        ):
            topics = ["led", "followed"]
            await plain.send_and_wait("followed", b"replicated")
            assert (await standing(at, topics, quiet_s=0.5, timeout_s=30)).tight
            await own.pause_broker("east", 3)
            await plain.send_and_wait("followed", b"not replicated yet")
            looks: list[str] = []
            seen = await standing(at, topics, quiet_s=0.5, timeout_s=8, tell=looks.append)
            assert looks[0] == "replicas of 1 partition behind, 1 partition without an answer"
            assert not seen.tight
            assert seen.unanswered == (("led", 0),)
            assert seen.behind == (), "the controller gave up on it"
            assert seen.ends["followed", 0] == seen.stable["followed", 0] == 2
            assert (await standing(at, ["followed"], quiet_s=0.5, timeout_s=20)).tight
            await own.continue_broker("east", 3)
            assert (await standing(at, topics, quiet_s=0.5, timeout_s=60)).tight


async def create_assigned(own: Sandbox, leaders: dict[str, list[int]]) -> None:
    """Create topics of one partition on these brokers, the first of which leads it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=own.bootstrap("east"))
    await admin.start()
    await admin.create_topics(
        [NewTopic(topic, -1, -1, {0: brokers}) for topic, brokers in leaders.items()]
    )
    await admin.close()
