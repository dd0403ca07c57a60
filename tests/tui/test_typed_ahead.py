"""Keys that come faster than screens open: over a slow link, or from who knows the way."""

from __future__ import annotations

import pytest

from ccr_tui.screens.cluster_form.screen import ClusterFormScreen
from ccr_tui.screens.lag.screen import LagScreen
from ccr_tui.screens.welcome.app import WelcomeApp
from ccr_tui.screens.welcome.files import OpenScreen
from ccr_tui.symbols import UNICODE
from tests.tui.driving import console, lag, screen_text, type_ahead, until, until_shown
from tests.tui.scripted import small_engine


async def test_a_key_right_after_a_place_is_for_the_place() -> None:
    async with console(small_engine()) as (app, pilot):
        await type_ahead(pilot, "2", "v")
        await until_shown(app, "1 of 6 partitions")


async def test_a_filter_typed_right_after_a_place_is_whole() -> None:
    async with console(small_engine()) as (app, pilot):
        await type_ahead(pilot, "2", "v", "slash", *"orders", "enter")
        await until_shown(app, "1 of 4 in 6 /orders")
        assert isinstance(app.screen, LagScreen)


async def test_text_typed_right_after_a_form_is_in_its_field() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("5")
        await until_shown(app, "All 2 clusters are reached")
        await type_ahead(pilot, "a", *"quebec", "tab", *"p-1:9092")
        await until(lambda: isinstance(app.screen, ClusterFormScreen), within=8)
        form = app.screen
        assert isinstance(form, ClusterFormScreen)
        await until(lambda: form.name_row.text == "quebec", within=8)
        assert form.book["bootstrap_servers"].text == "p-1:9092"


@pytest.mark.parametrize("opens", ["question_mark", "m", "i"])
async def test_a_dialog_is_closed_by_the_next_key(opens: str) -> None:
    async with console(small_engine()) as (app, pilot):
        await type_ahead(pilot, opens, "escape", "2")
        await until(lambda: isinstance(app.screen, LagScreen), within=8)
        assert app.way == ("Overview", "Lag primary-to-dr")
        assert lag(app).flow_name == "primary-to-dr"


async def test_in_the_welcome_too() -> None:
    app = WelcomeApp("There is no configuration.", theme="ccr-dark", symbols=UNICODE)
    async with app.run_test(size=(80, 24)) as pilot:
        await type_ahead(pilot, "4", *"./orders.yaml")
        await until(lambda: isinstance(app.screen, OpenScreen), within=8)
        await until(lambda: "./orders.yaml" in screen_text(app), within=8)
