"""The flow editor: live preview, settings, saving."""

from __future__ import annotations

import asyncio

import pytest
from textual.pilot import Pilot

from ccr_tui.app import CcrApp
from ccr_tui.screens.flow_editor import looking
from ccr_tui.screens.flow_editor.screen import FlowEditorScreen
from ccr_tui.screens.flow_editor.topics import NOTHING_LOOKED, Change, rows_of
from ccr_tui.screens.lag.screen import LagScreen
from ccr_tui.screens.overview.screen import OverviewScreen
from ccr_tui.widgets.form.controls import LinesControl
from engine.api.preview_snapshots import Decision, Rule, SelectionSnapshot
from engine.config.matching import TooSlowError
from engine.errors import ConnectError, RefusedError
from tests.tui.driving import (
    console,
    screen_lines,
    screen_text,
    settle,
    until,
    until_shown,
    until_told,
)
from tests.tui.scripted import ScriptedEngine, make_flow, small_engine
from tests.tui.scripted_topics import CONFLICT


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "SELECT_AFTER", 0.0)
    monkeypatch.setattr(looking, "PREVIEW_AFTER", 0.05)


async def open_editor(app: CcrApp, name: str = "primary-to-dr") -> FlowEditorScreen:
    app.go("flow_editor", name)
    await until(lambda: isinstance(app.screen, FlowEditorScreen) and app.screen.focused)
    if name:
        await until_shown(app, "taken")
    return editor(app)


def editor(app: CcrApp) -> FlowEditorScreen:
    assert isinstance(app.screen, FlowEditorScreen)
    return app.screen


def include(screen: FlowEditorScreen) -> LinesControl:
    control = screen.book["topics.include"].control
    assert isinstance(control, LinesControl)
    return control


def taken(screen: FlowEditorScreen) -> set[str]:
    return {row.topic for row in screen.table.book.rows.values() if row.decision.taken}


async def until_taken(screen: FlowEditorScreen, *topics: str) -> None:
    try:
        await until(lambda: taken(screen) == set(topics))
    except AssertionError:
        raise AssertionError(f"{taken(screen)} is taken instead of {topics}") from None


def line_with(app: CcrApp, text: str) -> str:
    return next(line for line in screen_lines(app) if text in line)


async def type_into(pilot: Pilot[None], screen: FlowEditorScreen, *keys: str) -> None:
    screen.book["topics.include"].focus_control()
    await settle(pilot)
    include(screen).move_cursor(include(screen).document.end)
    await pilot.press(*keys)


async def test_what_a_flow_takes_and_by_which_rule() -> None:
    engine = small_engine()
    async with console(engine, (120, 40)) as (app, pilot):
        await pilot.press("e")
        await until_shown(app, "3 of 6 topics taken")
        await until_shown(app, "include 1: orders\\..*")
        assert " payments  " in line_with(app, "include 2: payments")
        assert "exclude 1: .*\\.tmp" in line_with(app, "orders.us.tmp")
        assert "no include matches" in line_with(app, "invoices")
        assert "internal" in line_with(app, "__consumer_offsets")
        await until_shown(app, "0 blocked, sizes")
        assert "create" in line_with(app, "orders.us ")
        assert "2.9 MiB" in line_with(app, "orders.us ")
        assert "in step" in line_with(app, "orders.eu ")
        assert editor(app).subject == "primary-to-dr"


async def test_rows_follow_what_is_typed_and_mark_what_changes() -> None:
    engine = small_engine()
    async with console(engine, (120, 40)) as (app, pilot):
        screen = await open_editor(app)
        await type_into(pilot, screen, "enter", "i", "full_stop", "asterisk")
        await until_taken(screen, "orders.eu", "orders.us", "payments", "invoices")
        await until_shown(app, "4 of 6 topics taken · 1 more, 0 fewer than now")
        assert "+ starts" in line_with(app, " invoices")
        include(screen).text = "payments"
        await until_taken(screen, "payments")
        await until_shown(app, "1 of 6 topics taken · 0 more, 2 fewer than now")
        assert "- ends" in line_with(app, "orders.eu")
        assert screen.table.book.shown[:2] == ["orders.eu", "orders.us"], "what changes comes first"
        assert engine.config.saves == 0


