"""ClustersApi: over the control socket, and what it makes of sections that are not saved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import JsonValue, SecretStr

from engine.api.cluster_snapshots import (
    ClusterDetail,
    ClusterList,
    ClusterListing,
    ConnectionTest,
    Reach,
    Section,
    StepName,
    StepState,
    TestStep,
    TopicRow,
    Untold,
)
from engine.api.local import LocalEngineApi
from engine.api.snapshots import EngineMode, Reason, SecretSnapshot
from engine.clusters import looking
from engine.config.model import Config
from engine.config.secrets import SecretState
from engine.engine import Engine
from engine.errors import ConfigError, ConnectError, RefusedError
from engine.service.client import RemoteEngineApi
from engine.service.control import ControlServer
from engine.service.listening import listen
from engine.service.lock import ServiceLock
from engine.service.paths import service_paths
from tests.unit.engine_double import RecordingEngine

LISTING = ClusterListing(
    "prod", ("a:1",), "production", True, Reach.AWAY, Reason("gone", "wait", 3.0), 1.0, 2.0,
    secrets=(SecretSnapshot("sasl.password", "env:X", SecretState.MISSING),),
)  # fmt: skip
TEST = ConnectionTest(
    1, "prod", 5.0, True, (TestStep(StepName.TLS, StepState.FAILED, 0.1, ("a",), "why", "then"),)
)


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine()


@pytest.fixture
async def socket(
    engine: RecordingEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Path]:
    monkeypatch.setenv("CCR_RUNTIME_DIR", str(tmp_path / "run"))
    paths = service_paths(tmp_path / "config.yaml")
    with ServiceLock(paths):
        server = ControlServer(engine, paths.socket)
        await server.start(listen(paths.socket))
        yield paths.socket
        await server.stop()


@pytest.fixture
async def remote(socket: Path) -> AsyncIterator[RemoteEngineApi]:
    api = RemoteEngineApi(socket, read_only=True)  # looking and testing change nothing
    yield api
    await api.close()


async def test_list_and_detail_arrive_whole(
    engine: RecordingEngine, remote: RemoteEngineApi
) -> None:
    engine.cluster_list = ClusterList(9.0, (LISTING,))
    topics = tuple(TopicRow(f"t{n}", n % 2 == 0, n, 3, 1, 0, None) for n in range(1201))
    untold = (Untold(Section.QUOTAS, Reason("no", "Grant it")),)
    engine.details["a/b"] = ClusterDetail("a/b", 9.0, "id", topics=topics, untold=untold)
    assert await remote.clusters.list() == engine.cluster_list
    assert await remote.clusters.detail("a/b") == engine.details["a/b"]
    engine.failure = ConnectError("asking cluster", "a/b", "no answer", "Wait")
    with pytest.raises(ConnectError, match="no answer"):
        await remote.clusters.detail("a/b")


async def test_tests_arrive_with_section_and_secrets(
    engine: RecordingEngine, remote: RemoteEngineApi
) -> None:
    engine.tests[1] = TEST
    section: dict[str, JsonValue] = {"bootstrap_servers": ["a:1"], "sasl": {"mechanism": "PLAIN"}}
    secrets = {"keyring:ccr/a": SecretStr("hunter2")}
    assert await remote.clusters.test("prod", section, secrets) == TEST
    assert await remote.clusters.tested(1) == TEST
    await remote.clusters.test("prod")
    assert engine.calls == [
        ("test", "prod", section, secrets),
        ("tested", 1),
        ("test", "prod", None, {}),
    ]


async def test_an_id_that_is_no_number_is_refused(socket: Path) -> None:
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://ccr") as http:
        answer = await http.get("/v1/tests/-1")
    assert answer.status_code == 400
    assert answer.json()["cause"] == "the id is no number"


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[LocalEngineApi]:
    """An engine with one cluster, which is not there."""
    cluster = {"bootstrap_servers": ["no-such-host.invalid:9092"]}
    config = Config.model_validate({"version": 1, "clusters": {"prod": cluster}, "flows": {}})
    engine = Engine(config, config_path=str(tmp_path / "ccr.yaml"), mode=EngineMode.EMBEDDED)
    yield LocalEngineApi(engine)
    await engine.stop(0)


async def done(api: LocalEngineApi, test: ConnectionTest) -> ConnectionTest:
    async with asyncio.timeout(20):
        while not test.done:
            await asyncio.sleep(0.01)
            test = await api.clusters.tested(test.id)
    return test


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"bootstrap_servers": ["no-port"]}, "bootstrap_servers[0] must be host:port"),
        ({"bootstrap_server": ["a:1"]}, "did you mean 'bootstrap_servers'?"),
        (
            {"bootstrap_servers": ["a:1"], "security_protocol": "SASL_SSL"},
            "sasl is missing: security_protocol SASL_SSL needs a login",
        ),
        (
            {
                "bootstrap_servers": ["a:1"],
                "security_protocol": "SASL_SSL",
                "sasl": {"mechanism": "PLAIN", "username": "u", "password": "hunter2"},
            },
            "sasl.password is plain text, which is refused",
        ),
    ],
)
async def test_a_wrong_section_is_refused_without_its_values(
    local: LocalEngineApi, section: dict[str, JsonValue], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        await local.clusters.test("new", section)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_typed_secrets_are_used_for_the_test_alone(local: LocalEngineApi) -> None:
    section: dict[str, JsonValue] = {
        "bootstrap_servers": ["no-such-host.invalid:9092"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl": {"mechanism": "PLAIN", "username": "u", "password": "env:CCR_TEST_NOT_SET"},
    }
    test = await done(local, await local.clusters.test("new", section))
    assert test.failed is not None
    assert test.failed.name is StepName.PREPARE
    typed = {"env:CCR_TEST_NOT_SET": SecretStr("hunter2")}
    test = await done(local, await local.clusters.test("new", section, typed))
    assert test.steps[0].state is StepState.OK
    assert test.steps[0].seen == ("sasl.password: env:CCR_TEST_NOT_SET, given",)
    assert test.failed is not None
    assert test.failed.name is StepName.RESOLVE
    assert "hunter2" not in repr(test)


async def test_unknown_clusters_and_old_tests_are_refused(local: LocalEngineApi) -> None:
    for call in (local.clusters.test("none"), local.clusters.detail("none")):
        with pytest.raises(RefusedError, match=r"none of this config's \(prod\)"):
            await call
    first = await local.clusters.test("prod")
    for _ in range(8):
        last = await local.clusters.test("prod")
    with pytest.raises(RefusedError, match="not known any more"):
        await local.clusters.tested(first.id)
    assert (await local.clusters.tested(last.id)).cluster == "prod"


async def test_a_cluster_that_swallows_requests_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "METADATA_WITHIN_S", 0.2)
    taken: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: taken.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    section = {"bootstrap_servers": [f"127.0.0.1:{port}"]}
    config = Config.model_validate({"version": 1, "clusters": {"prod": section}, "flows": {}})
    engine = Engine(config, config_path=str(tmp_path / "ccr.yaml"), mode=EngineMode.EMBEDDED)
    try:
        with pytest.raises(ConnectError, match="did not answer within"):
            await LocalEngineApi(engine).clusters.detail("prod")
        assert taken
    finally:
        await engine.stop(0)
        for writer in taken:
            writer.close()
        server.close()
