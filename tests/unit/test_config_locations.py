"""Which configuration file is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.locations import find
from engine.errors import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder with a user's configuration folder of our own."""
    monkeypatch.delenv("CCR_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    (tmp_path / "xdg" / "ccr").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def test_each_place_goes_before_the_next(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError) as caught:
        find(None)
    assert str(caught.value) == (
        "there is no configuration: no --config, no CCR_CONFIG, no ccr.yaml or "
        f"{home}/xdg/ccr/ccr.yaml. Run `ccr config init` to write a starter, or `ccr demo` to see "
        "ccr at work"
    )
    users = home / "xdg" / "ccr" / "ccr.yaml"
    users.touch()
    assert find(None) == users
    Path("ccr.yaml").touch()
    assert find(None) == Path("ccr.yaml")
    (home / "env.yaml").touch()
    monkeypatch.setenv("CCR_CONFIG", str(home / "env.yaml"))
    assert find(None) == home / "env.yaml"
    (home / "named.yaml").touch()
    assert find(str(home / "named.yaml")) == home / "named.yaml"


def test_a_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ccr.yaml").touch()
    with pytest.raises(ConfigError, match=r"^nix\.yaml: there is no such file\. Correct it"):
        find("nix.yaml")
    monkeypatch.setenv("CCR_CONFIG", "nix.yaml")
    with pytest.raises(ConfigError, match=r"^CCR_CONFIG=nix\.yaml: there is no such file\."):
        find(None)


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCR_CONFIG", "")
    Path("ccr.yaml").touch()
    assert find(None) == Path("ccr.yaml")


def test_a_folder_of_that_name_is_passed_over(home: Path) -> None:
    Path("ccr.yaml").mkdir()
    (home / "xdg" / "ccr" / "ccr.yaml").touch()
    assert find(None) == home / "xdg" / "ccr" / "ccr.yaml"


def test_the_users_home_is_expanded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    (home / "c.yaml").touch()
    assert find("~/c.yaml") == home / "c.yaml"
