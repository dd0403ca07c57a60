"""Going about: by key, back to what one came by, and everything as it was."""

from __future__ import annotations

import pytest

from ccr_tui import navigation
from ccr_tui.screens.lag.screen import LagScreen
from ccr_tui.screens.overview.screen import OverviewScreen
from ccr_tui.settings.loader import Settings
from ccr_tui.settings.model import ConsoleSettings
from tests.tui.driving import console, lag, screen_lines, settle, until, until_gone, until_shown
from tests.tui.scripted import ScriptedEngine, make_flow, make_partition, small_engine


async def test_digits_go_to_places_and_back() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("2")
        await until_shown(app, "orders.eu")
        assert lag(app).flow_name == "primary-to-dr"
        await pilot.press("1")
        await until(lambda: isinstance(app.screen, OverviewScreen))
        assert app.way == ("Overview",)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, OverviewScreen), "Esc never quits"


async def test_a_screen_that_was_left_is_as_it_was() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("2", "v")
        await until_shown(app, "1 of 6 partitions")
        first = lag(app)
        await pilot.press("slash", *"orders", "enter")
        await until_gone(app, "payments")
        await pilot.press("s", "down")
        await until(lambda: first.table.current is not None)
        row, order = first.table.current, first.table.book.order
        await pilot.press("1")
        await until(lambda: app.bridge.watched is None)
        await pilot.press("2")
        await until(lambda: isinstance(app.screen, LagScreen) and app.bridge.watched)
        await until_shown(app, "orders.us")
        assert lag(app) is first
        assert (first.table.current, first.table.book.order) == (row, order)
        assert not any("payments" in line for line in screen_lines(app))


async def test_the_places_are_listed_for_who_does_not_know_the_digits() -> None:
    async with console(small_engine()) as (app, pilot):
        assert "m Places" in screen_lines(app)[-1]
        await pilot.press("m")
        await until_shown(app, "4  Loss")
        await pilot.press("escape")
        await until_gone(app, "4  Loss")
        await pilot.press("m", "down", "j", "enter")
        await until(lambda: app.way == ("Overview", "Groups primary-to-dr"))


async def test_places_without_a_digit_are_in_the_list_too() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("m")
        await until_shown(app, "Add a cluster")
        await pilot.press("end", "enter")
        await until(lambda: app.way[-1] == "Add a cluster")
        await settle(pilot)
        await pilot.press("escape")
        await until(lambda: app.way == ("Overview",))
        await pilot.press("5")
        await until_shown(app, "All 2 clusters are reached")
        await pilot.press("colon", *"go.cluster", "enter")
        await until(lambda: app.way[-1].startswith("Cluster "))


async def test_the_same_of_another_flow() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("2")
        await until_shown(app, "orders.eu")
        await pilot.press("]")
        await until(lambda: app.way == ("Overview", "Lag dr-to-primary"))
        await settle(pilot)
        await pilot.press("]")
        await until(lambda: app.way == ("Overview", "Lag primary-to-dr"))
        await settle(pilot)
        await pilot.press("[")
        await until(lambda: app.way == ("Overview", "Lag dr-to-primary"))


async def test_the_way_is_told_where_there_is_room() -> None:
    async with console(small_engine(), (120, 40)) as (app, pilot):
        await pilot.press("2")
        await until_shown(app, "Overview » Lag primary-to-dr")
        await pilot.resize_terminal(80, 24)
        await until_gone(app, "Overview »")


async def test_the_way_can_be_left_out() -> None:
    settings = Settings(ConsoleSettings(breadcrumbs=False))
    async with console(small_engine(), (120, 40), settings=settings) as (app, pilot):
        await pilot.press("2")
        await until_shown(app, "orders.eu")
        assert app.way == ("Overview", "Lag primary-to-dr")
        assert "Overview" not in screen_lines(app)[0]
        assert "orders.yaml" in screen_lines(app)[0]


async def test_only_so_many_screens_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(navigation, "KEPT", 2)
    names = [f"flow-{number}" for number in range(4)]
    partitions = [make_partition("orders", 0, flow=name) for name in names]
    engine = ScriptedEngine([make_flow(name) for name in names], partitions)
    async with console(engine) as (app, pilot):
        seen = []
        for name in names:
            app.go("lag", name)
            await until(lambda: isinstance(app.screen, LagScreen))
            await settle(pilot)
            seen.append(lag(app))
            await pilot.press("1")
            await until(lambda: isinstance(app.screen, OverviewScreen))
        await until(lambda: not seen[0].is_running)
        app.go("lag", names[3])
        await until(lambda: app.screen is seen[3])
        app.go("lag", names[0])
        await until(lambda: isinstance(app.screen, LagScreen) and app.screen is not seen[3])
        assert lag(app) is not seen[0]
        assert app.way == ("Overview", "Lag flow-3", "Lag flow-0")
