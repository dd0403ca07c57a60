"""What a command loads: never Textual, no more than it needs. Lazy imports escape import-linter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ccr_tui.resources import sample_configs_dir

SCREENS = {"textual"}
NETWORK = {"aiokafka", "aiohttp", "httpx"}
MODEL = {"pydantic", "yaml", "asyncio"}
LISTING = """
import json, sys
from ccr_tui.cli.main import main
code = main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    json.dump(sorted({name.partition(".")[0] for name in sys.modules}), file)
sys.exit(code)
"""
MM2 = sample_configs_dir() / "mm2.properties"
CONFIG = """
version: 1
clusters:
  a: {bootstrap_servers: ['127.0.0.1:1']}
  b: {bootstrap_servers: ['127.0.0.1:1']}
flows:
  a-to-b: {source: a, target: b}
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return a starter of `ccr` processes that write down what they have loaded in the end."""
    (tmp_path / "ccr.yaml").write_text(CONFIG)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CCR_")},
        "CCR_RUNTIME_DIR": str(tmp_path / "run"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }

    def start_ccr(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", LISTING, "loaded.json", *arguments],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start_ccr


def loaded(folder: Path) -> set[str]:
    return set(json.loads((folder / "loaded.json").read_text()))


@pytest.mark.parametrize(
    ("command", "code", "forbidden"),
    [
        ("--help", 0, SCREENS | NETWORK | MODEL),
        ("--version", 0, SCREENS | NETWORK | MODEL),
        ("stauts", 2, SCREENS | NETWORK | MODEL),
        ("config init starter.yaml", 0, SCREENS | NETWORK | MODEL),
        ("config schema", 0, SCREENS | NETWORK | {"keyring"}),
        ("validate ccr.yaml", 0, SCREENS | NETWORK | {"keyring"}),
        ("validate ccr.yaml --json", 0, SCREENS | NETWORK | {"keyring"}),
        (f"import {MM2}", 0, SCREENS | NETWORK | {"keyring"}),
        ("secrets list", 0, SCREENS | NETWORK),
        ("info", 0, SCREENS | NETWORK),
        ("sandbox status --dir sandbox", 0, SCREENS),
        ("sandbox status --dir sandbox --json", 0, SCREENS),
        ("status", 3, SCREENS),
        ("status --json", 3, SCREENS),
        ("lag", 3, SCREENS),
        ("lag --json", 3, SCREENS),
        ("pause a-to-b", 3, SCREENS),
        ("resume a-to-b", 3, SCREENS),
        ("retry a-to-b", 3, SCREENS),
        ("limit a-to-b 1MiB", 3, SCREENS),
        ("take-over a-to-b --confirm a-to-b", 3, SCREENS),
        ("demo --help", 0, SCREENS | NETWORK),
    ],
)
def test_a_command_loads_only_what_it_needs(
    command: str, code: int, forbidden: set[str], start: Start, tmp_path: Path
) -> None:
    process = start(*command.split())
    _, told = process.communicate(timeout=120)
    assert process.returncode == code, told
    assert not loaded(tmp_path) & forbidden
    assert "ccr_tui" in loaded(tmp_path)


def test_without_a_configuration_or_a_terminal_no_screen_is_loaded(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "ccr.yaml").unlink()
    process = start()
    _, told = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "ccr import FILE" in told
    assert not loaded(tmp_path) & SCREENS


def test_a_service_runs_and_ends_without_screens(start: Start, tmp_path: Path) -> None:
    process = start("--no-ui", "--log-format", "json", "--drain-timeout", "5s")
    assert process.stdout is not None
    events = (json.loads(line)["event"] for line in process.stdout)
    assert "service.started" in events  # reads until it is there
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert not loaded(tmp_path) & SCREENS
    assert "aiokafka" in loaded(tmp_path)


def test_the_check_sees_textual_where_it_is() -> None:
    """A child that imports the console has Textual loaded: the tests above can fail."""
    code = "import sys, ccr_tui.app; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 1
