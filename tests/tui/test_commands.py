"""Every command to the engine, from its key to its outcome on the screen."""

from __future__ import annotations

import pytest
from textual.widgets import Button, Input

from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.text import TextDialog
from engine.api.snapshots import FlowState, PartitionState, Reason
from engine.errors import RefusedError
from tests.tui.driving import (
    console,
    open_lag,
    overview,
    screen_lines,
    screen_text,
    settle,
    until,
    until_gone,
    until_shown,
    until_told,
)
from tests.tui.scripted import (
    ELSEWHERE,
    ScriptedEngine,
    make_flow,
    make_partition,
    small_engine,
)


def standby_engine(**options: object) -> ScriptedEngine:
    flow = make_flow(state=FlowState.STANDBY, owner=ELSEWHERE, owned_here=False)
    return ScriptedEngine([flow], **options)  # type: ignore[arg-type]


async def test_p_pauses_and_p_resumes() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await pilot.press("p")
        await until_shown(app, "primary-to-dr is paused")
        await until(lambda: "‖ paused" in screen_lines(app)[2])
        await until_shown(app, "Resume it when the target may be written again.")
        await until_shown(app, "p Resume")
        await pilot.press("p")
        await until_shown(app, "primary-to-dr runs again")
        await until(lambda: "● running" in screen_lines(app)[2])
    assert engine.commands() == [("pause", "primary-to-dr"), ("resume", "primary-to-dr")]


async def test_pause_acts_on_the_selected_flow() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await pilot.press("j", "p")
        await until_shown(app, "dr-to-primary is paused")
    assert engine.commands() == [("pause", "dr-to-primary")]


async def test_pause_from_the_lag_screen() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("p")
        await until(lambda: "‖ paused" in screen_lines(app)[1])
    assert engine.commands() == [("pause", "primary-to-dr")]


async def test_retry_of_the_stopped_partition_and_of_all() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("r")
        await until_shown(app, "orders.eu/1 is started again")
        await pilot.press("R")
        await until_shown(app, "primary-to-dr: started again")
    assert engine.commands() == [
        ("retry", "primary-to-dr", "orders.eu", 1),
        ("retry", "primary-to-dr", None, None),
    ]


GAP = Reason("the source has lost offsets 7 to 9", "or accept it", retriable=False, acceptable=True)


async def test_what_a_partition_stopped_for_is_accepted_once_asked() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("A")
        await until_told(app, "its cause must be removed first; there is nothing to accept")
        assert "Accept" not in screen_lines(app)[-1]
        engine.change([make_partition("orders.eu", 1, state=PartitionState.STOPPED, reason=GAP)])
        await until_shown(app, "the source has lost offsets 7 to 9")
        await until(lambda: "A Accept" in screen_lines(app)[-1])
        await pilot.press("A")
        await until_shown(app, "Accept, and go on with orders.eu/1?")
        assert isinstance(app.focused, Button)
        assert app.focused.id == "cancel"
        assert engine.commands() == []
        await pilot.press("tab", "enter")
        await until(lambda: bool(engine.commands()))
    assert engine.commands() == [("retry", "primary-to-dr", "orders.eu", 1, "accept")]


async def test_what_cannot_be_retried_says_why() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("down", "r")
        await until_told(app, "payments/0 waits and is retried by itself")
        assert engine.commands() == []


async def test_production_asks_before_a_pause_with_cancel_in_focus() -> None:
    engine = small_engine(environment="production")
    async with console(engine) as (app, pilot):
        await pilot.press("p")
        await until_shown(app, "Pause primary-to-dr?")
        assert isinstance(app.focused, Button)
        assert app.focused.id == "cancel"
        await pilot.press("enter")
        await until_gone(app, "Pause primary-to-dr?")
        assert engine.commands() == []
        await pilot.press("p")
        await until_shown(app, "Pause primary-to-dr?")
        await pilot.press("right", "enter")
        await until_shown(app, "primary-to-dr is paused")
    assert engine.commands() == [("pause", "primary-to-dr")]


async def test_take_over_asks_with_cancel_in_focus_and_esc_cancels() -> None:
    engine = standby_engine()
    async with console(engine) as (app, pilot):
        await until_shown(app, "t Take over")
        await pilot.press("t")
        await until_shown(app, "It is run by dr-host-2 (pid 815, generation 12).")
        assert isinstance(app.focused, Button)
        assert app.focused.id == "cancel"
        await pilot.press("escape")
        await until_gone(app, "Take over primary-to-dr?")
        assert engine.commands() == []
        await pilot.press("t")
        await until_shown(app, "Take over primary-to-dr?")
        await pilot.press("tab", "enter")
        await until_shown(app, "primary-to-dr is taken over")
        await until_gone(app, "OBSERVER")
        await until_gone(app, "t Take over")
    assert engine.commands() == [("take_over", "primary-to-dr")]


