"""The runbooks of a flow: what each would do, beginning one, following it, steering it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Digits

from ccr_tui.app import CcrApp
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.runbook.screen import RunbookScreen
from ccr_tui.screens.runbook.told import View, of_plan
from ccr_tui.widgets.table.columns import Tone
from engine.api.runbook_snapshots import (
    RunFinding,
    RunKind,
    RunOptions,
    RunState,
    StepName,
    StepState,
)
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
from tests.tui.scripted_runbooks import CLIENTS, STUCK, a_run


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
        await until_shown(app, "3,209 records")
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


async def test_where_the_flow_is_stays_while_a_plan_is_asked_for() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await opened(app, pilot)
        engine.runbooks.answered.clear()
        await pilot.press("tab")
        await until_shown(app, "Asking what promote would do.")
        assert "running, lag 1,204 records" in words(app)
        await pilot.press("tab", "tab")
        await until_shown(app, "records of both clusters are compared")
        await pilot.press("tab")  # what was asked is given up, not waited for
        await until(lambda: ("plan", "primary-to-dr", "rehearsal") in engine.calls)
        engine.runbooks.answered.set()
        await until_shown(app, "Fence producers on primary")
        assert "[rehearse]" in words(app)


async def test_a_run_is_followed_at_once_after_a_plan_that_took_long() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await opened(app, pilot, View.FAILBACK)
        screen = app.screen
        assert isinstance(screen, RunbookScreen)
        await until_shown(app, "Find what primary has")
        assert screen.planner._pace.interval == 600.0  # records are read for it
        assert screen.asker._pace.interval < 2.0
        await pilot.press("tab", "tab", "tab")
        await until_shown(app, "[run]")
        await engine.runbooks.start("primary-to-dr", RunKind.PROMOTE, RunOptions(), "d1gest")
        await until_shown(app, "promote 20261123-010203-abcd, asked for by alice, ccr")


async def test_fence_extent_and_way_back_are_chosen_before_it_begins() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await opened(app, pilot, View.PROMOTE)
        await until_shown(app, "Fence: by config (f)")
        await pilot.press("f", "f")
        await until_shown(app, "Fence: acl (f)")
        await pilot.press("v", "v", "w", "w")
        await until_shown(app, "compare: full (v)  flow back: no (w)")
        await pilot.press("a")
        await until_told(app, "promote has no such choice.")
        await until_shown(app, "Ready")
        await pilot.press("b")
        await until(lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press(*"primary-to-dr", "enter", "enter")
        await until(lambda: engine.commands() != [])
    chosen = ("fence=acl", "reverse=False", "verify=full")
    assert engine.commands() == [("start", "primary-to-dr", "promote", "d1gest", *chosen)]


async def test_to_discard_takes_other_words_to_be_typed() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await opened(app, pilot, View.FAILBACK)
        await until_shown(app, "What never arrived: keep-aside (a)")
        await pilot.press("a", "a", "a")
        await until_shown(app, "What never arrived: discard (a)")
        await until_shown(app, "Ready")
        await pilot.press("b")
        await until(lambda: isinstance(app.screen, ConfirmDialog))
        assert "GIVEN UP FOR GOOD" in words(app)
        await pilot.press(*"primary-to-dr", "enter")
        await until_told(app, "That is not discard primary-to-dr; nothing was done.")
        assert engine.commands() == []
        await pilot.press("ctrl+u", *"discard", "space", *"primary-to-dr", "enter", "enter")
        await until(lambda: engine.commands() != [])
    assert engine.commands() == [("start", "primary-to-dr", "failback", "d1gest", "mode=discard")]


async def test_the_number_of_lost_records_is_large_and_all_notes_are_a_key_away() -> None:
    engine = small_engine()
    engine.runbooks.findings[RunKind.FAILOVER] = tuple(
        RunFinding(None, False, f"finding number {number}") for number in range(6)
    )
    async with console(engine, (120, 40)) as (app, pilot):
        await opened(app, pilot, View.FAILOVER)
        await until_shown(app, "would be LOST,")
        await until(lambda: app.screen.query_one(Digits).value == "3,209")
        assert "finding number 5" not in words(app)
        assert "more: n" in words(app)
        await pilot.press("n")
        await until(lambda: isinstance(app.screen, TextDialog))
        await until_shown(app, "finding number 5")
        assert "Topic orders.eu" in words(app)


async def test_runs_on_record_and_their_reports() -> None:
    engine = small_engine()
    engine.runbooks.ended = (
        a_run(RunKind.REHEARSAL, RunState.DONE, T0),
        a_run(RunKind.PROMOTE, RunState.UNDONE, T0 - 5000, reason=Reason("a producer went on")),
    )
    async with console(engine, (120, 40)) as (app, pilot):
        await opened(app, pilot)
        await until_shown(app, "Rehearsed with throw-away topics")
        for _ in range(5):
            await pilot.press("tab")
        await until_shown(app, "[reports]")
        await until_shown(app, "Undone after 42 s: a producer went on")
        await pilot.press("down", "enter")
        await until(lambda: isinstance(app.screen, TextDialog))
        await until_shown(app, "# Planned promotion of primary-to-dr: primary to dr")
        assert "asked for by bob, ssh from 10.0.0.9; carried out on dr-host-2" in words(app)
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, RunbookScreen))
        assert app.top is not None
        assert app.top.text_to_copy().startswith("# Planned promotion of primary-to-dr")


async def test_a_real_run_that_is_under_way_comes_before_what_has_ended() -> None:
    engine = small_engine()
    engine.runbooks.ended = (
        a_run(RunKind.REHEARSAL, RunState.RUNNING, T0 + 9),
        a_run(RunKind.FAILOVER, RunState.FAILED, T0, crossed=True,
              reason=Reason("the command failed", "Mend switch.cut_over")),
        a_run(RunKind.PROMOTE, RunState.UNDONE, T0 - 5000),
    )  # fmt: skip
    async with console(engine) as (app, pilot):
        await opened(app, pilot)
        await until_shown(app, "the command failed")
        assert "Next Mend switch.cut_over" in words(app)
        assert "o tries that step again" in words(app)


async def test_nothing_lost_of_an_old_look_is_not_good_news() -> None:
    engine = small_engine()
    loss = engine.runbooks.loss_now("primary-to-dr")
    old = replace(loss, lost_records=0, at_least=True)
    plan = await engine.runbooks.plan("primary-to-dr", RunKind.FAILOVER, RunOptions())
    for each, tone in (
        (old, Tone.WARN),
        (replace(old, at_least=False, partitions_unknown=0), Tone.GOOD),
        (replace(loss, looked_at=0.0), Tone.BAD),
    ):
        said = [
            fact
            for fact in of_plan(replace(plan, loss=each), roomy=True)
            if fact[0][0] == "Say    "
        ]
        assert [fact[1][1] for fact in said] == [tone]


@pytest.mark.parametrize("key", ["U", "o", "d"])
async def test_read_only_steers_nothing(key: str) -> None:
    engine = ScriptedEngine([make_flow()], mode=EngineMode.SERVICE, read_only=True)
    await engine.runbooks.start("primary-to-dr", RunKind.PROMOTE, RunOptions(), "d1gest")
    began = engine.commands()
    async with console(engine) as (app, pilot):
        await opened(app, pilot)
        await until_shown(app, "20261123-010203-abcd")
        await pilot.press(key)
        await until_told(app, "this engine is read-only")
        assert engine.commands() == began
