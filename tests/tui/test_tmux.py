"""The console in a real terminal, on the scripted engine with moving numbers."""

from __future__ import annotations

import re
import sys

import psutil
import pytest

from tests.tui.tmux import Tmux

SCRIPTED = [sys.executable, "-m", "tests.tui.scripted"]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_open_sort_filter_drill_down_pause_resume_quit(size: tuple[int, int]) -> None:
    with Tmux([*SCRIPTED, "--partitions", "1000"], size=size) as terminal:
        screen = terminal.wait_for("▸primary-to-dr")
        assert len(screen.splitlines()) <= size[1]
        terminal.send_keys("Enter")
        terminal.wait_for("1 of 20 topics")
        terminal.send_keys("Enter")
        terminal.wait_for("1 of 50 partitions")
        terminal.send_keys("Escape")
        terminal.wait_for("of 20 topics")
        terminal.send_keys("h")
        terminal.wait_for("Lag, records: ")
        terminal.send_keys("h", "h")
        terminal.wait_gone("Lag, records: ")
        terminal.send_keys("v")
        terminal.wait_for("1 of 1,000 partitions")
        terminal.send_keys("s")
        terminal.wait_for("LAG▼")
        terminal.type("/topic-0007/1")
        terminal.send_keys("Enter")
        terminal.wait_for("1 of 11 in 1,000 /topic-0007/1")
        terminal.send_keys("j", "Enter")
        terminal.wait_for("Esc closes")
        terminal.send_keys("Escape")
        terminal.wait_gone("Esc closes")
        terminal.send_keys("Escape")
        terminal.wait_for("of 1,000")
        terminal.send_keys("p")
        terminal.wait_for("‖ paused")
        terminal.send_keys("p")
        terminal.wait_for("● running")
        terminal.send_keys("Escape")
        terminal.wait_for("Events, newest first")
        terminal.send_keys("?")
        terminal.wait_for("Open the lag of the flow")
        terminal.send_keys("Escape")
        terminal.wait_gone("Open the lag of the flow")
        terminal.send_keys("q")
        terminal.wait_for("Quit and stop replication?")
        terminal.send_keys("Right", "Enter")
        terminal.wait_for("exit code 0")


def test_a_service_is_left_at_once() -> None:
    with Tmux([*SCRIPTED, "--attached"]) as terminal:
        terminal.wait_for("▸primary-to-dr")
        terminal.send_keys("q")
        terminal.wait_for("exit code 0")


def test_ctrl_c_twice() -> None:
    with Tmux(SCRIPTED) as terminal:
        terminal.wait_for("▸primary-to-dr")
        terminal.send_keys("C-c")
        terminal.wait_for("Press ctrl+c again")
        terminal.send_keys("C-c")
        terminal.wait_for("exit code 0")


def test_resizing() -> None:
    with Tmux(SCRIPTED) as terminal:
        terminal.wait_for("BYTES/S")
        terminal.resize(60, 20)
        terminal.wait_gone("BYTES/S")
        screen = terminal.wait_for("? Help")
        assert all(len(line) <= 60 for line in screen.splitlines())
        terminal.resize(120, 40)
        terminal.wait_for("OWNER")


def colours(screen: str) -> set[str]:
    """Return the colour parameters of the escape sequences."""
    parameters = {
        p for sequence in re.findall(r"\x1b\[([\d;]*)m", screen) for p in sequence.split(";")
    }
    return parameters & {str(n) for n in (*range(30, 39), *range(40, 49), *range(90, 108))}


def test_no_color_sends_none() -> None:
    with Tmux([*SCRIPTED, "--production"], environment={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("PRODUCTION")
        assert colours(terminal.capture(escapes=True)) == set()


def test_sixteen_colours_are_enough() -> None:
    environment = {"TERM": "xterm-color", "TEXTUAL_COLOR_SYSTEM": "standard"}
    with Tmux([*SCRIPTED, "--production"], environment=environment) as terminal:
        terminal.wait_for("PRODUCTION")
        used = colours(terminal.capture(escapes=True))
        assert used
        assert not used & {"38", "48"}  # those of 256 colours and more


def test_a_terminal_without_utf_8_gets_ascii() -> None:
    with Tmux(SCRIPTED, environment={"LANG": "C"}) as terminal:
        terminal.wait_for(">primary-to-dr")
        terminal.send_keys("Enter")
        assert terminal.wait_for("of 3 topics").isascii()
        terminal.send_keys("h")
        assert terminal.wait_for("|###").isascii()
        terminal.send_keys("q")
        assert terminal.wait_for("Quit and stop replication?").isascii()
        terminal.send_keys("Escape")
        terminal.wait_gone("Quit and stop replication?")
        terminal.send_keys("C-p")
        assert terminal.wait_for("Find an action").isascii()


def test_ctrl_z_suspends_and_it_comes_back_as_it_was() -> None:
    with Tmux(SCRIPTED) as terminal:
        terminal.wait_for("primary-to-dr")
        program = terminal.process("tests.tui.scripted")
        terminal.send_keys("2")
        terminal.wait_for("orders.eu")
        terminal.send_keys("C-z")
        terminal.wait_until(
            lambda screen: program.status() == psutil.STATUS_STOPPED, "it was never suspended"
        )
        terminal.wait_gone("orders.eu")
        program.resume()
        terminal.wait_for("orders.eu")
        terminal.send_keys("Escape")
        terminal.wait_for("Events, newest first")