async def test_take_over_in_production_needs_the_name() -> None:
    engine = standby_engine(environment="production")
    async with console(engine) as (app, pilot):
        await pilot.press("t")
        await until_shown(app, "Type primary-to-dr to confirm:")
        assert isinstance(app.focused, Input)
        confirm = app.screen.query_one("#confirm", Button)
        assert confirm.disabled
        await pilot.press(*"primary-to", "enter")
        await until_told(app, "That is not primary-to-dr; nothing was done.")
        assert isinstance(app.screen, ConfirmDialog)
        await pilot.press(*"-dr")
        await until(lambda: not confirm.disabled)
        await pilot.press("enter")
        assert engine.commands() == []  # Enter went from the name to the button, no further
        await pilot.press("enter")
        await until_shown(app, "primary-to-dr is taken over")
    assert engine.commands() == [("take_over", "primary-to-dr")]


async def test_take_over_of_what_is_ours_says_why_not() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        assert "Take over" not in screen_lines(app)[-1]
        await pilot.press("t")
        await until_told(app, "primary-to-dr is already run by this engine")
        assert engine.commands() == []


async def test_a_refused_command_is_explained_in_a_dialog() -> None:
    engine = small_engine()
    engine.command_error = RefusedError(
        "pausing", "primary-to-dr", "the state topic cannot be written", "Check ACLs on dr."
    )
    async with console(engine) as (app, pilot):
        await pilot.press("p")
        await until_shown(app, "Pause the flow: failed")
        assert isinstance(app.screen, TextDialog)
        await until_shown(app, "Pausing primary-to-dr: the state topic cannot be written")
        await until_shown(app, "Next  Check ACLs on dr.")
        await pilot.press("escape")
        assert overview(app)


async def test_read_only_refuses_every_command_and_says_why() -> None:
    engine = small_engine(read_only=True)
    async with console(engine) as (app, pilot):
        for key in ("p", "R", "t"):
            await pilot.press(key)
        await until_told(app, "this engine is read-only")
        await open_lag(app, pilot)
        await pilot.press("r")
        await settle(pilot)
    assert engine.commands() == []


@pytest.mark.parametrize("opener", ["ctrl+p", "P"])
async def test_the_palette_finds_and_does_what_the_keys_do(opener: str) -> None:
    engine = small_engine()
    async with console(engine, (80, 40)) as (app, pilot):
        await pilot.press(opener)
        await until_shown(app, "Find an action")
        await until_shown(app, "not now: primary-to-dr is already run by this engine")
        await pilot.press(*"pause")
        await until_gone(app, "Retry all stopped")
        await pilot.press("enter")
        await until_shown(app, "primary-to-dr is paused")
    assert engine.commands() == [("pause", "primary-to-dr")]


async def test_the_palette_offers_what_belongs_to_the_screen() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("ctrl+p")
        await pilot.press(*"sort by")
        await until_shown(app, "Sort by lag in seconds")
        await pilot.press("escape")
        await until_gone(app, "Sort by lag in seconds")
        assert "Open the lag of the flow" not in screen_text(app)


async def test_help_is_made_from_the_registry_for_this_screen() -> None:
    async with console(small_engine(), (120, 60)) as (app, pilot):
        await pilot.press("question_mark")
        await until_shown(app, "p                Pause the flow")
        await until_shown(app, "?, F1")
        await until_shown(app, "primary-to-dr is already run by this engine")
        assert "Filter topics or partitions" not in screen_text(app)
        await pilot.press("escape")
        await open_lag(app, pilot)
        await pilot.press("f1")
        await until_shown(app, "/                Filter topics or partitions")
        await until_shown(app, "■ stopped")


async def test_help_scrolls_at_80x24() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("question_mark")
        await until_shown(app, "Open the lag of the flow")
        await pilot.press("end")
        await until_shown(app, "lag, and nothing moves")
        await pilot.press("q")
        await until_gone(app, "lag, and nothing moves")


async def test_refresh_asks_the_engine_again() -> None:
    engine = small_engine()
    async with console(engine) as (_, pilot):
        before = engine.snapshots_given
        await pilot.press("f5")
        await until(lambda: engine.snapshots_given > before)
