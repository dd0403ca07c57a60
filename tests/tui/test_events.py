"""Events: newest first, found, read in full, and the way to what they are about."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ccr_tui.screens.events import reach
from ccr_tui.screens.events.screen import EventsScreen
from ccr_tui.screens.lag.screen import LagScreen
from ccr_tui.state import EventRow
from engine.api.snapshots import Event, Severity
from engine.errors import CcrError, ConnectError
from tests.tui.driving import console, screen_text, until, until_gone, until_shown
from tests.tui.scripted import T0, ScriptedEngine, make_flow, small_engine


def shown(screen: EventsScreen) -> list[int]:
    book = screen.events.table.book
    return [book.rows[key].event.id for key in book.shown]


async def test_events_are_found_read_and_followed() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await pilot.press("7")
        await until_shown(app, "3 events: 1 error, 1 warning, newest first")
        screen = app.screen
        assert isinstance(screen, EventsScreen)
        assert shown(screen) == [3, 2, 1]
        engine.happen(Event(4, T0 + 1, Severity.INFO, "primary-to-dr", "alice: flows.pause: done"))
        await until(lambda: shown(screen) == [4, 3, 2, 1])
        await pilot.press("slash", *"error", "enter")
        await until(lambda: shown(screen) == [2])
        await until_shown(app, "Raise max.message.bytes of orders.eu on dr")
        assert "RECORD_TOO_LARGE" in screen.text_to_copy()
        await pilot.press("i")
        await until_shown(app, "Esc closes")
        await pilot.press("escape")
        await until_gone(app, "Esc closes")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, LagScreen))
        assert app.way == ("Overview", "Events", "Lag primary-to-dr")
        await pilot.press("escape")
        await until(lambda: app.screen is screen)
        await pilot.press("escape")
        await until(lambda: shown(screen) == [4, 3, 2, 1])
        await pilot.press("s", "s")
        await until(lambda: screen.events.table.book.order.column == "severity")
        await until(lambda: shown(screen)[0] == 2)
        await pilot.press("S")
        await until(lambda: shown(screen)[-1] == 2)
        await pilot.press("slash", *"nothing like it", "enter")
        await until_shown(app, "No event matches /nothing like it. Esc clears the filter.")
        await pilot.press("escape", "escape")
        await until(lambda: app.way == ("Overview",))


async def test_an_event_about_no_flow_is_shown_in_full() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("7", "enter")
        await until_shown(app, "Esc closes")
        assert "broker 2 does not answer" in screen_text(app)


async def test_no_events() -> None:
    async with console(ScriptedEngine([make_flow()])) as (app, pilot):
        await pilot.press("7")
        await until_shown(app, "Nothing has happened yet.")


async def test_no_engine() -> None:
    engine = ScriptedEngine()
    engine.error = ConnectError("asking", "the engine", "it is gone")
    async with console(engine) as (app, pilot):
        await until_shown(app, "ENGINE LOST")
        await pilot.press("7")
        await until_shown(app, "No data: Asking the engine: it is gone")


def happened(numbers: range) -> list[Event]:
    return [Event(n, T0 + n, Severity.INFO, "primary-to-dr", f"number {n}") for n in numbers]


async def test_what_left_the_memory_comes_as_one_scrolls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "CHUNK", 100)
    engine = ScriptedEngine([make_flow()], events=happened(range(901, 1_001)))
    engine.kept.past = happened(range(1, 1_001))
    async with console(engine) as (app, pilot):
        await pilot.press("7")
        await until_shown(app, "100 events, newest first")
        await until_shown(app, "older: scroll down")
        screen = app.screen
        assert isinstance(screen, EventsScreen)
        await pilot.press("G")
        await until(lambda: len(shown(screen)) == 200)
        row = screen.events.table.current
        engine.happen(happened(range(1_001, 1_002))[0])
        await until(lambda: shown(screen)[0] == 1_001)
        assert screen.events.table.current is row
        while len(shown(screen)) < 1_001:
            before = len(shown(screen))
            await pilot.press("G")
            await until(lambda before=before: len(shown(screen)) > before)  # type: ignore[misc]
        assert shown(screen) == list(range(1_001, 0, -1))
        await until_gone(app, "older: scroll down")
        await pilot.press("slash", *"number 3", "enter")
        await until(lambda: shown(screen)[-1] == 3)


async def test_older_events_that_cannot_be_read_say_why() -> None:
    engine = ScriptedEngine([make_flow()], events=happened(range(50, 53)))
    engine.kept.past = happened(range(1, 53))
    engine.kept.error = CcrError("reading", "events.jsonl", "Permission denied", "Mend its mode")
    async with console(engine, (120, 40)) as (app, pilot):
        await pilot.press("7")
        await until_shown(app, "older: Reading events.jsonl: Permission denied")
        screen = app.screen
        assert isinstance(screen, EventsScreen)
        assert shown(screen) == [52, 51, 50]
        engine.kept.error = None
        await pilot.press("f5")
        await until(lambda: shown(screen) == list(range(52, 0, -1)))
        await until_gone(app, "older:")


async def test_an_engine_that_starts_again_tells_nothing_twice() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await pilot.press("7")
        await until_shown(app, "3 events")
        engine.current = replace(engine.current, engine_id="e-2")
        engine.happen(Event(4, T0 + 1, Severity.INFO, "primary-to-dr", "claimed"))
        screen = app.screen
        assert isinstance(screen, EventsScreen)
        await until(lambda: shown(screen) == [4, 3, 2, 1])
        assert [row.event.id for row in app.state.events] == [1, 2, 3, 4]


async def test_there_is_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "CHUNK", 10)
    monkeypatch.setattr(reach, "KEPT", 40)
    engine, found = ScriptedEngine(), reach.Reach()
    engine.kept.past = happened(range(1, 101))
    shared = [EventRow("e-1", event) for event in happened(range(1, 101))]

    def ids() -> list[int]:
        return [row.event.id for row in found.rows]

    assert not found.may_grow_back
    assert found.follow(shared[40:60])
    assert not found.follow(shared[41:60])
    await found.go_back(engine)
    assert found.follow(shared[50:65])
    assert ids() == list(range(31, 66)), "what is no longer shared stays"
    assert found.follow(shared[80:90])
    assert ids() == list(range(81, 91)), "begun anew behind a gap"
    await found.go_back(engine)
    assert ids() == list(range(71, 91))
    for _ in range(2):
        await found.go_back(engine)
    assert ids() == list(range(51, 91))
    assert not found.may_grow_back
    assert found.follow(shared[85:95])
    assert ids() == list(range(56, 96))
    assert found.follow(shared[10:20])
    going_back = asyncio.create_task(found.go_back(engine))
    await asyncio.sleep(0)
    assert found.follow(shared[30:40])
    await going_back
    assert ids() == list(range(31, 41)), "what was asked for before the gap is left out"
