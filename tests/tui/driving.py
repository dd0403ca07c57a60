"""What the Pilot tests share: an app on a scripted engine, waiting, reading the screen."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from textual import events
from textual.app import App
from textual.keys import _character_to_key
from textual.pilot import Pilot

from ccr_tui.app import CcrApp
from ccr_tui.pace import Pace
from ccr_tui.screens.lag.screen import LagScreen
from ccr_tui.screens.overview.screen import OverviewScreen
from ccr_tui.state import ConsoleMode
from ccr_tui.symbols import UNICODE, Symbols
from tests.tui.scripted import ScriptedEngine


def make_app(
    engine: ScriptedEngine,
    *,
    mode: ConsoleMode = ConsoleMode.EMBEDDED,
    theme: str | None = "ccr-dark",
    symbols: Symbols = UNICODE,
    **options: Any,
) -> CcrApp:
    """Make the console ask often, so that tests are quick."""
    return CcrApp(
        engine,
        mode=mode,
        config_name="orders.yaml",
        theme=theme,
        symbols=symbols,
        pace=Pace(fastest=0.05, slowest=0.1),
        **options,
    )


@contextlib.asynccontextmanager
async def console(
    engine: ScriptedEngine, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[tuple[CcrApp, Pilot[None]]]:
    """Open the console and wait for the first answer."""
    app = make_app(engine, **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        if engine.error is None:
            await until(lambda: app.state.snapshot is not None)
        await settle(pilot)
        yield app, pilot


async def until(condition: Callable[[], object], within: float = 60.0) -> None:
    """Wait for a condition; fail with its source place when it never comes true."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition never came true")
        await asyncio.sleep(0.01)


async def type_ahead(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys as fast as a terminal may hand them over, and wait only after the last.

    `pilot.press` waits for every widget of the screen after each key, which nobody who types does.
    """
    driver = pilot.app._driver
    assert driver is not None
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        event = events.Key(name, key if len(key) == 1 else None)
        event.set_sender(pilot.app)
        driver.send_message(event)
    await settle(pilot)


async def settle(pilot: Pilot[None]) -> None:
    """Wait until what was posted is handled and drawn."""
    await pilot.pause()
    await pilot.pause()


def screen_lines(app: App[Any]) -> list[str]:
    """Return what is on the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def screen_text(app: App[Any]) -> str:
    """Return what is on the screen."""
    return "\n".join(screen_lines(app))


async def until_shown(app: App[Any], text: str) -> None:
    """Wait until the screen says something."""
    try:
        await until(lambda: text in screen_text(app))
    except AssertionError:
        raise AssertionError(f"{text!r} was never on the screen:\n{screen_text(app)}") from None


async def until_told(app: App[Any], text: str) -> None:
    """Wait until a toast says something."""
    told = app._notifications
    try:
        await until(lambda: any(text in toast.message for toast in told))
    except AssertionError:
        messages = [toast.message for toast in told]
        raise AssertionError(f"{text!r} was never told, only {messages}") from None


async def until_gone(app: App[Any], text: str) -> None:
    """Wait until the screen no longer says something."""
    try:
        await until(lambda: text not in screen_text(app))
    except AssertionError:
        raise AssertionError(f"{text!r} stayed on the screen:\n{screen_text(app)}") from None


def overview(app: CcrApp) -> OverviewScreen:
    """Return the overview in front."""
    assert isinstance(app.screen, OverviewScreen), app.screen
    return app.screen


def lag(app: CcrApp) -> LagScreen:
    """Return the lag screen in front."""
    assert isinstance(app.screen, LagScreen), app.screen
    return app.screen


async def open_topics(app: CcrApp, pilot: Pilot[None]) -> LagScreen:
    """Go from the overview to the topics of its first flow."""
    await pilot.press("enter")
    await until(lambda: isinstance(app.screen, LagScreen) and app.screen.table.book.rows)
    await settle(pilot)
    return lag(app)


async def open_lag(app: CcrApp, pilot: Pilot[None]) -> LagScreen:
    """Go from the overview to all partitions of its first flow."""
    await open_topics(app, pilot)
    await pilot.press("v")
    await settle(pilot)
    return lag(app)
