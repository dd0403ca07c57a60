"""Events: newest first, found, read in full, and the way to what they are about."""

from __future__ import annotations

from ccr_tui.screens.events.screen import EventsScreen
from ccr_tui.screens.lag.screen import LagScreen
from engine.api.snapshots import Event, Severity
from engine.errors import ConnectError
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
