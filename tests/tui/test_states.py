"""Nothing yet, nothing at all, and nobody there."""

from __future__ import annotations

import asyncio
import re

from ccr_tui.state import STALE_AFTER, ConsoleMode, ConsoleState
from engine.api.snapshots import EngineSnapshot, FlowState, RunBrief
from engine.errors import ConnectError
from tests.tui.driving import (
    console,
    make_app,
    open_lag,
    screen_lines,
    screen_text,
    settle,
    until,
    until_gone,
    until_shown,
    until_told,
)
from tests.tui.scripted import ELSEWHERE, T0, ScriptedEngine, make_flow, small_engine

GONE = ConnectError(
    "reading", "the engine at /run/ccr/orders.sock", "no engine answers", "Start ccr --no-ui."
)


class Silent(ScriptedEngine):
    """An engine that has not answered yet."""

    async def snapshot(self) -> EngineSnapshot:
        await asyncio.Event().wait()
        raise AssertionError


async def test_before_the_first_answer() -> None:
    app = make_app(Silent())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until_shown(app, "Waiting for the engine's first answer.")
        header = " ".join(screen_lines(app)[0].split())
        assert header == "ccr orders.yaml engine embedded · connecting no data yet"
        await pilot.press("p")
        await settle(pilot)


async def test_no_flows() -> None:
    async with console(ScriptedEngine()) as (app, pilot):
        await until_shown(app, "No flows in orders.yaml. Press a to add one.")
        await until_shown(app, "Nothing has happened yet.")
        await pilot.press("enter", "i", "down")
        await settle(pilot)
        assert "No flows in orders.yaml" in screen_text(app)


async def test_a_flow_without_partitions() -> None:
    engine = ScriptedEngine([make_flow(partitions=0, topics=0)])
    async with console(engine) as (app, pilot):
        await pilot.press("enter")
        await until_shown(app, "No partitions: no topic on primary is selected by this flow.")
        await pilot.press("enter", "r", "s", "S", "down", "G")
        await until_told(app, "no partition is selected")


async def test_a_flow_that_is_gone_from_the_configuration() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await pilot.press("enter")
        await until_shown(app, "orders.eu")
        engine.partitions.clear()
        engine.set_flows([])
        engine.restart()
        await until_shown(app, "The engine no longer has a flow named primary-to-dr.")
        await pilot.press("escape")
        await until_shown(app, "No flows in orders.yaml.")


async def test_an_engine_that_was_never_there() -> None:
    engine = ScriptedEngine()
    engine.error = GONE
    async with console(engine) as (app, _):
        await until_shown(
            app, "No data: Reading the engine at /run/ccr/orders.sock: no engine answers"
        )
        await until_shown(app, "NO DATA")
        await until_shown(app, "ENGINE LOST for")


async def test_a_lost_engine_keeps_the_last_data_marks_it_and_comes_back() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        engine.error = GONE
        await until_shown(app, "ENGINE LOST for")
        text = " ".join(screen_text(app).split())
        said = r"no engine answers\. Start ccr --no-ui\. What you see is \d+s old\. Trying again\."
        assert re.search(said, text)
        assert "STALE data" in screen_lines(app)[0]
        assert "engine embedded · no answer" in screen_lines(app)[0]
        assert "primary-to-dr ● running" in text  # the last that was known
        assert app.screen.has_class("-stale")
        await pilot.press("p")
        await until_told(app, "Pause the flow: the engine does not answer.")
        assert engine.commands() == []
        engine.error = None
        await until_gone(app, "ENGINE LOST")
        assert "STALE" not in screen_lines(app)[0]
        assert not app.screen.has_class("-stale")


async def test_the_lag_screen_keeps_its_rows_while_the_engine_is_away() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        engine.error = GONE
        await until_shown(app, "ENGINE LOST")
        assert "orders.eu" in screen_text(app)
        engine.error = None
        await until_gone(app, "ENGINE LOST")
        assert "orders.eu" in screen_text(app)


async def test_a_fence_that_is_up_is_above_everything() -> None:
    engine = small_engine()
    run = RunBrief(
        "20261123-0101", "promote", "undoing", "Fence producers on primary", T0 - 75,
        fenced=True, crossed=False, why="aborted by an operator",
    )  # fmt: skip
    async with console(engine) as (app, pilot):
        engine.set_flow("primary-to-dr", run=run)
        await until_shown(app, "primary-to-dr: PRODUCERS ON primary ARE FENCED: promote is undoing")
        await open_lag(app, pilot)
        await until_shown(app, "ARE FENCED")
        engine.set_flow("primary-to-dr", run=None)
        await until_gone(app, "ARE FENCED")


def test_data_grows_old_by_itself() -> None:
    state = ConsoleState(ConsoleMode.EMBEDDED, "x")
    assert state.age(5.0) is None
    assert not state.stale(5.0)
    state.answered(small_engine().current, 100.0)
    assert state.age(101.0) == 1.0
    assert not state.stale(100.0 + STALE_AFTER - 0.1)
    assert state.stale(100.0 + STALE_AFTER)
    assert state.observed_ago(T0 - 3.0, 101.0) == 4.0
    assert state.observed_ago(0.0, 101.0) is None


def test_failures_count_from_the_first() -> None:
    state = ConsoleState(ConsoleMode.EMBEDDED, "x")
    state.failed("gone", "start it", 10.0)
    state.failed("still gone", "start it", 12.0)
    assert state.failure is not None
    assert (state.failure.since, state.failure.attempts) == (10.0, 2)
    state.answered(small_engine().current, 13.0)
    assert state.failure is None


async def test_an_observer_is_told_who_runs_the_flow() -> None:
    engine = ScriptedEngine(
        [
            make_flow(state=FlowState.STANDBY, owner=ELSEWHERE, owned_here=False),
            make_flow("dr-to-primary"),
        ]
    )
    async with console(engine) as (app, _):
        text = "OBSERVER: primary-to-dr is run by dr-host-2 (pid 815), heartbeat 0s ago."
        await until_shown(app, text)
        assert "· up" in screen_lines(app)[0]  # the other flow runs here
        engine.set_flow("dr-to-primary", state=FlowState.STANDBY, owner=ELSEWHERE, owned_here=False)
        await until(lambda: "· observer" in screen_lines(app)[0])
        await until_shown(app, "OBSERVER: 2 of 2 flows, primary-to-dr first, are run by")
        engine.set_flow("primary-to-dr", state=FlowState.RUNNING, owned_here=True)
        engine.set_flow("dr-to-primary", state=FlowState.RUNNING, owned_here=True)
        await until_gone(app, "OBSERVER")
