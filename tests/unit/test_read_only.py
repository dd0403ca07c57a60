"""Read-only refuses every command of EngineApi: also one that nobody has thought of here yet."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from engine.api.cluster_protocol import ClustersApi
from engine.api.config_protocol import ConfigApi
from engine.api.connect_protocol import ConnectApi
from engine.api.local import LocalEngineApi
from engine.api.protocol import EngineApi, FlowsApi
from engine.api.runbook_protocol import RunbooksApi
from engine.api.runbook_snapshots import RunKind, RunOptions
from engine.api.snapshots import EngineMode
from engine.config.connect_section import ConnectConfig
from engine.config.model import Config
from engine.engine import Engine
from engine.errors import RefusedError
from engine.service.client import RemoteEngineApi

LOOKS = {
    "flows": {"partitions", "groups", "loss", "history", "select", "preview"},
    "clusters": {"list", "detail", "test", "tested"},
    "config": {"document", "propose"},
    "runbooks": {"plan", "runs"},
    "connect": {
        "endpoints",
        "connectors",
        "connector",
        "tasks",
        "offsets",
        "plugins",
        "plugin",
        "loggers",
        "propose",
    },
    "": {"snapshot", "events", "older_events", "log", "close"},
}
"""What changes nothing; whatever else there is must be refused."""
PROTOCOLS: dict[str, type] = {
    "flows": FlowsApi,
    "clusters": ClustersApi,
    "config": ConfigApi,
    "runbooks": RunbooksApi,
    "connect": ConnectApi,
    "": EngineApi,
}
ARGUMENTS: dict[str, Any] = {
    "flow": "a-to-b",
    "cluster": "b",
    "key": "sasl.password",
    "value": SecretStr("x"),
    "edits": (),
    "digest": "",
    "reference": "keyring:ccr/b",
    "bytes_per_second": 1,
    "kind": RunKind.PROMOTE,
    "options": RunOptions(),
    "endpoint": "east",
    "name": "orders-sink",
    "settings": {"connector.class": "FileStreamSink"},
    "task": 0,
    "offsets": (),
    "logger": "root",
    "level": "DEBUG",
}


def methods(space: str) -> set[str]:
    found = inspect.getmembers(PROTOCOLS[space], inspect.isfunction)
    return {name for name, _ in found if not name.startswith("_")}


def commands() -> Iterator[tuple[str, str]]:
    for space in PROTOCOLS:
        for name in sorted(methods(space) - LOOKS[space]):
            yield space, name


async def call(api: EngineApi, space: str, name: str) -> None:
    parameters = inspect.signature(getattr(PROTOCOLS[space], name)).parameters.values()
    given = [
        ARGUMENTS[each.name]
        for each in parameters
        if each.name != "self" and each.default is inspect.Parameter.empty
    ]
    await getattr(getattr(api, space) if space else api, name)(*given)


def engine(*, read_only: bool = False, cluster: bool = False, config: bool = False) -> Engine:
    brokers = {"bootstrap_servers": ["127.0.0.1:1"]}
    made = Config.model_validate(
        {
            "version": 1,
            "read_only": config,
            "clusters": {"a": brokers, "b": {**brokers, "read_only": cluster}},
            "flows": {"a-to-b": {"source": "a", "target": "b"}},
        }
    )
    return Engine(made, config_path="test", mode=EngineMode.SERVICE, read_only=read_only)


@pytest.mark.parametrize("name", sorted(methods("connect") - LOOKS["connect"]))
async def test_a_connect_cluster_refuses(name: str) -> None:
    section = ConnectConfig(urls=["http://127.0.0.1:1"], read_only=True)
    made = engine()
    made.config = made.config.model_copy(update={"connect": {"east": section}})
    with pytest.raises(RefusedError, match=r"connect\.east is read-only in the config"):
        await call(LocalEngineApi(made), "connect", name)


def test_every_namespace_is_looked_at() -> None:
    named = {
        name
        for name, value in inspect.getmembers(EngineApi)
        if isinstance(value, property) and typing.get_type_hints(value.fget)["return"]
    }
    assert named == set(PROTOCOLS) - {""}
    for space in PROTOCOLS:
        assert LOOKS[space] <= methods(space)


@pytest.mark.parametrize(("space", "name"), commands())
@pytest.mark.parametrize("how", ["read_only", "config"])
async def test_an_engine_refuses(space: str, name: str, how: str) -> None:
    api = LocalEngineApi(engine(**{how: True}))
    with pytest.raises(RefusedError, match=r"read-only|read_only"):
        await call(api, space, name)


@pytest.mark.parametrize(
    ("space", "name"), [each for each in commands() if each[0] in ("flows", "runbooks")]
)
async def test_a_cluster_refuses_flows_into_it(space: str, name: str) -> None:
    with pytest.raises(RefusedError, match="cluster b is read-only in the config"):
        await call(LocalEngineApi(engine(cluster=True)), space, name)


@pytest.mark.parametrize(("space", "name"), commands())
async def test_a_console_that_was_opened_so_refuses(space: str, name: str, tmp_path: Path) -> None:
    api = RemoteEngineApi(tmp_path / "no-engine.sock", read_only=True)
    with pytest.raises(RefusedError, match="opened read-only"):
        await call(api, space, name)
    await api.close()


def test_it_is_told_per_cluster() -> None:
    clusters = engine(cluster=True).snapshot().clusters
    assert {cluster.name: cluster.read_only for cluster in clusters} == {"a": False, "b": True}
