"""Certificates, credentials, permissions and quotas change under load; nothing is lost by it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka.protocol.admin import AlterConfigsRequest

from engine.api.snapshots import FlowState, PartitionState, Severity
from engine.config.cluster_section import ClusterConfig
from engine.kafka.cluster import Cluster
from engine.replication.fetcher import Fetcher
from engine.replication.sender import Sender
from engine.sandbox import Listener
from engine.sandbox.certificates import write_private
from engine.sandbox.security import HOSTS
from tests.kafka.engines import FreshTopic, Running, create, producer, running, until
from tests.kafka.test_security import assert_mirrored
from tests.secured import USERS, Acls, Secured

pytestmark = pytest.mark.kafka

PARTITIONS = 2
PACE_S = 0.02
BROKER = 4  # ConfigResource.Type.BROKER


class Load:
    """Records written to the source's topics at a steady pace."""

    def __init__(self, secured: Secured, topics: list[str]) -> None:
        self._secured = secured
        self._topics = topics
        self._stop = asyncio.Event()
        self.count = 0  # of each topic

    async def run(self) -> None:
        async with producer(self._secured.sandbox, request_timeout_ms=60_000) as plain:
            while not self._stop.is_set():
                for topic in self._topics:
                    await plain.send(
                        topic, b"%d" % self.count * 30, key=b"%d" % (self.count % 5),
                        partition=self.count % PARTITIONS,
                    )  # fmt: skip
                self.count += 1
                await asyncio.sleep(PACE_S)

    async def more(self) -> None:
        """Wait for a good deal more."""
        wanted = self.count + 25
        await until(lambda: self.count >= wanted, "more was produced")

    def stop(self) -> None:
        self._stop.set()


@asynccontextmanager
async def under_load(secured: Secured, engine: Running, *topics: str) -> AsyncIterator[Load]:
    """Produce meanwhile; then wait until all is mirrored, and compare record by record."""
    load = Load(secured, list(topics))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        await load.more()
        try:
            yield load
            await load.more()
        finally:
            load.stop()
    for topic in topics:
        await engine.mirrored(topic, load.count)
        await assert_mirrored(secured, topic, load.count)


async def reaches(engine: Running, state: FlowState, reason: str = "") -> None:
    """Wait until the flow is in a state with a reason like this."""

    def reached() -> bool:
        now, why = engine.flow.state()
        return now == state and (reason in why.text if why else not reason)

    try:
        await until(reached, f"the flow is {state} {reason}", 40)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {engine.flow.state()}") from None


