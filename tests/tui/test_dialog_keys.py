"""Every key of dialogs: reading a long text, going between buttons, down and up a list."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.widgets import Button, OptionList

from ccr_tui.actions import Question
from ccr_tui.app import CcrApp
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.places import PlacesDialog
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.columns import Tone
from tests.tui.driving import console, settle, until
from tests.tui.scripted import small_engine

LONG: list[Fact] = [[(f"line {number}", Tone.PLAIN)] for number in range(200)]


def scrolled(app: CcrApp) -> float:
    return app.screen.query_one(VerticalScroll).scroll_y


async def test_a_long_text_is_scrolled_and_closed() -> None:
    async with console(small_engine()) as (app, pilot):
        await app.push_screen(TextDialog("Long", LONG))
        await settle(pilot)
        await pilot.press("down", "j")
        await until(lambda: scrolled(app) == 2)
        await pilot.press("up")
        await until(lambda: scrolled(app) == 1)
        await pilot.press("pagedown")
        await until(lambda: scrolled(app) > 5)
        await pilot.press("pageup")
        await until(lambda: scrolled(app) == 1)
        await pilot.press("enter")
        await until(lambda: not isinstance(app.screen, TextDialog))


async def test_buttons_are_gone_between() -> None:
    async with console(small_engine()) as (app, pilot):
        app.push_screen(ConfirmDialog(Question("Sure?", "", "Do it")))
        await until(lambda: isinstance(app.focused, Button))

        def chosen() -> str | None:
            return app.focused.id if app.focused is not None else None

        assert chosen() == "cancel"
        await pilot.press("right")
        await until(lambda: chosen() == "confirm")
        await pilot.press("left")
        await until(lambda: chosen() == "cancel")
        await pilot.press("escape")
        await until(lambda: not isinstance(app.screen, ConfirmDialog))


async def test_what_is_asked_about_is_paged_while_a_button_has_the_focus() -> None:
    async with console(small_engine()) as (app, pilot):
        app.push_screen(ConfirmDialog(Question("Sure?", "", "Do it"), facts=LONG))
        await until(lambda: isinstance(app.focused, Button))
        await settle(pilot)
        await pilot.press("pagedown")
        await until(lambda: scrolled(app) > 2)
        await pilot.press("pageup")
        await until(lambda: scrolled(app) == 0)
        assert isinstance(app.focused, Button)


async def test_a_list_is_gone_down_and_up() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("m")
        await until(lambda: isinstance(app.screen, PlacesDialog))
        choices = app.screen.query_one(OptionList)
        first = choices.highlighted
        assert first is not None
        await pilot.press("j")
        await until(lambda: choices.highlighted == first + 1)
        await pilot.press("k")
        await until(lambda: choices.highlighted == first)
        await pilot.press("escape")
        await until(lambda: not isinstance(app.screen, PlacesDialog))
