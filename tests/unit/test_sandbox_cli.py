"""`ccr sandbox`: its arguments and what it prints (what it does is in tests/kafka)."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ccr_tui.cli.sandbox import (
    ProgressMeter,
    add_parser,
    run_up,
    status_json,
    status_lines,
)
from ccr_tui.cli.sandbox_security import security
from ccr_tui.cli.sandbox_specs import specs
from engine.errors import CcrError, ConfigError, SandboxError
from engine.sandbox import (
    BrokerStatus,
    ClusterSpec,
    ClusterStatus,
    Progress,
    Sandbox,
    SandboxStatus,
    Security,
    WorkerStatus,
)
from engine.sandbox.plan import plan_clusters
from engine.sandbox.state import SandboxState, StateFile
from engine.sandbox.status import _cluster_status

EAST = ClusterStatus(
    "east", "127.0.0.1:20001", (BrokerStatus(1, 20001, 4711, "running"),), Path("/s/clusters/east")
)
WEST = ClusterStatus(
    "west",
    "127.0.0.1:20002,127.0.0.1:20003",
    (
        BrokerStatus(1, 20002, 4712, "not ready", "no answer within 3 s"),
        BrokerStatus(2, 20003, None, "stopped"),
    ),
    Path("/s/clusters/west"),
    "3.9.2",
)
STATUS = SandboxStatus(Path("/s"), (EAST, WEST), owner_pid=None, left_behind=False)
LEFTOVER = SandboxStatus(Path("/tmp/lost"), (EAST,), owner_pid=99, left_behind=True)


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return parser.parse_args(["sandbox", *arguments])


def test_clusters_are_named_with_their_brokers() -> None:
    args = parse("up", "--cluster", "east", "--cluster", "west:3", "--dir", "/s")
    assert args.cluster == [("east", 1), ("west", 3)]
    assert (args.dir, args.json, args.func) == (Path("/s"), False, run_up)


@pytest.mark.parametrize("wrong", ["", ":3", "west:", "west:0", "west:x", "west:-1"])
def test_what_is_no_cluster_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse("up", "--cluster", wrong)
    assert exit_.value.code == 2
    assert f"'{wrong}' is not NAME or NAME:BROKERS, as in west:3" in capsys.readouterr().err


async def test_a_cluster_named_twice_is_refused(tmp_path: Path) -> None:
    args = parse("up", "--cluster", "a", "--cluster", "a:2", "--dir", str(tmp_path / "s"))
    with pytest.raises(ConfigError, match="a is named twice"):
        await run_up(args)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("arguments", "planned"),
    [
        ((), None),
        (("--cluster", "a", "--cluster", "b:2"), {"a": (1, ""), "b": (2, "")}),
        (("--kafka-version", "3.9.2"), {"east": (1, "3.9.2"), "west": (1, "3.9.2")}),
        (("--kafka-version", "east=3.3.2"), {"east": (1, "3.3.2"), "west": (1, "")}),
        (
            ("--kafka-version=3.9.2", "--kafka-version=b=3.3.2", "--cluster=a", "--cluster=b:3"),
            {"a": (1, "3.9.2"), "b": (3, "3.3.2")},
        ),
    ],
)
def test_each_cluster_may_have_a_kafka_of_its_own(
    arguments: tuple[str, ...], planned: dict[str, tuple[int, str]] | None, tmp_path: Path
) -> None:
    args = parse("up", *arguments)
    asked = specs(args, Sandbox(tmp_path))
    found = asked and {name: (spec.brokers, spec.kafka_version) for name, spec in asked.items()}
    assert found == planned


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("--kafka-version", "other=3.9.2"), "other is not one of the clusters east, west"),
        (("--kafka-version", "3.9.2", "--kafka-version", "3.3.2"), "every cluster is named twice"),
        (("--kafka-version", "2.8.0"), "Ask for one of: 3.3.2, 3.9.2, 4.2.0"),
    ],
)
async def test_a_kafka_version_that_cannot_be(
    arguments: tuple[str, ...], cause: str, tmp_path: Path
) -> None:
    with pytest.raises(CcrError, match=cause):
        await run_up(parse("up", *arguments, "--dir", str(tmp_path / "s")))
    assert not (tmp_path / "s").exists()


def test_a_cluster_keeps_its_kafka_version(tmp_path: Path) -> None:
    state, file = SandboxState(), StateFile(tmp_path)
    plan_clusters(state, file, {"east": ClusterSpec(kafka_version="3.9.2")})
    plan_clusters(state, file, {"east": ClusterSpec(heap="300m")})
    spec = ClusterSpec.from_state(state.clusters["east"].spec)
    assert (spec.kafka_version, spec.heap) == ("3.9.2", "300m")
    with pytest.raises(SandboxError, match=r"it has Kafka 3\.9\.2.*--remove-data"):
        plan_clusters(state, file, {"east": ClusterSpec(kafka_version="4.2.0")})


def test_connect_workers_are_added_and_kept(tmp_path: Path) -> None:
    there = Sandbox(tmp_path)
    asked = specs(parse("up", "--connect", "east", "--connect", "west:2"), there)
    assert asked is not None
    state, file = SandboxState(), StateFile(tmp_path)
    plan_clusters(state, file, asked)
    ports = [worker.port for worker in state.clusters["west"].workers]
    assert len(state.clusters["east"].workers) == 1
    plan_clusters(state, file, {"west": ClusterSpec(connect_workers=3)})
    plan_clusters(state, file, {"west": ClusterSpec()})
    west = state.clusters["west"].workers
    assert [worker.id for worker in west] == [1, 2, 3]
    assert [worker.port for worker in west][:2] == ports
    assert len({port for member in state.members() for port in member.ports}) == 2 * 2 + 4
    with pytest.raises(SandboxError, match=r"it has 3\. Delete it first"):
        plan_clusters(state, file, {"west": ClusterSpec(connect_workers=1)})
    file.save(state)
    assert file.load() == state
    with pytest.raises(ConfigError, match="north is not one of the clusters east, west"):
        specs(parse("up", "--connect", "north"), there)


def test_status_with_connect_workers() -> None:
    workers = (
        WorkerStatus(1, "http://127.0.0.1:20009", 4720, "running"),
        WorkerStatus(2, "http://127.0.0.1:20010", None, "stopped"),
    )
    status = replace(STATUS, clusters=(replace(EAST, workers=workers),))
    assert (status.clusters[0].state, status.clusters[0].pids) == ("partly running", (4711, 4720))
    told = "\n".join(status_lines(status))
    assert "Connect worker 1, http://127.0.0.1:20009: running" in told
    assert "Connect worker 2, http://127.0.0.1:20010: stopped" in told
    assert status_json(status)["clusters"][0]["connect"][1] == {
        "id": 2,
        "url": "http://127.0.0.1:20010",
        "pid": None,
        "state": "stopped",
        "reason": None,
    }


def test_status_for_people() -> None:
    assert "\n".join(status_lines(STATUS, [LEFTOVER])) == (
        "CLUSTER  STATE           KAFKA  PIDS  BOOTSTRAP\n"
        "east     running         4.2.0  4711  127.0.0.1:20001\n"
        "west     partly running  3.9.2  4712  127.0.0.1:20002,127.0.0.1:20003\n"
        "    broker 1: not ready, no answer within 3 s\n"
        "    broker 2: stopped\n"
        "Data in /s\n"
        "Left behind by process 99, which was killed: /tmp/lost\n"
        "    brokers still running: 4711. Clean up with: ccr sandbox down --dir /tmp/lost"
    )


def test_status_of_no_sandbox() -> None:
    nothing = SandboxStatus(Path("/s"), (), owner_pid=None, left_behind=False)
    assert list(status_lines(nothing)) == ["No sandbox in /s. Start one with: ccr sandbox up"]


def test_status_for_scripts() -> None:
    answer = status_json(STATUS, [LEFTOVER])
    assert (answer["dir"], answer["left_behind"]) == ("/s", False)
    assert answer["clusters"][1] == {
        "name": "west",
        "state": "partly running",
        "bootstrap": "127.0.0.1:20002,127.0.0.1:20003",
        "pids": [4712],
        "data": "/s/clusters/west",
        "kafka_version": "3.9.2",
        "listeners": {},
        "brokers": [
            {
                "id": 1,
                "port": 20002,
                "pid": 4712,
                "state": "not ready",
                "reason": "no answer within 3 s",
            },
            {"id": 2, "port": 20003, "pid": None, "state": "stopped", "reason": None},
        ],
        "connect": [],
    }
    assert answer["leftovers"][0]["dir"] == "/tmp/lost"
    assert answer["leftovers"][0]["owner_pid"] == 99


def test_without_a_terminal_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    meter = ProgressMeter()
    for done in range(101):
        meter(Progress("Downloading", done, 100))
    meter(Progress("Starting"))
    meter.end()
    assert capsys.readouterr().err.splitlines() == [
        *(f"Downloading ({done} of 100)" for done in (0, 20, 40, 60, 80, 100)),
        "Starting",
    ]


def test_tls_and_logins(tmp_path: Path) -> None:
    """Asked for, they come with the files that clients need; the same ones the next time."""
    args = parse("up", "--tls", "--sasl", "PLAIN", "--sasl", "SCRAM-SHA-512")
    there = Sandbox(tmp_path)
    asked = security(args, there)
    assert asked is not None
    assert asked.listeners == ("TLS", "MTLS", "SASL", "SASL_TLS")
    assert asked.sasl == ("PLAIN", "SCRAM-SHA-512")
    found = specs(args, there)
    assert found is not None
    assert {name: spec.security for name, spec in found.items()} == {"east": asked, "west": asked}
    assert security(args, there) == asked
    assert security(parse("up"), there) is None
    files = there.status().files
    assert files["password"].read_text() == asked.users["ccr"]
    for private in ("password", "certificate"):
        assert files[private].stat().st_mode & 0o777 == 0o600
    state, file = SandboxState(), StateFile(tmp_path)
    plan_clusters(state, file, found)
    east = _cluster_status("east", state.clusters["east"], tmp_path)
    assert list(east.listeners) == ["TLS", "MTLS", "SASL", "SASL_TLS"]
    told = "\n".join(status_lines(replace(there.status(), clusters=(east,))))
    assert f"SASL_TLS: {east.listeners['SASL_TLS']}" in told
    assert f"username: ccr, password: file:{files['password']}" in told
    assert asked.users["ccr"] not in told
    # A cluster's users are made with it: it cannot get others later.
    plan_clusters(state, file, {"east": ClusterSpec()})
    with pytest.raises(SandboxError, match="it was made with those that it has"):
        plan_clusters(state, file, {"east": ClusterSpec(security=Security(tls=True))})


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"sasl": ("GSSAPI",)}, "no mechanism"),
        ({"sasl": ("OAUTHBEARER",)}, "no jwks_url"),
        ({"sasl": ("PLAIN",), "users": {"a": 'x"; evil'}}, "a meaning of its own"),
    ],
)
def test_security_that_no_broker_takes(wrong: dict[str, Any], cause: str) -> None:
    with pytest.raises(SandboxError, match=cause):
        Security(**wrong)