async def test_a_wrong_regex_is_marked_and_the_last_valid_one_stays() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        screen = await open_editor(app)
        asked = len(engine.source_topics.asked)
        await type_into(pilot, screen, "left_parenthesis", "a")
        await until_shown(app, "as of the last valid regexes")
        row = screen.book["topics.include"]
        assert row.problem.startswith("line 2, position 9: the group that begins with (")
        await until_shown(app, "line 2, position 9")
        assert include(screen).get_line(1).spans[0].start == 8, "under the parenthesis"
        assert not include(screen).get_line(0).spans
        assert taken(screen) == {"orders.eu", "orders.us", "payments"}
        await pilot.press("f2")
        await until(lambda: screen.focused is include(screen))
        assert engine.config.saves == 0
        assert all("(" not in topics.include[-1] for topics in engine.source_topics.asked[asked:])
        await pilot.press("backspace", "backspace")
        await until(lambda: not row.problem)
        assert not include(screen).get_line(1).spans


@pytest.mark.parametrize("remote", [False, True], ids=["here", "over the socket"])
async def test_a_slow_regex_is_stopped_and_named(remote: bool) -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        screen = await open_editor(app)
        slow = TooSlowError("payments", "orders.eu")
        plain = RefusedError(slow.operation, slow.object, slow.cause, slow.next_step)
        engine.source_topics.error = plain if remote else slow
        await type_into(pilot, screen, "enter", "x")
        await until_shown(app, "a regex was stopped")
        row = screen.book["topics.include"]
        assert row.problem.startswith("line 2 is too slow: it takes longer than 0.25 s")
        await until_shown(app, "line 2 is too slow")
        engine.source_topics.error = None
        await pilot.press("y")
        await until_shown(app, "3 of 6 topics taken")
        assert not row.problem


async def test_an_answer_that_comes_late_is_dropped() -> None:
    engine = small_engine()
    gate = engine.source_topics.gates["orders.*"] = asyncio.Event()
    async with console(engine) as (app, pilot):
        screen = await open_editor(app)
        include(screen).text = "orders.*"
        await until(lambda: engine.source_topics.asked[-1].include == ["orders.*"])
        include(screen).text = "payments"
        await until_taken(screen, "payments")
        gate.set()
        await settle(pilot)
        assert taken(screen) == {"payments"}


async def test_previews_wait_for_the_one_under_way() -> None:
    engine = small_engine()
    source = engine.source_topics
    source.preview_gate = asyncio.Event()
    async with console(engine, (120, 40)) as (app, _):
        screen = await open_editor(app)
        await until(lambda: len(source.previewed) == 1)
        for regex in ("orders.eu", "orders.us", "payments"):
            include(screen).text = regex
            await until_taken(screen, regex)
        await asyncio.sleep(0.1)
        assert len(source.previewed) == 1, "the engine is not asked twice at a time"
        source.preview_gate.set()
        await until(lambda: len(source.previewed) == 2)
        assert source.previewed[1].topics.include == ["payments"], "and then about the last"
        await until_shown(app, "0 blocked, sizes")
        assert taken(screen) == {"payments"}


async def test_a_change_is_shown_refused_accepted_and_then_seen_in_the_lag() -> None:
    engine = small_engine()
    async with console(engine, (80, 40)) as (app, pilot):
        screen = await open_editor(app)
        await type_into(pilot, screen, "enter", *"invoices")
        await pilot.press("f2")
        await until_shown(app, "Save flow primary-to-dr?")
        assert "flow primary-to-dr restarts" in screen_text(app)
        assert "invoices" in line_with(app, "+      include:")
        assert "# ask Ana before" in line_with(app, "+      include:")
        await pilot.press("enter")
        await until(lambda: app.screen is screen)
        assert engine.config.saves == 0
        assert screen.changed
        await pilot.press("f2")
        await until_shown(app, "Save flow primary-to-dr?")
        await pilot.press("tab", "enter")
        await until(lambda: isinstance(app.screen, LagScreen))
        assert app.screen.subject == "primary-to-dr"
    assert engine.config.saves == 1
    section = (await engine.config.document()).section("flows")["primary-to-dr"]
    assert section["topics"] == {
        "include": ["orders\\..*", "payments", "invoices"],
        "exclude": [".*\\.tmp"],
    }
    assert section["limits"] == {"bytes_per_second": "50MiB"}


