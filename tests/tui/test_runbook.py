"""The runbooks of a flow: what each would do, beginning one, following it, steering it."""

from __future__ import annotations

from textual.pilot import Pilot

from ccr_tui.app import CcrApp
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.runbook.screen import RunbookScreen
from ccr_tui.screens.runbook.told import View
from engine.api.runbook_snapshots import RunKind, RunOptions, RunState, StepName, StepState
from engine.api.snapshots import EngineMode, Reason
from engine.errors import RefusedError
from tests.tui.driving import (
    console,
    screen_lines,
    screen_text,
    until,
    until_gone,
    until_shown,
    until_told,
)
from tests.tui.scripted import T0, ScriptedEngine, make_flow, small_engine
from tests.tui.scripted_runbooks import CLIENTS, STUCK


def words(app: CcrApp) -> str:
    return " ".join(screen_text(app).split())


async def opened(app: CcrApp, pilot: Pilot[None], view: View = View.RUN) -> None:
    """Open the screen and go to a view."""
    await pilot.press("F")
    await until(lambda: isinstance(app.screen, RunbookScreen))
    for number, each in enumerate(View):
        if number:
            await pilot.press("tab")
        await until_shown(app, f"[{each}]")
        if each is view:
            return


async def test_without_a_run_it_says_what_there_is() -> None:
    async with console(small_engine()) as (app, pilot):
        await opened(app, pilot)
        await until_shown(app, "No run of this flow is on record. Tab shows what could be done.")
        assert "Flow primary" in words(app)
        assert "running, lag 1,204 records" in words(app)
        await pilot.press("b")
        await until_told(app, "Choose a plan first: Tab.")
        await pilot.press("escape")
        await until(lambda: not isinstance(app.screen, RunbookScreen))


async def test_a_plan_shows_its_steps_and_where_there_is_no_way_back() -> None:
    async with console(small_engine()) as (app, pilot):
        await opened(app, pilot, View.PROMOTE)
        await until_shown(app, "Fence producers on primary")
        rows = [line for line in screen_lines(app) if "no way back" in line]
        assert len(rows) == 1
        assert "Promote: record on dr" in rows[0]
        assert f"Note {CLIENTS.text}" in words(app)
        assert "Ready b begins it" in words(app)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, TextDialog))
        assert "lifts the fence; everything is as it was before" in words(app)
        await pilot.press("escape", "shift+tab")
        await until_shown(app, "[run]")


async def test_what_stops_a_plan_is_first_and_keeps_it_from_beginning() -> None:
    engine = small_engine()
    engine.runbooks.findings[RunKind.PROMOTE] = (CLIENTS, STUCK)
    async with console(engine) as (app, pilot):
        await opened(app, pilot, View.PROMOTE)
        await until_shown(app, "STOPS")
        text = words(app)
        assert text.index(STUCK.text) < text.index(CLIENTS.text)
        assert STUCK.next_step in text
        assert "Ready" not in text
        await pilot.press("b")
        await until_told(app, f"Not as things are: {STUCK.text}")
        assert engine.commands() == []


async def test_failover_says_what_is_lost_before_the_name_is_typed() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await opened(app, pilot, View.FAILOVER)
        await until_shown(app, "If primary vanished now")
        await pilot.press("b")
        await until(lambda: isinstance(app.screen, ConfirmDialog))
        assert "would be lost" in words(app)
        await pilot.press(*"primary-to-dr", "enter", "enter")
        await until(lambda: engine.commands() != [])
        assert engine.commands() == [("start", "primary-to-dr", "failover", "d1gest")]
        await until_shown(app, "[run]")
        await until_shown(app, "failover 20261123-010203-abcd, asked for by alice, ccr")


async def test_a_run_is_followed_and_steered() -> None:
    engine = small_engine()
    await engine.runbooks.start("primary-to-dr", RunKind.PROMOTE, RunOptions(), "d1gest")
    engine.runbooks.step(
        StepName.FENCE, StepState.DONE, began=T0, ended=T0 + 1.5, evidence=("78 on 3 topics",)
    )
    engine.runbooks.step(StepName.STAND, StepState.RUNNING, began=T0 + 2, waits_for="txn-1 to end")
    async with console(engine) as (app, pilot):
        await opened(app, pilot)
        await until_shown(app, "waits for txn-1")
        assert "78 on 3 topics" in words(app)
        assert "U undoes everything" in words(app)
        await pilot.press("d")
        await until_told(app, "Confirm: confirmed")
        await pilot.press("U")
        await until(lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("right", "enter")
        await until_told(app, "Undo the run: it is being undone")
        await until_shown(app, "It is being undone.")
        reason = Reason("the command failed", "Mend it")
        engine.runbooks.change(state=RunState.FAILED, crossed=True, reason=reason)
        await until_shown(app, "behind the point of no return")
        await pilot.press("o")
        await until_told(app, "Go on: it goes on")
        assert [call[0] for call in engine.commands()][1:] == ["confirm", "abort", "go_on"]
        engine.command_error = RefusedError("aborting run", "x", "it is behind it", "Let it go on")
        await pilot.press("U")
        await until(lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("right", "enter")
        await until_shown(app, "it is behind it")


async def test_read_only_refuses_it() -> None:
    engine = ScriptedEngine([make_flow()], mode=EngineMode.SERVICE, read_only=True)
    async with console(engine) as (app, pilot):
        await opened(app, pilot, View.PROMOTE)
        await until_shown(app, "Fence producers")
        await pilot.press("b")
        await until_told(app, "this engine is read-only")
        assert engine.commands() == []


async def test_an_engine_that_is_lost_keeps_the_run_on_the_screen() -> None:
    engine = small_engine()
    await engine.runbooks.start("primary-to-dr", RunKind.PROMOTE, RunOptions(), "d1gest")
    async with console(engine) as (app, pilot):
        await opened(app, pilot)
        await until_shown(app, "20261123-010203-abcd")
        engine.error = RefusedError("reading", "it", "gone for a moment")
        await until_shown(app, "gone for a moment")
        assert "20261123-010203-abcd" in screen_text(app)
        engine.error = None
        await until_gone(app, "gone for a moment")
