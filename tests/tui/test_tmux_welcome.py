"""The first minute of a new user in a real terminal: a fresh home, a file, the console."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ccr_tui.resources import sample_configs_dir
from tests.tui.tmux import Tmux

CCR = [sys.executable, "-P", "-c", "from ccr_tui.cli.main import main; raise SystemExit(main())"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user with nothing."""
    return {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "CCR_RUNTIME_DIR": str(tmp_path / "run"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }


def test_a_seed_is_imported_and_the_console_opens_on_it(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    seed = sample_configs_dir() / "mm2.properties"
    (tmp_path / "mm2.properties").write_bytes(seed.read_bytes())
    with Tmux(CCR, environment=environment, cwd=tmp_path) as terminal:
        terminal.wait_for("There is no configuration")
        terminal.send_keys("2")
        terminal.wait_for("File to import")
        terminal.type("mm")
        terminal.send_keys("Tab")
        terminal.wait_for("mm2.properties\n")
        terminal.send_keys("Enter")
        terminal.wait_for("1 needs a decision")
        terminal.send_keys("F2")
        terminal.wait_for("[files]")
        terminal.send_keys("F2")
        # Nobody is at the seed's addresses: the console says so.
        screen = terminal.wait_for("connecting to cluster")
        assert "source-password" not in screen
        terminal.wait_for("waiting")
        terminal.send_keys("C-c")
        terminal.wait_for("Press ctrl+c again")
        terminal.send_keys("C-c")
        terminal.wait_for("exit code 0")
    assert (tmp_path / "config" / "ccr" / "ccr.yaml").is_file()
