"""`ccr info` names every file where ccr really has it, and needs nothing to do so."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ccr_tui.cli import info
from ccr_tui.cli.main import main
from engine import __version__
from engine.config.os_keyring import KeyringError
from engine.sandbox.jars import default_cache
from engine.service.paths import service_paths
from tests.unit.test_service_process import CCR


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CCR_CONFIG", "CCR_CONSOLE_SETTINGS", "NO_COLOR", "TMUX", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CCR_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_every_file_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = home / "ccr.yaml"
    config.write_text("version: 1\n")
    paths = service_paths(config)
    paths.log.parent.mkdir(parents=True)
    paths.log.touch()
    found = told(capsys, "info")
    assert (found["config"], found["config_reason"]) == (str(config), "")
    files = {each["name"]: each["path"] for each in found["files"]}
    state, folder = home / "state/ccr", home / "config/ccr"
    assert files == {
        "config": str(config),
        "socket": str(paths.socket),
        "lock": str(paths.lock),
        "log": str(paths.log),
        "embedded_log": str(paths.embedded_log),
        "console_log": str(paths.log).replace(".log", "-console.log"),
        "events": str(paths.events),
        "audit": str(paths.audit),
        "runs": str(paths.runs),
        "runtime_dir": str(home / "run"),
        "state": str(state),
        "crash_log": str(state / "log/crash.log"),
        "settings": str(folder / "console.yaml"),
        "themes": str(folder / "themes"),
        "shipped_themes": files["shipped_themes"],
        "history": str(state / "console-history"),
        "cache": str(default_cache()),
    }
    there = {each["name"] for each in found["files"] if each["exists"]}
    assert there == {"config", "log", "state", "shipped_themes"}
    assert (Path(files["shipped_themes"]) / "ccr-dark.yaml").exists()
    assert found["versions"]["ccr"] == __version__
    assert all(found["versions"].values())


def test_another_configuration_has_other_files(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "ccr.yaml").write_text("version: 1\n")
    (home / "other.yaml").write_text("no configuration at all")
    before = told(capsys, "--config", "other.yaml", "info")
    assert before == told(capsys, "info", "--config", "other.yaml")
    assert before["config"] == str(home / "other.yaml")
    assert before["config"] != told(capsys, "info")["config"]


def test_without_a_configuration_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "info")
    assert found["config"] is None
    assert "there is no configuration" in found["config_reason"]
    assert {"state", "settings"} <= {each["name"] for each in found["files"]}
    assert main(["info"]) == 0
    assert "config         none: there is no configuration" in capsys.readouterr().out


def test_a_file_that_is_named_must_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--config", "nowhere.yaml"]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_a_keyring_that_cannot_be_used_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def hangs(*, operation: str) -> str | None:
        raise KeyringError(operation, "of this user", "it hangs", "Restart it")

    async def works(*, operation: str) -> str | None:
        return "SecretService Keyring"

    monkeypatch.setattr(info.os_keyring, "backend_name", hangs)
    assert told(capsys, "info")["keyring"] == {
        "backend": None,
        "reason": "it hangs",
        "next_step": "Restart it",
    }
    assert main(["info"]) == 0
    assert "keyring        none: it hangs\n    Restart it\n" in capsys.readouterr().out
    monkeypatch.setattr(info.os_keyring, "backend_name", works)
    assert main(["info"]) == 0
    assert "keyring        SecretService Keyring\n" in capsys.readouterr().out


def test_the_terminal_is_the_one_that_the_console_would_have(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.7 1 10.0.0.1 22")
    monkeypatch.setenv("LC_ALL", "C")
    ours, theirs = pty.openpty()
    os.set_inheritable(theirs, True)
    environment = {**os.environ, "COLUMNS": "7"}
    told_to = subprocess.run(
        ["/bin/sh", "-c", 'stty cols 132 rows 43 <&2 && exec "$0" info --json', CCR],
        env=environment, stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=True,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    terminal = json.loads(told_to.stdout)["terminal"]
    assert (terminal["columns"], terminal["lines"], terminal["term"]) == (132, 43, "xterm-256color")
    assert (terminal["symbols"], terminal["no_color"], terminal["ssh"]) == ("ascii", True, True)
    assert not terminal["tmux"]
    assert main(["info"]) == 0
    assert "NO_COLOR, over SSH" in capsys.readouterr().out
