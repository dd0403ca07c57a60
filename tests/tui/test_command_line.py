"""The `:` line: understood, completed, remembered; what is no command says what may be meant."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ccr_tui.catalog import REGISTRY
from ccr_tui.commandline import history
from ccr_tui.commandline.history import History
from ccr_tui.commandline.words import CommandError, Vocabulary
from ccr_tui.screens.everywhere import PLACES
from ccr_tui.screens.lag.screen import LagScreen
from ccr_tui.screens.overview.screen import OverviewScreen
from tests.tui.driving import console, screen_text, settle, until, until_shown, until_told
from tests.tui.scripted import small_engine


@pytest.fixture(autouse=True)
def _own_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def vocabulary(screen: type[OverviewScreen | LagScreen] = OverviewScreen) -> Vocabulary:
    choices = {
        "FLOW": lambda: ["orders", "orders-back", "payments"],
        "CLUSTER": lambda: ["east", "west"],
        "NAME": lambda: ["ccr-dark", "ccr-light"],
    }
    return Vocabulary(REGISTRY, screen.SCOPES, PLACES, choices)


@pytest.mark.parametrize(
    ("text", "action", "argument"),
    [
        ("q", "quit", ""),
        ("quit", "quit", ""),
        ("  pause ", "flow.pause", ""),
        ("pause payments", "flow.pause", "payments"),
        ("flow.pause orders", "flow.pause", "orders"),
        ("take-over", "flow.take_over", ""),
        ("take_over", "flow.take_over", ""),
        ("lag orders-back", "go.lag", "orders-back"),
        ("cluster west", "go.cluster", "west"),
        ("theme ccr-light", "theme", "ccr-light"),
        ("refr", "refresh", ""),
    ],
)
def test_a_line_is_understood(text: str, action: str, argument: str) -> None:
    typed = vocabulary().read(text)
    assert (typed.command.action.id, typed.argument) == (action, argument)


def test_a_place_is_meant_also_where_one_sorts_by_its_name() -> None:
    assert vocabulary(LagScreen).read("lag orders").command.action.id == "go.lag"
    assert vocabulary(LagScreen).read("sort.lag").command.action.id == "sort.lag"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pasue", "there is no command pasue; did you mean pause?"),
        ("xyzzy", "there is no command xyzzy"),
        ("quit now", "quit takes nothing after it"),
        ("pause nothing", "there is no FLOW named nothing; known: orders, orders-back, payments"),
        ("re", "re may be refresh, "),
    ],
)
def test_what_is_no_command_says_why(text: str, why: str) -> None:
    with pytest.raises(CommandError) as error:
        vocabulary().read(text)
    assert str(error.value).startswith(why)


def test_what_it_may_become() -> None:
    words = vocabulary()
    assert words.completions("pau") == ["pause"]
    assert words.completions("pause o") == ["pause orders", "pause orders-back"]
    assert words.completions("quit ") == []
    everything = words.completions("")
    assert everything.index("lag") < everything.index("go.lag")
    assert {"lag", "groups", "loss", "pause", "quit"} <= set(everything)


async def test_a_command_is_typed_completed_and_done() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await pilot.press("colon")
        await until_shown(app, "pause")
        await pilot.press(*"pau", "tab")
        await until_shown(app, "Pause the flow [FLOW]")
        await pilot.press("space", "d", "tab", "enter")
        await until(lambda: engine.commands() == [("pause", "dr-to-primary")])
        await pilot.press("colon", *"lag dr-to-primary", "enter")
        await until(lambda: app.way == ("Overview", "Lag dr-to-primary"))
        await settle(pilot)
        await pilot.press("colon", "up", "up")
        await until_shown(app, "pause dr-to-primary")
        await pilot.press("down", "enter")
        await settle(pilot)
        assert app.way == ("Overview", "Lag dr-to-primary")
        await pilot.press("colon", *"theme ccr-light", "enter")
        await until(lambda: app.theme == "ccr-light")


async def test_what_cannot_be_done_says_why_and_stays() -> None:
    engine = small_engine(read_only=True)
    async with console(engine) as (app, pilot):
        await pilot.press("colon", *"flow.pause")
        await until_shown(app, "Pause the flow [FLOW]")
        await pilot.press("enter")
        await until_told(app, "this engine is read-only")
        await pilot.press("colon", *"nonsense", "enter")
        await until_shown(app, "there is no command nonsense")
        assert "nonsense" in screen_text(app)
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, OverviewScreen))
        assert engine.commands() == []


async def test_it_is_remembered_over_restarts(tmp_path: Path) -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("colon", *"groups", "enter")
        await until(lambda: len(app.way) == 2)
        written = tmp_path / "ccr/console-history"
        await until(written.exists)
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    async with console(small_engine()) as (app, pilot):
        await pilot.press("colon", "up")
        await until_shown(app, "Go to: Groups")


def test_the_history_is_bounded_and_has_no_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "KEPT", 3)
    lines = History(tmp_path / "deep" / "history")
    for line in ("a", "b", "c", "b", "d"):
        lines.add(line)
    lines.save()
    again = History(tmp_path / "deep" / "history")
    again.load()
    assert again.lines == ["c", "b", "d"]
    nowhere = History(tmp_path / "deep" / "history" / "below")
    nowhere.add("x")
    nowhere.save()
    nowhere.load()
    assert nowhere.lines == ["x"]
