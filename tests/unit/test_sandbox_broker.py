"""The brokers' settings, and what their output is reduced to."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import SandboxError
from engine.sandbox.broker import (
    BrokerHome,
    ClusterSpec,
    bootstrap_servers,
    broker_properties,
    new_cluster_id,
    reason_in,
)
from engine.sandbox.state import ClusterState, NodeState


def cluster(spec: ClusterSpec) -> ClusterState:
    nodes = [NodeState(n, 20_000 + n, 21_000 + n) for n in range(1, spec.brokers + 1)]
    return ClusterState("id", spec.to_state(), nodes)


def settings(state: ClusterState, broker: int) -> dict[str, str]:
    return broker_properties(state, state.nodes[broker - 1], Path("/data"))


def test_a_single_broker_is_its_own_controller() -> None:
    got = settings(cluster(ClusterSpec()), 1)
    assert got["process.roles"] == "broker,controller"
    assert got["controller.quorum.voters"] == "1@127.0.0.1:21001"
    assert got["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:21001"
    assert got["offsets.topic.replication.factor"] == "1"
    assert got["transaction.state.log.replication.factor"] == "1"


@pytest.mark.parametrize(
    ("brokers", "controllers", "replicas"), [(1, 1, 1), (2, 1, 2), (3, 3, 3), (5, 3, 3)]
)
def test_an_odd_number_of_controllers_votes(brokers: int, controllers: int, replicas: int) -> None:
    state = cluster(ClusterSpec(brokers))
    every = [settings(state, broker) for broker in range(1, brokers + 1)]
    assert [s["process.roles"] for s in every] == ["broker,controller"] * controllers + [
        "broker"
    ] * (brokers - controllers)
    assert {s["controller.quorum.voters"].count("@") for s in every} == {controllers}
    assert {s["transaction.state.log.replication.factor"] for s in every} == {str(replicas)}
    assert [s["node.id"] for s in every] == [str(n) for n in range(1, brokers + 1)]
    assert all(
        ("CONTROLLER://" in s["listeners"]) == ("controller" in s["process.roles"]) for s in every
    )


def test_the_broker_wins_over_the_cluster_and_the_cluster_over_the_sandbox() -> None:
    spec = ClusterSpec(
        2,
        properties={"num.io.threads": "8", "broker.rack": "a"},
        broker_properties={2: {"broker.rack": "b"}},
    )
    state = cluster(spec)
    assert (settings(state, 1)["num.io.threads"], settings(state, 1)["broker.rack"]) == ("8", "a")
    assert (settings(state, 2)["num.io.threads"], settings(state, 2)["broker.rack"]) == ("8", "b")


def test_clients_of_the_proxied_listener_are_sent_to_the_proxies() -> None:
    spec = ClusterSpec(2, proxies=(9001, 9002))
    state = cluster(spec)
    for node in state.nodes:
        node.listener_ports["PROXIED"] = 22_000 + node.id
    assert ClusterSpec.from_state(state.spec) == spec
    for broker in (1, 2):
        got = settings(state, broker)
        assert f"PROXIED://127.0.0.1:2200{broker}" in got["listeners"].split(",")
        assert got["advertised.listeners"] == (
            f"PLAINTEXT://127.0.0.1:2000{broker},PROXIED://127.0.0.1:900{broker}"
        )
        assert "PROXIED:PLAINTEXT" in got["listener.security.protocol.map"].split(",")
    with pytest.raises(SandboxError, match="1 proxies for 3 brokers"):
        ClusterSpec(3, proxies=(9001,))


def test_bootstrap_names_every_broker() -> None:
    assert bootstrap_servers(cluster(ClusterSpec(2))) == "127.0.0.1:20001,127.0.0.1:20002"


def test_properties_are_written_as_java_reads_them(tmp_path: Path) -> None:
    home = BrokerHome(tmp_path / "broker-1")
    home.write_properties({"a": "1", "sasl.mapping": r"s/\d+/x/"})
    assert home.properties_file.read_text() == "a=1\nsasl.mapping=s/\\\\d+/x/\n"


def test_a_cluster_id_never_looks_like_an_option() -> None:
    ids = {new_cluster_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert not [one for one in ids if one.startswith("-") or len(one) != 22]


def test_the_reason_is_found_among_the_noise() -> None:
    output = (
        "2026-01-01 INFO Log: fine\n"
        'Exception in thread "main" ConfigException: Invalid value forever\n'
        "\tat org.apache.kafka.common.config.Exceptions.thrown(Exceptions.java:1)\n"
    )
    assert reason_in(output) == 'Exception in thread "main" ConfigException: Invalid value forever'
    assert reason_in("all is well\n") == ""
    assert reason_in("1 ERROR a\n2 FATAL b\n3 ERROR c\n") == "1 ERROR a | 2 FATAL b"