async def test_a_flow_that_is_not_there_yet() -> None:
    engine = small_engine()
    async with console(engine, (80, 30)) as (app, pilot):
        await pilot.press("a")
        await until(lambda: isinstance(app.screen, FlowEditorScreen) and app.screen.focused)
        screen = editor(app)
        await until_shown(app, "Choose the source cluster")
        await pilot.press(*"back", "tab", "d")  # dr
        await until_shown(app, "5 of 6 topics taken")
        assert engine.source_topics.previewed == [], "where to is not known yet"
        await pilot.press("tab", "p", "tab", *"orders.eu")
        await until_taken(screen, "orders.eu")
        await until(lambda: engine.source_topics.previewed)
        assert engine.source_topics.previewed[-1].source == "dr"
        await pilot.press("f2")
        await until_shown(app, "flow back starts")
        await pilot.press("tab", "enter")
        await until(lambda: isinstance(app.screen, LagScreen))
    assert (await engine.config.document()).section("flows")["back"] == {
        "source": "dr",
        "target": "primary",
        "topics": {"include": ["orders.eu"]},
    }


async def test_source_and_target_must_differ() -> None:
    engine = small_engine()
    async with console(engine, (80, 30)) as (app, pilot):
        screen = await open_editor(app)
        await pilot.press("tab", "p")
        await until(lambda: "is the source itself" in screen.book["target"].problem)
        await pilot.press("f2")
        await until(lambda: screen.focused is screen.book["target"].control)
        assert engine.config.saves == 0


async def test_names_and_conflicts_of_the_topic_under_the_cursor() -> None:
    engine = small_engine()
    engine.source_topics.conflicts["orders.us"] = CONFLICT
    async with console(engine, (120, 40)) as (app, pilot):
        screen = await open_editor(app)
        screen.book["rename"].control.text = "prefix"
        await until_shown(app, "1 blocked, sizes")
        assert "BLOCKED" in line_with(app, "orders.us ")
        assert "primary.orders.us" in line_with(app, "orders.us ")
        assert screen.table.book.shown[0] == "orders.us", "what is in the way comes first"
        screen.table.focus()
        await until_shown(app, "Why   taken by include 1: orders\\..*")
        await until_shown(app, "Blocks partitions: the mirror has 12 partitions, the source 6")
        await until_shown(app, "Remove it on dr, or leave the topic out")
        await pilot.press("enter")
        await until_shown(app, "Esc closes")
        assert "orders.us → primary.orders.us on dr" in screen_text(app)
        await pilot.press("escape", "down", "i")
        await until_shown(app, "Esc closes")
        assert "create with" in screen_text(app) or "in step" in screen_text(app)


async def test_the_other_settings_with_help_and_defaults() -> None:
    engine = small_engine()
    async with console(engine, (80, 30)) as (app, pilot):
        screen = await open_editor(app)
        await pilot.press("f3")
        await until(lambda: screen.focused is screen.book["rename"].control)
        await until_shown(app, "identity: same names; prefix: <source>.<topic>.")
        await until_shown(app, "Default: identity.")
        await pilot.press("right", "down", "down")
        assert screen.focused is screen.book["start"].control
        await pilot.press(*"never")
        await until_shown(app, "must be earliest, latest, a time such as")
        await pilot.press("f3")
        await until(lambda: screen.focused is screen.book["source"].control)
        await until_shown(app, "primary.orders.eu" if app.size.width > 100 else "topics taken")
        await pilot.press("f2")
        await until(lambda: screen.focused is screen.book["start"].control)
        assert engine.config.saves == 0
        screen.book["start"].control.text = "latest"
        await pilot.press("f2")
        await until_shown(app, "+    rename: prefix")
        assert "start: latest" in screen_text(app)


async def test_looking_again_at_sizes_and_conflicts() -> None:
    engine = small_engine()
    async with console(engine, (120, 40)) as (app, pilot):
        await open_editor(app)
        await until_shown(app, "0 blocked, sizes")
        engine.source_topics.conflicts["orders.eu"] = CONFLICT
        engine.source_topics.notes = ("sizes are not known: grant DESCRIBE on the cluster",)
        before = len(engine.source_topics.previewed)
        await pilot.press("f4")
        await until_shown(app, "1 blocked, sizes")
        assert len(engine.source_topics.previewed) == before + 1
        editor(app).table.focus()
        await until_shown(app, "Note  sizes are not known: grant DESCRIBE on the cluster")
        engine.source_topics.preview_error = ConnectError("asking", "dr", "it is away")
        await pilot.press("f4")
        await until_shown(app, "sizes and conflicts are not known: F4")
        await until_told(app, "it is away")
        assert "BLOCKED" in line_with(app, "orders.eu "), "what was seen last stays"


