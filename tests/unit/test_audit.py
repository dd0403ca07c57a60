"""Every command is on record, with who, what and how it ended; and no secret is."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from pydantic import SecretStr

from ccr_tui.cli.main import main
from engine.api.config_snapshots import Applied
from engine.api.protocol import EngineApi
from engine.api.snapshots import CommandResult
from engine.audit import file as audit_file
from engine.audit.audited import NAMESPACES, as_event, audited, audited_connect, commands
from engine.audit.caller import Caller, asked_by, here, origin, shortened
from engine.audit.file import Act, AuditFile, read_acts
from engine.config.editing.edits import Put
from engine.errors import ConnectError, RefusedError
from engine.service.paths import service_paths

ALICE = Caller("alice", 1001, 4711, "ccr pause, ssh from 10.0.0.7")


class Recording:
    """A namespace that answers everything."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        async def method(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
            return CommandResult(name != "resume", f"{name} it is")

        return method


class Api:
    def __init__(self) -> None:
        self.flows, self.clusters, self.config = Recording(), Recording(), Recording()
        self.runbooks, self.connect = Recording(), Recording()

    async def snapshot(self) -> str:
        return "a snapshot"


def opened(tmp_path: Path) -> tuple[Any, Api, list[Act], Path]:
    inner, told = Api(), list[Act]()
    path = tmp_path / "deep" / "audit.jsonl"
    api = audited(inner, AuditFile(path), told.append)  # type: ignore[arg-type]
    return api, inner, told, path


def test_the_protocol_has_no_namespace_that_is_left_out() -> None:
    properties = {
        name
        for name, member in vars(EngineApi).items()
        if isinstance(member, property) and member.fget is not None
    }
    assert properties == set(NAMESPACES)
    for name in properties:
        getter = vars(EngineApi)[name].fget
        assert get_type_hints(getter)["return"] is NAMESPACES[name]


def test_what_a_command_is_says_its_answer() -> None:
    assert commands(NAMESPACES["flows"]) == {"pause", "resume", "retry", "limit", "take_over"}
    assert commands(NAMESPACES["clusters"]) == {"give_secret"}
    assert commands(NAMESPACES["config"]) == {"save", "reload", "store_secret"}
    assert commands(NAMESPACES["runbooks"]) == {"start", "abort", "go_on", "confirm"}
    assert commands(NAMESPACES["connect"]) == {
        "apply", "restart", "restart_task", "pause", "resume", "stop", "delete", "set_offsets",
        "reset_offsets", "reset_topics", "set_logger",
    }  # fmt: skip
    for protocol in NAMESPACES.values():
        for name, method in vars(protocol).items():
            if callable(method) and not name.startswith("_"):
                answer = get_type_hints(method)["return"]
                assert (answer in (CommandResult, Applied)) == (name in commands(protocol))


async def test_who_what_and_how_it_ended(tmp_path: Path) -> None:
    api, inner, told, path = opened(tmp_path)
    with asked_by(ALICE):
        await api.flows.pause("orders")
        await api.flows.resume("orders")
        inner.flows.error = RefusedError("retrying", "orders", "this engine is read-only", "Ask")
        with pytest.raises(RefusedError):
            await api.flows.retry("orders", "eu", 3, accept=True)
        inner.flows.error = ConnectError("limiting", "orders", "west is away")
        with pytest.raises(ConnectError):
            await api.flows.limit("orders", None)
        inner.flows.error = ValueError("of a secret")
        with pytest.raises(ValueError, match="of a secret"):
            await api.flows.take_over("orders")
    assert await api.snapshot() == "a snapshot"
    assert list(read_acts(path)) == told
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {(act.user, act.uid, act.pid, act.origin) for act in told} == {
        ("alice", 1001, 4711, "ccr pause, ssh from 10.0.0.7")
    }
    assert [(act.did, act.outcome) for act in told] == [
        ("flows.pause", "done"),
        ("flows.resume", "unchanged"),
        ("flows.retry", "refused"),
        ("flows.limit", "failed"),
        ("flows.take_over", "failed"),
    ]
    assert told[0].text == "pause it is"
    assert "this engine is read-only" in told[2].text
    assert told[4].text == "ValueError", "what an unforeseen error says may be anything"


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [
        ({"flow": "orders", "topic": None}, "orders"),
        ({"cluster": "west", "key": "sasl.password"}, "west"),
        ({"digest": "abc"}, "the configuration"),
    ],
)
def test_an_act_is_an_event_of_what_it_is_about(arguments: dict[str, object], subject: str) -> None:
    act = Act(1.0, "alice", 1, 2, "ccr pause", "flows.pause", arguments, "done", "it is")
    assert as_event(act) == (subject, "alice (ccr pause): flows.pause: done: it is")


async def test_arguments_are_on_record_by_the_names_of_the_protocol(tmp_path: Path) -> None:
    inner, told = Api(), list[Act]()

    class Named:
        async def retry(
            self,
            flow: str,
            topic: str | None = None,
            partition: int | None = None,
            *,
            accept: bool = False,
        ) -> CommandResult:
            return CommandResult(True, "ok")

    inner.flows = Named()  # type: ignore[assignment]
    api = audited(inner, AuditFile(tmp_path / "a"), told.append)  # type: ignore[arg-type]
    await api.flows.retry("orders", "eu", accept=True)
    assert told[0].arguments == {"flow": "orders", "topic": "eu", "accept": True}