async def configure(secured: Secured, cluster: str, *words: str) -> None:
    """Alter users or quotas with Kafka's own tool."""
    done = await secured.sandbox.java.run(
        "kafka.admin.ConfigCommand",
        ["--bootstrap-server", secured.sandbox.bootstrap(cluster), "--alter", *words],
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def on_both(secured: Secured, *words: str) -> None:
    await asyncio.gather(*(configure(secured, name, *words) for name in ("east", "west")))


async def reload_certificate(secured: Secured, cluster: str) -> None:
    """Let the broker read its certificate anew, as an operator would."""
    section = secured.section(cluster, Listener.PLAINTEXT)
    control = Cluster(cluster, ClusterConfig.model_validate(section))
    path = str(secured.sandbox.broker_certificate(cluster))
    settings = [("listener.name.mtls.ssl.keystore.location", path)]
    await control.metadata([])
    answer = await control.request(AlterConfigsRequest([(BROKER, "1", settings)]), 1)
    assert [each[0] for each in answer.resources] == [0], answer
    await control.close()


async def test_certificates_expire_and_are_replaced(
    secured: Secured, fresh_topic: FreshTopic
) -> None:
    """Ours on the source, the broker's on the target; both clusters restart after that."""
    topic = fresh_topic("certificates")
    await create(secured.sandbox, topic, PARTITIONS)
    begins, life = datetime.now(UTC) - timedelta(hours=1), timedelta(hours=1, seconds=6)
    ours = secured.client_certificate("ccr", not_before=begins, lifetime=life)
    broker = secured.sandbox.broker_certificate("west")
    good = broker.read_text()
    clusters = {
        name: secured.section(name, Listener.MTLS, tls={"ca": secured.ca, "certificate": ours})
        for name in ("east", "west")
    }
    async with (
        running(secured.sandbox, [topic], clusters=clusters) as engine,
        under_load(secured, engine, topic) as load,
    ):
        await reaches(engine, FlowState.RUNNING)
        write_private(
            broker,
            secured.sandbox.authority.issue(
                "broker", hosts=HOSTS, not_before=begins, lifetime=timedelta(minutes=1)
            ),
        )
        await until(lambda: datetime.now(UTC) > begins + life, "our certificate expires")
        await load.more()
        assert engine.flow.state()[0] == FlowState.RUNNING, "what is connected goes on"
        await asyncio.gather(
            *(secured.sandbox.restart_cluster(name, kill=True) for name in ("east", "west"))
        )
        await _cluster_says(
            engine, "east", r"at .*: the broker refused our certificate CN=ccr, which expired"
        )
        await _cluster_says(engine, "west", r"at .*: its certificate has expired")
        await reaches(engine, FlowState.WAITING, "certificate")
        secured.client_certificate("ccr")
        write_private(broker, good)
        await reload_certificate(secured, "west")
        await reaches(engine, FlowState.RUNNING)


async def _cluster_says(engine: Running, name: str, pattern: str) -> None:
    def says() -> bool:
        cluster = next(each for each in engine.engine.snapshot().clusters if each.name == name)
        reason = cluster.reason
        return not cluster.reachable and bool(reason and re.search(pattern, reason.text))

    await until(says, f"{name} says {pattern}", 40)


async def test_a_scram_credential_is_revoked_and_restored(
    secured: Secured, fresh_topic: FreshTopic
) -> None:
    """What is connected goes on to the end of its session; then the flow waits, and says why."""
    topic = fresh_topic("scram")
    await create(secured.sandbox, topic, PARTITIONS)
    login = secured.login("fault", "SCRAM-SHA-256")
    clusters = {name: secured.section(name, Listener.SASL, sasl=login) for name in ("east", "west")}
    user = ("--entity-type", "users", "--entity-name", "fault")
    async with (
        running(secured.sandbox, [topic], clusters=clusters) as engine,
        under_load(secured, engine, topic) as load,
    ):
        await reaches(engine, FlowState.RUNNING)
        await on_both(secured, "--delete-config", "SCRAM-SHA-256", *user)
        await reaches(engine, FlowState.WAITING, "the login fault (SCRAM-SHA-256) was refused")
        await load.more()
        again = f"SCRAM-SHA-256=[iterations=4096,password={USERS['fault']}]"
        await on_both(secured, "--add-config", again, *user)
        await reaches(engine, FlowState.RUNNING)


async def test_permissions_are_removed_and_restored(
    secured: Secured, fresh_topic: FreshTopic
) -> None:
    """One topic's partitions stop with their reason, the other topic's go on; `retry` then."""
    prefix = fresh_topic("acl")
    held, free = f"{prefix}.held", f"{prefix}.free"
    name = f"flow-{prefix}"
    source, target = (Acls(secured, cluster, "limited") for cluster in ("east", "west"))
    for topic in (held, free):
        await create(secured.sandbox, topic, PARTITIONS)
        await source.allow(topic, "READ", "DESCRIBE_CONFIGS")
        await target.allow(topic, "CREATE", "ALTER", "WRITE", "READ")
    await target.allow(f"ccr.{name}.internal", "CREATE", "WRITE", "READ")
    login = secured.login("limited", "PLAIN")
    clusters = {name: secured.section(name, Listener.SASL, sasl=login) for name in ("east", "west")}
    async with (
        running(secured.sandbox, [f"{prefix}\\..*"], name=name, clusters=clusters) as engine,
        under_load(secured, engine, held, free) as load,
    ):
        for acls, operation, told in (
            (target, "WRITE", f"cluster west does not let us write to {held}"),
            (source, "READ", f"cluster east answered TOPIC_AUTHORIZATION_FAILED to reading {held}"),
        ):
            await reaches(engine, FlowState.RUNNING)
            await acls.remove(held, operation)
            await _stop(engine, held, told, operation)
            count = load.count
            await engine.mirrored(free, count)
            await acls.allow(held, operation)
            await engine.api.flows.retry(name)
            await engine.mirrored(held, count)


async def _stop(engine: Running, topic: str, told: str, operation: str) -> None:
    """Wait until both partitions of a topic stopped with that reason."""
    rows = [engine.flow.board.partitions[topic, number] for number in range(PARTITIONS)]
    await until(lambda: all(row.state == PartitionState.STOPPED for row in rows), f"{topic} stops")
    for row in rows:
        assert row.reason is not None
        assert told in row.reason.text
        assert row.reason.next_step.startswith(f"Grant {operation} on ")


QUOTA = 250_000  # bytes a second
RECORD = bytes(range(256)) * 8
RECORDS = 4 * 1024


async def test_quotas_slow_it_down_and_no_more(
    secured: Secured, fresh_topic: FreshTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The brokers' quotas on our user and client id, reading and writing: no error, all arrives."""
    lost: list[str] = []
    for link, method in ((Fetcher, "_failed"), (Sender, "_give_back")):
        monkeypatch.setattr(link, method, lambda _, error: lost.append(str(error)))
    topic = fresh_topic("quota")
    await create(secured.sandbox, topic, PARTITIONS)
    entity = ("--entity-type", "users", "--entity-name", "fault")
    entity += ("--entity-type", "clients", "--entity-name", "ccr")
    clusters: dict[str, Any] = {
        name: secured.section(name, Listener.SASL, sasl=secured.login("fault", "PLAIN"))
        for name in ("east", "west")
    }
    rates = f"producer_byte_rate={QUOTA},consumer_byte_rate={QUOTA * 2}"
    await on_both(secured, "--add-config", rates, *entity)
    async with producer(secured.sandbox) as plain:
        for number in range(RECORDS):
            await plain.send(topic, RECORD, key=b"%d" % number, partition=number % PARTITIONS)
    began = asyncio.get_running_loop().time()
    async with running(secured.sandbox, [topic], clusters=clusters) as engine:
        await reaches(engine, FlowState.RUNNING, "slowed down by a quota of cluster")
        # Eight megabytes; the quota's window of ten seconds lets a third of it pass at once.
        await until(lambda: _mirrored(engine, topic) > RECORDS / 2, "half of it is there", 40)
        assert asyncio.get_running_loop().time() - began > 2
        names = "producer_byte_rate,consumer_byte_rate"
        await on_both(secured, "--delete-config", names, *entity)
        await engine.mirrored(topic, RECORDS)
        events = engine.engine.events.since(0)
    assert lost == []
    assert not [event for event in events if event.severity is not Severity.INFO], events
    await assert_mirrored(secured, topic, RECORDS)


def _mirrored(engine: Running, topic: str) -> int:
    rows = engine.flow.board.partitions.values()
    return sum(row.acked.source for row in rows if row.topic == topic)
