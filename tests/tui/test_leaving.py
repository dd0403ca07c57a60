from __future__ import annotations

from textual.widgets import Button

from ccr_tui.leaving import farewell, question_before_quitting
from ccr_tui.screens.lag.screen import LagScreen
from ccr_tui.state import ConsoleMode, ConsoleState
from engine.api.snapshots import EngineMode, FlowState
from tests.tui.driving import console, open_lag, overview, settle, until, until_gone, until_shown
from tests.tui.scripted import ELSEWHERE, ScriptedEngine, make_flow, small_engine


def standby() -> ScriptedEngine:
    return ScriptedEngine([make_flow(state=FlowState.STANDBY, owner=ELSEWHERE, owned_here=False)])


async def test_leaving_an_embedded_engine_warns_and_cancel_is_in_focus() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("q")
        await until_shown(app, "Quit and stop replication?")
        await until_shown(app, "--no-ui --config /etc/ccr/orders.yaml")
        assert isinstance(app.focused, Button)
        assert app.focused.id == "cancel"
        await pilot.press("enter")
        await until_gone(app, "Quit and stop replication?")
        assert app.is_running
        await pilot.press("q")
        await until_shown(app, "Quit and stop replication?")
        await pilot.press("right", "enter")
        await until(lambda: app._exit)


async def test_leaving_a_service_needs_no_question() -> None:
    async with console(small_engine(), mode=ConsoleMode.ATTACHED) as (app, pilot):
        await pilot.press("q")
        await until(lambda: app._exit)


async def test_leaving_an_observer_needs_no_question() -> None:
    async with console(standby()) as (app, pilot):
        await pilot.press("q")
        await until(lambda: app._exit)


async def test_q_quits_from_the_lag_screen_too() -> None:
    async with console(small_engine(), mode=ConsoleMode.ATTACHED) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("q")
        await until(lambda: app._exit)


async def test_esc_goes_back_and_never_quits() -> None:
    async with console(small_engine(), mode=ConsoleMode.ATTACHED) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("escape")
        await until(lambda: not isinstance(app.screen, LagScreen))
        await pilot.press("escape", "escape")
        await settle(pilot)
        assert overview(app)
        assert not app._exit


async def test_ctrl_c_needs_two_presses_and_says_what_ends() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("ctrl+c")
        await until_shown(
            app, "Press ctrl+c again to leave the console; replication stops with it."
        )
        assert not app._exit
        await pilot.press("ctrl+c")
        await until(lambda: app._exit)


async def test_ctrl_c_works_in_dialogs_and_in_the_filter() -> None:
    async with console(small_engine(), mode=ConsoleMode.ATTACHED) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("slash", "x", "ctrl+c", "ctrl+c")
        await until(lambda: app._exit)
    async with console(small_engine()) as (app, pilot):
        await pilot.press("q")
        await until_shown(app, "Quit and stop replication?")
        await pilot.press("ctrl+c", "ctrl+c")
        await until(lambda: app._exit)


async def test_two_slow_presses_of_ctrl_c_are_two_first_ones() -> None:
    async with console(small_engine(), mode=ConsoleMode.ATTACHED) as (app, pilot):
        await pilot.press("ctrl+c")
        app._interrupted_at -= 10
        await pilot.press("ctrl+c")
        await settle(pilot)
        assert not app._exit


def state(engine: ScriptedEngine, mode: ConsoleMode) -> ConsoleState:
    return ConsoleState(mode, "orders.yaml", engine.current, 0.0)


def test_the_question_names_the_flows_that_end() -> None:
    question = question_before_quitting(state(small_engine(), ConsoleMode.EMBEDDED))
    assert question is not None
    assert "Nobody will run primary-to-dr, dr-to-primary from then on" in question.body


def test_farewells() -> None:
    embedded = state(small_engine(), ConsoleMode.EMBEDDED)
    assert farewell(embedded) == "ccr: replication of primary-to-dr, dr-to-primary stopped."
    assert farewell(state(standby(), ConsoleMode.EMBEDDED)) == ""
    service = state(small_engine(mode=EngineMode.SERVICE), ConsoleMode.ATTACHED)
    assert farewell(service) == "ccr: the service (pid 4711) goes on replicating."
    service.failed("gone", "", 1.0)
    assert "was not answering" in farewell(service)
    others = state(small_engine(mode=EngineMode.EMBEDDED), ConsoleMode.ATTACHED)
    assert "as long as the console it belongs to" in farewell(others)