async def test_no_secret_is_on_record(tmp_path: Path) -> None:
    api, _, told, path = opened(tmp_path)
    await api.clusters.give_secret("west", "sasl.password", SecretStr("hunter2"))
    await api.config.store_secret("keyring:west/ccr", SecretStr("hunter2"))
    await api.config.save([Put(("clusters", "west"), {"sasl": {"password": "hunter2"}})], "digest")
    assert "hunter2" not in path.read_text() + str(told)
    assert "keyring:west/ccr" in path.read_text()
    assert "put clusters.west" in path.read_text()


async def test_of_a_connectors_settings_the_keys_are_on_record(tmp_path: Path) -> None:
    class Connect:
        async def apply(
            self, endpoint: str, name: str, settings: dict[str, str], *, patch: bool
        ) -> CommandResult:
            return CommandResult(True, "it is written")

    told, path = list[Act](), tmp_path / "audit.jsonl"
    api: Any = audited_connect(Connect(), AuditFile(path), told.append)  # type: ignore[arg-type]
    settings = {"connector.class": "FileStreamSink", "db.password": "hunter2"}
    await api.apply("east", "orders-sink", settings, patch=True)
    assert told[0].arguments == {
        "endpoint": "east",
        "name": "orders-sink",
        "settings": ["connector.class", "db.password"],
        "patch": True,
    }
    assert "hunter2" not in path.read_text()
    assert as_event(told[0])[0] == "east"


async def test_what_only_looks_is_not_on_record(tmp_path: Path) -> None:
    api, _, told, _ = opened(tmp_path)
    await api.config.reload(dry_run=True)
    assert told == []
    await api.config.reload(dry_run=False)
    assert [act.did for act in told] == ["config.reload"]


async def test_a_secret_in_the_place_of_its_reference_is_not_on_record(tmp_path: Path) -> None:
    class Storing(Recording):
        async def store_secret(self, reference: str, value: SecretStr) -> CommandResult:
            return CommandResult(True, "stored")

    inner, told = Api(), list[Act]()
    inner.config = Storing()
    api: Any = audited(inner, AuditFile(tmp_path / "audit.jsonl"), told.append)  # type: ignore[arg-type]
    for reference in ("hunter2", "keyring:a/b"):
        await api.config.store_secret(reference, SecretStr("hunter2"))
    assert [act.arguments["reference"] for act in told] == ["no reference, hidden", "keyring:a/b"]
    assert "hunter2" not in str(told)


async def test_a_disk_that_refuses_is_told_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "deep").write_text("in the way")
    api, _, told, path = opened(tmp_path)
    assert (await api.flows.pause("orders")).changed
    assert f"the audit log {path} cannot be written" in caplog.text
    assert "flows.pause" in caplog.text
    assert len(told) == 1


def test_files_are_rotated_and_read_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_file, "FILE_BYTES", 400)
    monkeypatch.setattr(audit_file, "FILES_KEPT", 3)
    file = AuditFile(tmp_path / "audit.jsonl")
    for number in range(20):
        file.write(Act(float(number), "a", 1, 2, "", "flows.pause", {}, "done", "x" * 40))
    with file.path.open("a") as torn:
        torn.write('{"at": 99.0, "user": "b", "ui')
    kept = [act.at for act in read_acts(file.path)]
    assert kept == [float(number) for number in range(20 - len(kept), 20)]
    assert 4 < len(kept) < 20
    assert [act.at for act in read_acts(file.path, since=18.0)] == [18.0, 19.0]
    assert len(list(tmp_path.iterdir())) == 4


def test_where_it_is_used_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/ccr", "pause", "orders", "--secret=hunter2"])
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.7 50022 10.0.0.1 22")
    monkeypatch.setenv("SUDO_USER", "alice")
    monkeypatch.delenv("TMUX", raising=False)
    assert origin() == "ccr pause, ssh from 10.0.0.7, sudo by alice"
    assert shortened("a\nb\x1b[31m" + "é" * 300).isprintable()
    assert len(shortened("x" * 1000)) == 200
    assert here().pid > 0


def test_the_verb_prints_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    config = tmp_path / "ccr.yaml"
    config.write_text("version: 1\n")
    arguments = ["--config", str(config), "audit"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == "Nothing was done.\n"
    act = Act(
        1e9, "alice", 1001, 7, "ccr pause", "flows.pause", {"flow": "o", "t": None}, "done", "ok"
    )
    AuditFile(service_paths(config).audit).write(act)
    assert main(arguments) == 0
    assert capsys.readouterr().out == (
        "2001-09-09T01:46:40Z alice flows.pause flow=o\n    done: ok  [ccr pause, pid 7]\n"
    )
    assert main([*arguments, "--since", "1s", "--json"]) == 0
    assert capsys.readouterr().out == ""
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["did"] == "flows.pause"
    assert main([*arguments, "--since", "12h"]) == 0
    assert capsys.readouterr().out == "Nothing was done.\n"
    assert main([*arguments, "--since", "soon"]) == 2
    assert "must be a time" in capsys.readouterr().err
