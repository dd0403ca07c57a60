"""Keys of the listings: loss and groups."""

from __future__ import annotations

from ccr_tui.screens.listing import ListingScreen
from tests.tui.driving import console, until
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
