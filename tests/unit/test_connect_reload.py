"""The section `connect` of a running engine's configuration: changed in place, secrets kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from engine.api.config_snapshots import Effect, EffectKind, Subject
from engine.api.local import LocalEngineApi
from engine.api.snapshots import EngineMode
from engine.config.model import Config
from engine.config.sections import secrets_of
from engine.engine import Engine
from engine.errors import RefusedError
from engine.reload.applying import apply
from engine.reload.plan import plan

LOGIN = {"username": "ops", "password": "env:NO_SUCH_VARIABLE"}


def config(**connect: Any) -> Config:
    clusters = {"a": {"bootstrap_servers": ["127.0.0.1:1"]}}
    return Config.model_validate({"version": 1, "clusters": clusters, "connect": connect})


def endpoint(port: int, **more: Any) -> dict[str, Any]:
    return {"urls": [f"http://127.0.0.1:{port}"], **more}


async def test_what_changes_and_what_then_holds(tmp_path: Path) -> None:
    before = config(same=endpoint(1), other=endpoint(2, auth=LOGIN), gone=endpoint(3))
    after = config(same=endpoint(1), other=endpoint(4, auth=LOGIN, read_only=True), new=endpoint(5))
    effects = plan(before, after)
    assert effects[1:] == (
        Effect(Subject.CONNECT, "same", EffectKind.NOTHING, ""),
        Effect(Subject.CONNECT, "other", EffectKind.CHANGE, "urls, read_only"),
        Effect(Subject.CONNECT, "new", EffectKind.START, "it is new"),
        Effect(Subject.CONNECT, "gone", EffectKind.STOP, "it is removed"),
    )
    engine = Engine(before, config_path=str(tmp_path / "ccr.yaml"), mode=EngineMode.SERVICE)
    api = LocalEngineApi(engine)
    for _, secret in secrets_of(before.connect):
        secret.give(SecretStr("hunter2"))
    assert [each.name for each in await api.connect.endpoints()] == ["same", "other", "gone"]
    await apply(engine, after, effects)
    assert [(each.name, each.read_only) for each in await api.connect.endpoints()] == [
        ("same", False), ("other", True), ("new", False)
    ]  # fmt: skip
    with pytest.raises(RefusedError, match=r"connect\.other is read-only"):
        await api.connect.pause("other", "c")
    with pytest.raises(RefusedError, match="has same, other, new"):
        await api.connect.connectors("gone")
    (given,) = [secret for _, secret in secrets_of(engine.config.connect)]
    assert (await given.resolve(what="it")).get_secret_value() == "hunter2"
    await engine.stop(0)
    await api.close()
