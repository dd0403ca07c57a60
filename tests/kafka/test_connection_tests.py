"""Testing a connection: the step that fails, on real brokers, and what is said about it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from engine.api.cluster_snapshots import ConnectionTest, StepName, StepState, TestStep
from engine.clusters.tester import ConnectionTester
from engine.config.cluster_section import ClusterConfig
from engine.config.model import Config
from engine.sandbox import ClusterSpec, Listener, Sandbox, Security
from engine.sandbox.certificates import CertificateAuthority
from tests.kafka.engines import FreshTopic, create
from tests.secured import Acls, Secured

pytestmark = pytest.mark.kafka
NOTHING_ELSE = Config.model_validate(
    {"version": 1, "clusters": {"other": {"bootstrap_servers": ["none.invalid:9092"]}}, "flows": {}}
)


async def run_test(section: dict[str, Any], config: Config = NOTHING_ELSE) -> ConnectionTest:
    """Test a connection from end to end."""
    tester = ConnectionTester(1, "prod", ClusterConfig.model_validate(section), config)
    async with asyncio.timeout(60):
        await tester.run()
    found = tester.snapshot()
    assert found.done
    return found


def failed_at(test: ConnectionTest, name: StepName) -> TestStep:
    """Return the step that failed; none after it was taken, and all before it were fine."""
    order = list(StepName)
    at = order.index(name)
    states = [step.state for step in test.steps]
    fine = {StepState.OK, StepState.SKIPPED, StepState.DOUBTFUL}
    assert set(states[:at]) <= fine, test
    assert states[at] is StepState.FAILED, test
    assert set(states[at + 1 :]) <= {StepState.NOT_REACHED}, test
    step = test.steps[at]
    assert step.next_step, "a failing step says what to do"
    return step


def step(test: ConnectionTest, name: StepName) -> TestStep:
    return next(each for each in test.steps if each.name is name)


def seen(test: ConnectionTest, name: StepName) -> str:
    return "\n".join(step(test, name).seen)


def login(secured: Secured, user: str = "ccr", **changes: Any) -> dict[str, Any]:
    """Return a section that logs in over TLS."""
    return secured.section(
        "east",
        Listener.SASL_TLS,
        sasl={**secured.login(user, "SCRAM-SHA-512"), **changes},
        tls={"ca": secured.ca},
    )


async def test_all_is_well(secured: Secured) -> None:
    test = await run_test(login(secured))
    assert test.failed is None
    states = {each.name: each.state for each in test.steps}
    assert set(states.values()) <= {StepState.OK, StepState.DOUBTFUL}
    assert "sasl.password: file:" in seen(test, StepName.PREPARE)
    assert "ccr-password" not in str(test)
    assert "127.0.0.1" in seen(test, StepName.RESOLVE)
    assert "connected in" in seen(test, StepName.CONNECT)
    assert "issued by CN=" in seen(test, StepName.TLS)
    assert "Kafka 4.1 or newer" in seen(test, StepName.KAFKA)
    assert "configured is SCRAM-SHA-512" in seen(test, StepName.LOGIN)
    assert "logged in as ccr (SCRAM-SHA-512)" in seen(test, StepName.LOGIN)
    assert "brokers advertised: 1 at " in seen(test, StepName.METADATA)
    assert "reached" in seen(test, StepName.BROKERS)
    assert "READ on" in seen(test, StepName.PERMISSIONS)
    assert all(each.seconds is not None for each in test.steps)


async def test_plain_needs_no_tls_and_no_login(secured: Secured) -> None:
    test = await run_test(secured.section("east", Listener.PLAINTEXT))
    assert test.failed is None
    for name in (StepName.PREPARE, StepName.TLS, StepName.LOGIN):
        assert step(test, name).state is StepState.SKIPPED


async def test_a_secret_that_is_not_there(secured: Secured) -> None:
    section = login(secured, password="env:CCR_TEST_NO_SUCH_SECRET")
    found = failed_at(await run_test(section), StepName.PREPARE)
    assert found.problem == "the environment variable CCR_TEST_NO_SUCH_SECRET is not set"
    assert found.seen == ("sasl.password: env:CCR_TEST_NO_SUCH_SECRET, missing",)


async def test_a_name_that_does_not_resolve(secured: Secured) -> None:
    section = secured.section("east", Listener.PLAINTEXT)
    good = section["bootstrap_servers"]
    section["bootstrap_servers"] = ["no-such-host.invalid:9092"]
    found = failed_at(await run_test(section), StepName.RESOLVE)
    assert "the name no-such-host.invalid cannot be resolved" in found.problem
    assert "bootstrap_servers" in found.next_step
    # Beside one that does it is a doubt: one is enough to go on.
    section["bootstrap_servers"] += good
    test = await run_test(section)
    assert test.failed is None
    assert step(test, StepName.RESOLVE).state is StepState.DOUBTFUL
    assert "no-such-host.invalid" in step(test, StepName.RESOLVE).problem


async def test_a_closed_port() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # not listening
        port = held.getsockname()[1]
        test = await run_test({"bootstrap_servers": [f"127.0.0.1:{port}"]})
    found = failed_at(test, StepName.CONNECT)
    assert found.problem == f"127.0.0.1:{port}: connection refused"
    assert found.next_step == "Is the broker running, and the port right?"


async def test_an_unknown_ca(secured: Secured, tmp_path: Path) -> None:
    other = CertificateAuthority.open(tmp_path, "another CA")
    section = secured.section("east", Listener.TLS, tls={"ca": str(other.file)})
    found = failed_at(await run_test(section), StepName.TLS)
    assert "is of a CA that is not trusted here" in found.problem
    assert "It was issued by CN=" in found.problem
    assert found.next_step == "Set tls.ca (or tls.truststore) to the CA of this cluster"
    assert "valid from 20" in "\n".join(found.seen)


async def test_a_wrong_host_name(secured: Secured) -> None:
    section = secured.section("east", Listener.TLS, tls={"ca": secured.ca})
    port = section["bootstrap_servers"][0].rpartition(":")[2]
    section["bootstrap_servers"] = [f"127.1:{port}"]  # no name of the certificate
    found = failed_at(await run_test(section), StepName.TLS)
    assert "its certificate is for another name" in found.problem
    assert "for localhost" in found.problem
    assert "Use a name that the certificate has" in found.next_step


async def test_no_client_certificate(secured: Secured) -> None:
    section = secured.section("east", Listener.MTLS, tls={"ca": secured.ca})
    found = failed_at(
        await run_test(section), StepName.KAFKA
    )  # TLS 1.3 tells it after the handshake
    assert "the broker wants a client certificate, and none is configured" in found.problem


async def test_plain_to_a_tls_port(secured: Secured) -> None:
    section = {**secured.section("east", Listener.TLS), "security_protocol": "PLAINTEXT"}
    found = failed_at(await run_test(section), StepName.KAFKA)
    assert "Check" in found.next_step
    assert "security_protocol against the broker's listener" in found.next_step


async def test_a_wrong_password(secured: Secured) -> None:
    section = login(secured, password=secured.secret("not this"))
    test = await run_test(section)
    found = failed_at(test, StepName.LOGIN)
    assert "the login ccr (SCRAM-SHA-512) was refused" in found.problem
    assert found.next_step == "Check sasl.username, the password and sasl.mechanism"
    assert "not this" not in str(test)


async def test_a_login_where_none_is_taken(secured: Secured) -> None:
    section = secured.section("east", Listener.PLAINTEXT, sasl=secured.login("ccr", "PLAIN"))
    section["security_protocol"] = "SASL_PLAINTEXT"
    found = failed_at(await run_test(section), StepName.LOGIN)
    assert "takes no logins" in found.problem


async def test_a_wrong_mechanism_and_an_advertised_address_that_is_not_reachable(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    """A broker that offers PLAIN alone, and that tells clients to come by a proxy that is away."""
    security = Security(sasl=("PLAIN",), users={"ccr": "ccr-password"})
    spec = ClusterSpec(security=security, proxies=(unused_tcp_port,))
    sandbox = Sandbox(tmp_path / "sandbox", {"prod": spec}, ephemeral=True)
    await sandbox.up()
    try:
        wanted = {"mechanism": "SCRAM-SHA-512", "username": "ccr", "password": "ccr-password"}
        test = await run_test(
            {
                "bootstrap_servers": [sandbox.bootstrap("prod", Listener.SASL)],
                "security_protocol": "SASL_PLAINTEXT",
                "sasl": wanted,
            }
        )
        found = failed_at(test, StepName.LOGIN)
        assert found.problem.endswith("does not offer SCRAM-SHA-512, only PLAIN")
        assert found.next_step.startswith("Change sasl.mechanism")

        own_port = sandbox.bootstrap("prod", Listener.PROXIED)
        found = failed_at(await run_test({"bootstrap_servers": [own_port]}), StepName.BROKERS)
        away = f"127.0.0.1:{unused_tcp_port}"
        assert f"broker 1 advertises {away}, which fails: connection refused" in found.problem
        assert "set advertised.listeners of the broker" in found.next_step
    finally:
        await sandbox.down()


async def test_a_missing_acl(secured: Secured, fresh_topic: FreshTopic) -> None:
    topic = fresh_topic("may-not")
    await create(secured.sandbox, topic, 1)
    acls = Acls(secured, "east", "limited")
    await acls.allow(topic, "DESCRIBE")
    section = secured.section("east", Listener.SASL, sasl=secured.login("limited", "PLAIN"))
    config = Config.model_validate(
        {
            "version": 1,
            "clusters": {"prod": section, "dr": secured.section("west", Listener.PLAINTEXT)},
            "flows": {
                "f": {"source": "prod", "target": "dr", "topics": {"include": [topic]}},
            },
        }
    )
    found = failed_at(await run_test(section, config), StepName.PERMISSIONS)
    assert f"flow f: missing: READ on topic {topic}, cluster prod" in found.problem
    assert "docs/permissions.md" in found.next_step
    await acls.allow(topic, "READ", "DESCRIBE_CONFIGS")
    again = step(await run_test(section, config), StepName.PERMISSIONS)
    assert "READ on topic" not in again.problem
