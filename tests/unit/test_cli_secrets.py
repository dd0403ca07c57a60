"""`ccr secrets`: what is typed and piped, what is refused, and that no value is ever shown."""

from __future__ import annotations

import getpass
import io
import json
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import pytest

from ccr_tui.cli.main import main
from engine.errors import ExitCode

CONFIG = """
version: 1
clusters:
  a:
    bootstrap_servers: ['127.0.0.1:1']
    security_protocol: SASL_SSL
    sasl: {mechanism: PLAIN, username: ccr, password: keyring:kafka/ccr}
    tls: {certificate: c.pem, key_password: 'file:key.secret'}
  b: {bootstrap_servers: ['127.0.0.1:1']}
flows:
  a-to-b: {source: a, target: b}
"""
KEY = "clusters.a.sasl.password"


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring backend in memory; with `deaf` it takes secrets and keeps none."""

    priority = 1

    def __init__(self, *, deaf: bool = False) -> None:
        super().__init__()
        self.deaf = deaf
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if not self.deaf:
            self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


class Piped(io.TextIOWrapper):
    """Standard input that is a pipe, or a terminal."""

    def __init__(self, content: bytes = b"", *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryKeyring]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CCR_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", Piped(content))


def type_in(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    given = iter(answers)
    monkeypatch.setattr("sys.stdin", Piped(terminal=True))
    monkeypatch.setattr(getpass, "getpass", lambda *_: next(given))


def test_piped(
    kept: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, "hünter2 \r\n".encode())
    assert main(["secrets", "set", "keyring:kafka/east/ccr"]) == ExitCode.OK
    assert kept.entries == {("kafka/east", "ccr"): "hünter2 "}
    told = capsys.readouterr()
    assert told.out.startswith("kafka/east/ccr is in the keyring (")
    assert told.err == ""  # without a configuration nothing is missing in it
    assert "hünter2" not in told.out


def test_typed_twice(kept: MemoryKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "hunter2", "hunter2")
    assert main(["secrets", "set", "kafka/ccr"]) == ExitCode.OK
    assert kept.entries == {("kafka", "ccr"): "hunter2"}


def test_typed_differently(
    kept: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "hunter2", "hunter3")
    assert main(["secrets", "set", "kafka/ccr"]) == ExitCode.FAILED
    assert kept.entries == {}
    told = capsys.readouterr().err
    assert "the two are not the same" in told
    assert "hunter" not in told


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"\n", "it is empty"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"x" * (64 * 1024 + 1), "it is larger than 64 KiB"),
    ],
)
def test_what_is_no_secret(
    kept: MemoryKeyring,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    cause: str,
) -> None:
    pipe(monkeypatch, content)
    assert main(["secrets", "set", "kafka/ccr"]) == ExitCode.USAGE
    assert f"writing the secret kafka/ccr: {cause}" in capsys.readouterr().err
    assert kept.entries == {}


def test_a_keyring_that_keeps_nothing_is_found_out(
    kept: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.deaf = True
    pipe(monkeypatch, b"hunter2")
    assert main(["secrets", "set", "kafka/ccr"]) == ExitCode.FAILED
    assert "it was taken, but cannot be read back" in capsys.readouterr().err


def test_an_entry_that_the_configuration_does_not_have_is_told(
    kept: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("ccr.yaml").write_text(CONFIG)
    pipe(monkeypatch, b"hunter2")
    assert main(["secrets", "set", "kafka/cr", "--json"]) == ExitCode.OK
    told = capsys.readouterr()
    assert json.loads(told.out)["keys"] == []
    assert "the configuration has no keyring:kafka/cr" in told.err


def test_list(kept: MemoryKeyring, capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.yaml").write_text(CONFIG)
    kept.entries["kafka", "ccr"] = "hunter2"
    assert main(["secrets", "list", "--config", "other.yaml"]) == ExitCode.FAILED
    told = capsys.readouterr().out
    assert f"{KEY}     yes\n    keyring:kafka/ccr\n" in told
    assert "clusters.a.tls.key_password  NO\n" in told
    secret = Path("key.secret")
    secret.write_text("hunter2")
    secret.chmod(0o600)
    assert main(["--config", "other.yaml", "secrets", "list", "--json"]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert [(each["key"], each["readable"]) for each in answer["secrets"]] == [
        (KEY, True),
        ("clusters.a.tls.key_password", True),
    ]
    assert "hunter2" not in told + json.dumps(answer)


@pytest.mark.parametrize(
    ("typed", "options", "code"),
    [
        ("kafka/ccr\n", [], ExitCode.OK),
        ("kafka\n", [], ExitCode.FAILED),
        ("", ["--confirm", "kafka/ccr"], ExitCode.OK),
        ("", ["--confirm", "kafka"], ExitCode.FAILED),
        ("kafka/ccr\n", ["--read-only"], ExitCode.FAILED),
    ],
)
def test_remove(
    kept: MemoryKeyring,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    options: list[str],
    code: ExitCode,
) -> None:
    Path("ccr.yaml").write_text(CONFIG)
    kept.entries["kafka", "ccr"] = "hunter2"
    monkeypatch.setattr("sys.stdin", Piped(typed.encode(), terminal=bool(typed)))
    before = ["--read-only"] if "--read-only" in options else []
    rest = [option for option in options if option not in before]
    assert main([*before, "secrets", "rm", "kafka/ccr", *rest]) == code
    assert bool(kept.entries) is (code != ExitCode.OK)
    if typed and not options:
        assert f"{KEY} of the configuration needs it." in capsys.readouterr().err


def test_a_configuration_that_is_named_must_be_valid(
    kept: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ccr.yaml").write_text("version: 2")
    pipe(monkeypatch, b"hunter2")
    assert main(["secrets", "set", "kafka/ccr", "--config", "ccr.yaml"]) == ExitCode.USAGE
    assert kept.entries == {}
    pipe(monkeypatch, b"hunter2")
    assert main(["secrets", "set", "kafka/ccr"]) == ExitCode.OK
