"""`ccr import`: what it writes, what it refuses to, what it never prints."""

from __future__ import annotations

import json
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from ccr_tui.cli.main import main
from ccr_tui.resources import sample_configs_dir
from engine.config.loader import read

MM2 = str(sample_configs_dir() / "mm2.properties")
REPLICATOR = str(sample_configs_dir() / "replicator.properties")
PASSWORDS = ("source-password", "dest-password")
Captured = pytest.CaptureFixture[str]


class MemoryKeyring(KeyringBackend):
    """A keyring for this process."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    memory = MemoryKeyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: memory)
    return memory


def said(captured: Captured) -> tuple[str, str]:
    told = captured.readouterr()
    for password in PASSWORDS:
        assert password not in told.out + told.err
    return told.out, told.err


def test_without_output_nothing_is_written(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["import", MM2]) == 0
    out, err = said(capsys)
    (tmp_path / "from-stdout.yaml").write_text(out)
    assert set(read(tmp_path / "from-stdout.yaml").config.flows) == {"source-to-target"}
    assert "source->target.enabled" in err
    assert "needs a decision" in err
    assert "ccr secrets set ccr-source/source-user" in err
    assert [path.name for path in tmp_path.iterdir()] == ["from-stdout.yaml"]


def test_what_is_written_is_valid_and_never_overwritten(tmp_path: Path, capsys: Captured) -> None:
    output = tmp_path / "ccr.yaml"
    assert main(["import", REPLICATOR, "--output", str(output)]) == 0
    written = output.read_text()
    assert main(["validate", str(output)]) == 0
    said(capsys)
    assert main(["import", MM2, "--output", str(output)]) == 1
    assert "it is there already" in said(capsys)[1]
    assert output.read_text() == written
    assert main(["import", MM2, "--output", str(output), "--force"]) == 0
    assert "source-to-target" in output.read_text()
    said(capsys)


@pytest.mark.parametrize("option", ["--dry-run", "--read-only"])
def test_what_must_change_nothing_changes_nothing(
    option: str, tmp_path: Path, capsys: Captured, ring: MemoryKeyring
) -> None:
    output = tmp_path / "ccr.yaml"
    code = main(["import", MM2, "--output", str(output), "--store-secrets", option])
    assert code == (0 if option == "--dry-run" else 1)
    out, _ = said(capsys)
    assert ("source-to-target:" in out) == (option == "--dry-run")
    assert not output.exists()
    assert ring.entries == {}


def test_secrets_go_into_the_keyring_on_request(capsys: Captured, ring: MemoryKeyring) -> None:
    assert main(["import", MM2]) == 0
    assert ring.entries == {}
    assert main(["import", MM2, "--store-secrets"]) == 0
    assert "2 secrets stored: keyring" in said(capsys)[1]
    assert ring.entries == {
        ("ccr-source", "source-user"): "source-password",
        ("ccr-target", "dest-user"): "dest-password",
    }


def test_without_a_keyring_the_way_out_is_told_and_works(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "get_keyring", NoKeyring)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    output = tmp_path / "ccr.yaml"
    assert main(["import", MM2, "--output", str(output), "--store-secrets"]) == 1
    assert "--secret-files FOLDER" in said(capsys)[1]
    assert not output.exists()
    folder = tmp_path / "secrets"
    assert main(["import", MM2, "--output", str(output), "--secret-files", str(folder)]) == 0
    said(capsys)
    sasl = read(output).config.clusters["source"].sasl
    assert sasl is not None
    assert str(sasl.password) == f"file:{folder}/ccr-source-source-user"
    assert (folder / "ccr-source-source-user").read_text() == "source-password"
    assert "keyring:" not in output.read_text()
    assert main(["secrets", "list", "--config", str(output)]) == 0
    said(capsys)


def test_values_are_put_in(tmp_path: Path, capsys: Captured) -> None:
    output = tmp_path / "ccr.yaml"
    sets = [
        "--set=clusters.source.bootstrap_servers=one:1, two:2",
        "--set=clusters.target={bootstrap_servers: [three:3]}",
        "--set=flows.replicator.rename=prefix",
    ]
    assert main(["import", REPLICATOR, "--output", str(output), *sets]) == 0
    config = read(output).config
    assert "Needs the secret" in output.read_text()
    assert "ccr-target" not in output.read_text()
    assert config.clusters["source"].bootstrap_servers == ["one:1", "two:2"]
    assert config.clusters["target"].sasl is None
    assert config.flows["replicator"].rename == "prefix"
    said(capsys)


def test_what_is_put_in_needs_no_decision_any_more(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "mm2.properties"
    file.write_text("clusters=a,b\na->b.enabled=true\na.bootstrap.servers=x:1\n")
    assert main(["import", str(file)]) == 0
    assert "To decide: b.bootstrap.servers" in said(capsys)[0]
    assert main(["import", str(file), "--set=clusters.b.bootstrap_servers=y:1"]) == 0
    out, _ = said(capsys)
    assert "To decide" not in out
    assert "[y:1]" in out


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("clusters", "must be KEY=VALUE"),
        ("clusters..x=1", "must be KEY=VALUE"),
        ("flows.replicator.rename={", "no YAML"),
        ("flows.replicator.renam=prefix", "rename"),
        ("clusters.source.bootstrap_servers=nowhere", "host:port"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    value: str, cause: str, tmp_path: Path, capsys: Captured
) -> None:
    output = tmp_path / "ccr.yaml"
    assert main(["import", REPLICATOR, "--output", str(output), f"--set={value}"]) == 2
    assert cause in said(capsys)[1]
    assert not output.exists()


def test_json(capsys: Captured) -> None:
    assert main(["import", MM2, "--json"]) == 0
    out, err = said(capsys)
    assert err == ""
    answer = json.loads(out)
    assert answer["kind"] == "MirrorMaker 2"
    assert answer["output"] is None
    keys = {each["key"]: each for each in answer["keys"]}
    assert keys["topics"] == {
        "key": "topics",
        "line": 16,
        "value": "source-topic",
        "outcome": "taken",
        "into": "flows.source-to-target.topics.include",
        "text": "",
    }
    assert answer["secrets"][0] == {
        "key": "source.sasl.jaas.config",
        "into": "clusters.source.sasl.password",
        "reference": "keyring:ccr-source/source-user",
    }


def test_a_file_that_is_not_there(capsys: Captured) -> None:
    assert main(["import", "/nowhere/mm2.properties"]) == 2
    assert "there is no such file" in said(capsys)[1]
