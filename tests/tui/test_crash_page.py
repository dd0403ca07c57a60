"""A fault of the console, in a real terminal: told in plain text, and one can go on."""

from __future__ import annotations

import sys
from pathlib import Path

from ccr_tui.cli.crash_page import AGAIN
from tests.tui.tmux import Tmux

COMMAND = [sys.executable, "-m", "tests.tui.faulty_console"]


def test_the_console_fails_and_is_opened_again(tmp_path: Path) -> None:
    config = tmp_path / "orders.yaml"
    config.write_text("version: 1\n")
    command = [*COMMAND, "--config", str(config)]
    with Tmux(command, environment={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.wait_for("primary-to-dr")
        terminal.send_keys("?")
        terminal.wait_for("Esc closes")
        terminal.send_keys("q")
        terminal.wait_gone("Esc closes")
        terminal.send_keys("F5")
        page = terminal.wait_for(AGAIN.strip())
        assert "unexpected ZeroDivisionError at faulty_console.py" in page
        assert "nothing happened to replication. It ends when you leave." in page.replace("\n", "")
        terminal.send_keys("Enter")
        terminal.wait_gone(AGAIN.strip())
        terminal.wait_for("primary-to-dr")
        terminal.send_keys("F5")
        terminal.wait_for(AGAIN.strip())
        terminal.send_keys("q", "Enter")
        page = terminal.wait_for("exit code 1")
    report = (tmp_path / "ccr/log/crash.log").read_text()
    assert report.count("ZeroDivisionError: 7") == 2
    assert "done last: help, refresh" in report
    assert "terminal tmux" in report or "terminal screen" in report
    assert "hunter2" not in report + page
