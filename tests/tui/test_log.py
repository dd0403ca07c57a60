"""The log: followed, read back, found, copied, exported; and what it says when there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from ccr_tui.app import CcrApp
from ccr_tui.screens.log import tail as log_tail
from ccr_tui.screens.log.screen import LogScreen, as_written
from ccr_tui.screens.log.tail import LogTail
from engine.api.kept_snapshots import LogLevel, LogRecord
from engine.errors import ConnectError, RefusedError
from tests.tui.driving import (
    console,
    screen_lines,
    screen_text,
    settle,
    until,
    until_gone,
    until_shown,
    until_told,
)
from tests.tui.scripted import T0, ScriptedEngine, make_flow, small_engine


async def open_log(app: CcrApp, pilot: Pilot[None]) -> LogScreen:
    await pilot.press("8")
    await until(lambda: isinstance(app.screen, LogScreen) and app.screen.asker.answer)
    await settle(pilot)
    assert isinstance(app.screen, LogScreen)
    return app.screen


def shown(screen: LogScreen) -> list[str]:
    book = screen.shown.table.book
    return [book.rows[key].record.text for key in book.shown]


def many(engine: ScriptedEngine, numbers: range) -> None:
    engine.kept.write((T0 + n, LogLevel.INFO, f"number {n}") for n in numbers)


async def test_it_is_followed_and_read_in_full() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        screen = await open_log(app, pilot)
        assert shown(screen)[0] == "primary-to-dr: 48,123 records/s, 1,204 behind"
        assert len(shown(screen)) == 7
        await until_shown(app, "orders-0123456789ab.log")
        await until_shown(app, "answering GET /v1/snapshot failed … KeyError: 'orders'")
        engine.kept.write([(T0 + 1, LogLevel.INFO, "just now")])
        screen.do_refresh_now()
        await until(lambda: shown(screen)[0] == "just now")
        assert screen.text_to_copy().endswith("Z INFO    just now")
        await pilot.press("down", "down", "down")
        await until(lambda: "KeyError" in screen.text_to_copy())
        await pilot.press("enter")
        await until_shown(app, "Esc closes")
        assert any(line.strip(" │").startswith("KeyError: 'orders'") for line in screen_lines(app))
        await pilot.press("escape")
        await until_gone(app, "Esc closes")
        await pilot.press("i")
        await until_shown(app, "Esc closes")
        await pilot.press("escape", "escape")
        await until(lambda: app.way == ("Overview",))


async def test_records_are_found_by_words_and_by_level() -> None:
    engine = small_engine()
    async with console(engine, (120, 40)) as (app, pilot):
        screen = await open_log(app, pilot)
        await pilot.press("slash", *"warning", "enter")
        await until(lambda: len(shown(screen)) == 1)
        assert "broker 2" in shown(screen)[0]
        await pilot.press("slash", *"zzz", "enter")
        await until_shown(app, "No record matches /zzz. Esc clears the filter.")
        await pilot.press("escape")
        await until(lambda: len(shown(screen)) == 7)
        await pilot.press("l")
        await until(lambda: len(shown(screen)) == 4)
        await until_shown(app, "warnings and errors only")
        engine.kept.write([(T0, LogLevel.INFO, "quiet"), (T0, LogLevel.WARNING, "loud")])
        screen.do_refresh_now()
        await until(lambda: shown(screen)[0] == "loud")
        assert "quiet" not in shown(screen)
        await pilot.press("l")
        await until(lambda: len(shown(screen)) == 3)
        assert "written past the log" not in screen_text(app)
        await pilot.press("l")
        await until(lambda: len(shown(screen)) == 9)


async def test_older_records_come_as_one_scrolls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "CHUNK", 100)
    engine = ScriptedEngine([make_flow()])
    many(engine, range(1_000))
    async with console(engine) as (app, pilot):
        screen = await open_log(app, pilot)
        assert len(shown(screen)) == 100
        await until_shown(app, "older: scroll down")
        await pilot.press("G")
        await until(lambda: len(shown(screen)) >= 200)
        await until_shown(app, "newer above (g)")
        assert shown(screen) == [f"number {n}" for n in range(999, 999 - len(shown(screen)), -1)]
        many(engine, range(1_000, 1_010))
        row = screen.shown.table.current
        screen.do_refresh_now()
        await until(lambda: shown(screen)[0] == "number 1009")
        assert screen.shown.table.current is row, "what one reads stays where it is"
        while len(shown(screen)) < 1_010:
            before = len(shown(screen))
            await pilot.press("G")
            await until(lambda before=before: len(shown(screen)) > before)  # type: ignore[misc]
        assert shown(screen)[-1] == "number 0"
        await until_gone(app, "older: scroll down")
        await pilot.press("g")
        await until_gone(app, "newer above (g)")


async def test_a_filter_looks_further_back_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "CHUNK", 50)
    engine = ScriptedEngine([make_flow()])
    engine.kept.write([(T0, LogLevel.ERROR, "the first fault")])
    many(engine, range(400))
    async with console(engine) as (app, pilot):
        screen = await open_log(app, pilot)
        await pilot.press("slash", *"fault", "enter")
        await until(lambda: shown(screen) == ["the first fault"])
        await pilot.press("escape", "l", "l")
        await until(lambda: shown(screen) == ["the first fault"])


async def test_it_survives_that_the_file_is_emptied() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        screen = await open_log(app, pilot)
        engine.kept.empty()
        engine.kept.write([(T0, LogLevel.INFO, "a new beginning")])
        screen.do_refresh_now()
        await until(lambda: shown(screen) == ["a new beginning"])
        await until_shown(app, "begun anew")


async def test_it_is_copied_and_exported(tmp_path: Path) -> None:
    engine = small_engine()
    async with console(engine, (120, 40)) as (app, pilot):
        screen = await open_log(app, pilot)
        await pilot.press("down", "c")
        await until_told(app, "Z WARNING dr: bro")
        await pilot.press("y")
        await until_told(app, "Sent to the terminal (OSC 52): {")
        await pilot.press("l", "x")
        await until_shown(app, "Export 4 rows")
        path = tmp_path / "log.json"
        app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await until(path.exists)
        await until_told(app, "4 rows written")
        found = json.loads(path.read_text())
        assert [each["level"] for each in found] == ["warning", "error", "stderr", "error"]
        assert found[1]["text"].splitlines()[-1] == "KeyError: 'orders'"
        assert screen.is_current


async def test_there_is_nothing_in_the_log() -> None:
    async with console(ScriptedEngine([make_flow()])) as (app, pilot):
        await open_log(app, pilot)
        await until_shown(app, "There is nothing in the log")


async def test_there_is_no_log() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        engine.command_error = engine.error = RefusedError(
            "reading", "the log", "this engine writes none", "See ccr info"
        )
        await pilot.press("8")
        await until_shown(app, "No data: Reading the log: this engine writes none. See ccr info")


async def test_what_cannot_be_asked_any_more_stays_with_its_age() -> None:
    engine = small_engine()
    async with console(engine, (120, 40)) as (app, pilot):
        screen = await open_log(app, pilot)
        engine.error = ConnectError("asking", "the engine", "it is gone")
        screen.do_refresh_now()
        await until_shown(app, "What you see is")
        assert len(shown(screen)) == 7


async def test_no_more_than_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "CHUNK", 10)
    monkeypatch.setattr(log_tail, "KEPT", 25)
    engine, tail = ScriptedEngine(), LogTail()
    many(engine, range(100))
    for _ in range(5):
        await tail.read(engine, back=True)
    assert [row.record.text for row in tail.rows] == [f"number {n}" for n in range(75, 100)]
    assert tail.older
    assert not tail.may_grow_back
    many(engine, range(100, 130))
    await tail.read(engine, back=True)
    assert [row.record.text for row in tail.rows] == [f"number {n}" for n in range(105, 130)]
    came, went = tail.take()
    assert {row.record.place for row in tail.rows} == {r.record.place for r in came} - set(went)
    many(engine, range(130, 230))
    await tail.read(engine, back=False)
    assert [row.record.text for row in tail.rows] == [f"number {n}" for n in range(220, 230)]
    assert not tail.lost


def test_a_record_is_copied_as_the_file_has_it() -> None:
    record = LogRecord("a:1", 1e9 + 0.25, LogLevel.ERROR, "it failed\nTraceback")
    assert as_written(record) == "2001-09-09T01:46:40.250Z ERROR   it failed\nTraceback"
    assert as_written(LogRecord("a:1", None, LogLevel.STDERR, "Fatal")) == "Fatal"
