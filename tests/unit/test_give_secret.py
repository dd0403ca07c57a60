"""Giving the engine a secret: over the socket, held in memory, refused where it must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from engine.api.local import LocalEngineApi
from engine.api.snapshots import EngineMode, SecretSnapshot
from engine.config.model import Config
from engine.config.secrets import SecretState
from engine.engine import Engine
from engine.errors import RefusedError
from engine.service.client import RemoteEngineApi
from engine.service.control import ControlServer
from engine.service.listening import listen
from engine.service.lock import ServiceLock
from engine.service.paths import service_paths
from tests.unit.engine_double import RecordingEngine

SECRET = "hunter2 ä/"
LOGIN = {"mechanism": "PLAIN", "username": "ccr"}


def cluster(password: str, **settings: Any) -> dict[str, Any]:
    return {
        "bootstrap_servers": ["127.0.0.1:1"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl": {**LOGIN, "password": password},
        **settings,
    }


def engine(**settings: Any) -> Engine:
    config = Config.model_validate(
        {
            "version": 1,
            "clusters": {
                "a": cluster("env:CCR_TEST_NOWHERE"),
                "b": cluster("env:CCR_TEST_NOWHERE", read_only=True),
                "c": cluster("env:CCR_TEST_ELSEWHERE"),
                "d": {"bootstrap_servers": ["127.0.0.1:1"]},
            },
            "flows": {"a-to-c": {"source": "a", "target": "c"}},
            **settings,
        }
    )
    return Engine(config, config_path="test", mode=EngineMode.SERVICE)


def states(of: Engine) -> dict[str, tuple[SecretSnapshot, ...]]:
    return {cluster.name: cluster.secrets for cluster in of.snapshot().clusters}


async def test_it_is_given_to_all_that_refer_to_the_same_place() -> None:
    made = engine()
    api = LocalEngineApi(made)
    result = await api.clusters.give_secret("a", "sasl.password", SecretStr(SECRET))
    assert result.changed
    assert {name: [s.state for s in secrets] for name, secrets in states(made).items()} == {
        "a": [SecretState.GIVEN],
        "b": [SecretState.GIVEN],
        "c": [SecretState.UNREAD],
        "d": [],
    }
    sasl = made.config.clusters["b"].sasl
    assert sasl is not None
    assert sasl.password is not None
    assert (await sasl.password.resolve(what="b")).get_secret_value() == SECRET
    told = [repr(made.snapshot()), repr(made.config), made.config.model_dump_json(), result.text]
    told += [repr(event) for event in made.events.since(0)]
    assert "sasl.password was given by an operator" in "".join(told)
    assert SECRET not in "".join(told)


@pytest.mark.parametrize(
    ("name", "key", "value", "cause"),
    [
        ("e", "sasl.password", SECRET, "it is none of this config's (a, b, c, d)"),
        ("a", "tls.key_password", SECRET, "tls.key_password is none of its secrets (sasl.pass"),
        ("d", "sasl.password", SECRET, "sasl.password is none of its secrets (none)"),
        ("a", "sasl.password", "", "it is empty"),
    ],
)
async def test_what_is_refused(name: str, key: str, value: str, cause: str) -> None:
    made = engine()
    with pytest.raises(RefusedError) as caught:
        await LocalEngineApi(made).clusters.give_secret(name, key, SecretStr(value))
    assert cause in str(caught.value)
    assert SECRET not in str(caught.value)
    assert SecretState.GIVEN not in {s.state for found in states(made).values() for s in found}


async def test_a_read_only_engine_takes_none() -> None:
    made = engine(read_only=True)
    with pytest.raises(RefusedError, match="this engine is read-only"):
        await LocalEngineApi(made).clusters.give_secret("a", "sasl.password", SecretStr(SECRET))
    assert states(made)["a"][0].state is SecretState.UNREAD


async def test_over_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCR_RUNTIME_DIR", str(tmp_path / "run"))
    paths, double = service_paths(tmp_path / "config.yaml"), RecordingEngine()
    with ServiceLock(paths):
        server = ControlServer(double, paths.socket)
        await server.start(listen(paths.socket))
        try:
            await _give(paths.socket, double)
            await _give_wrongly(paths.socket)
        finally:
            await server.stop()
    assert len(double.calls) == 1


async def _give(socket: Path, double: RecordingEngine) -> None:
    api = RemoteEngineApi(socket)
    await api.clusters.give_secret("a/ b", "sasl.password", SecretStr(SECRET))
    assert double.calls == [("give_secret", "a/ b", "sasl.password", SecretStr(SECRET))]
    await api.close()
    read_only = RemoteEngineApi(socket, read_only=True)
    with pytest.raises(RefusedError, match="ccr was opened read-only"):
        await read_only.clusters.give_secret("a", "sasl.password", SecretStr(SECRET))
    await read_only.close()


async def _give_wrongly(socket: Path) -> None:
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://ccr") as http:
        bodies: list[object] = [{"value": SECRET}, {"key": SECRET}, {"key": [SECRET], "value": 1}]
        for body in [*(json.dumps(body) for body in bodies), f'{{"value": "{SECRET}'.encode()]:
            answer = await http.post("/v1/clusters/a/secret", content=body)
            assert answer.status_code == 400
            assert "hunter2" not in answer.text