async def test_a_source_that_is_away() -> None:
    engine = small_engine()
    engine.source_topics.error = ConnectError("asking", "primary", "it is away", "Is it up?")
    async with console(engine) as (app, _):
        app.go("flow_editor", "primary-to-dr")
        await until_shown(app, "it is away")
        await until_shown(app, "Is it up?")
        engine.source_topics.error = None
        include(editor(app)).text = "payments"
        await until_shown(app, "1 of 6 topics taken")


async def test_leaving_the_editor() -> None:
    async with console(small_engine()) as (app, pilot):
        screen = await open_editor(app)
        await pilot.press("escape")
        assert isinstance(app.screen, OverviewScreen)
        await pilot.press("6")
        await until(lambda: isinstance(app.screen, FlowEditorScreen) and app.screen.focused)
        screen = editor(app)
        assert screen.subject == "primary-to-dr"
        await type_into(pilot, screen, "x")
        screen.table.focus()
        await pilot.press("1")
        await until_told(app, "not saved. Save it, or leave it with Esc first.")
        assert app.screen is screen
        await pilot.press("escape")
        await until_shown(app, "Leave without saving primary-to-dr?")


async def test_a_flow_is_removed_after_its_name_was_typed() -> None:
    engine = small_engine()
    async with console(engine, (80, 40)) as (app, pilot):
        await pilot.press("down", "D")
        await until_shown(app, "Remove flow dr-to-primary?")
        assert "Its mirrors stay on the target" in screen_text(app)
        await until_shown(app, "flow dr-to-primary stops")
        await pilot.press("escape")
        assert engine.config.saves == 0
        await pilot.press("D")
        await until_shown(app, "Remove flow dr-to-primary?")
        await pilot.press(*"dr-to-primary", "enter", "enter")
        await until(lambda: engine.config.saves == 1)
    assert list((await engine.config.document()).section("flows")) == ["primary-to-dr"]


async def test_production_asks_for_the_name_when_a_flow_is_interrupted() -> None:
    engine = small_engine(environment="production")
    async with console(engine, (80, 40)) as (app, pilot):
        screen = await open_editor(app)
        include(screen).text = "payments"
        await settle(pilot)
        await pilot.press("f2")
        await until_shown(app, "Type primary-to-dr to confirm:")


async def test_a_read_only_engine_saves_and_removes_nothing() -> None:
    engine = small_engine(read_only=True)
    async with console(engine) as (app, pilot):
        await pilot.press("D")
        await open_editor(app)
        await pilot.press("f2")
        await settle(pilot)
        told = [toast.message for toast in app._notifications]
        assert sum("read-only" in message for message in told) == 2, told
        assert isinstance(app.screen, FlowEditorScreen)


async def test_a_flow_that_is_gone_from_the_file() -> None:
    engine = ScriptedEngine([make_flow("old")])
    async with console(engine) as (app, pilot):
        app.go("flow_editor", "old")
        await until_shown(app, "There is no flow old in /etc/ccr/orders.yaml any more.")
        await pilot.press("escape")
        assert isinstance(app.screen, OverviewScreen)


async def test_ten_thousand_topics_leave_room_for_others() -> None:
    names = tuple((f"topic-{number:05}", 3, number % 2) for number in range(10_000))
    decisions = (Decision(True, Rule.INCLUDE, ".*", 1), Decision(False, Rule.NO_MATCH))
    selection = SelectionSnapshot("f", (".*",), (), 5000, decisions, names, 1.0, 0.1, "eu.")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(others())
    now = frozenset({"topic-00000", "topic-00001"})
    rows = await rows_of(selection, now, NOTHING_LOOKED, "eu")
    counting.cancel()
    assert turns >= 20, "a thousand rows at once"
    assert [row.place for row in rows] == list(range(10_000))
    assert [(row.topic, row.change) for row in rows[:2]] == [
        ("topic-00001", Change.ENDS),
        ("topic-00002", Change.STARTS),
    ]
    assert rows[0].mirror == ""
    assert rows[1].mirror == "eu.topic-00002"
    assert sum(row.change is Change.NONE for row in rows) == 5000
