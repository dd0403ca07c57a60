"""Keys of the listings: loss and groups."""

from __future__ import annotations

from ccr_tui.screens.listing import ListingScreen
from tests.tui.driving import console, screen_text, until
from tests.tui.scripted import small_engine


async def test_loss_is_sorted_turned_and_filtered() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("4")
        await until(
            lambda: isinstance(app.screen, ListingScreen) and app.screen.shown.table.current
        )
        assert isinstance(app.screen, ListingScreen)
        shown = app.screen.shown
        book = shown.table.book
        first = book.order
        await pilot.press("s")
        await until(lambda: book.order.column != first.column)
        second = book.order
        await pilot.press("S")
        await until(lambda: book.order != second and book.order.column == second.column)
        await pilot.press("slash", *"no-such", "enter")
        await until(lambda: shown.filter is not None and shown.table.current is None)


async def test_a_group_in_full() -> None:
    async with console(small_engine(), (80, 24)) as (app, pilot):
        await pilot.press("3")
        await until(
            lambda: isinstance(app.screen, ListingScreen) and app.screen.shown.table.current
        )
        name = app.screen.shown.table.current_name  # type: ignore[attr-defined]
        before = app.screen
        await pilot.press("i")
        await until(lambda: app.screen is not before)
        assert name in screen_text(app)
