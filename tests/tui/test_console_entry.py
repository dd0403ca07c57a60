"""`ccr_tui.cli.console`: whose engine the console gets, and gets again; how it ends."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ccr_tui.app import CcrApp
from ccr_tui.cli import console
from ccr_tui.state import ConsoleMode
from engine.errors import ConnectError
from engine.service.client import EngineGoneError, EngineHangsError
from tests.tui.driving import console as open_app
from tests.tui.driving import make_app, screen_text, until_gone, until_shown
from tests.tui.scripted import small_engine

GONE = EngineGoneError("asking", "the engine", "no engine answers there")
HANGS = EngineHangsError("asking", "the engine", "it does not answer")


class Attaching:
    """Stands for `attach_or_spawn`: hands out engines in turn and remembers which were let go."""

    def __init__(self, *modes: str) -> None:
        self.modes = list(modes)
        self.given: list[SimpleNamespace] = []
        self.let_go: list[SimpleNamespace] = []

    @contextlib.asynccontextmanager
    async def __call__(self, config: Path, *, read_only: bool) -> AsyncIterator[SimpleNamespace]:
        if not self.modes:
            raise ConnectError("starting", "an engine", "it ended with exit code 1", "See the log.")
        attached = SimpleNamespace(api=small_engine(), mode=self.modes.pop(0))
        self.given.append(attached)
        try:
            yield attached
        finally:
            self.let_go.append(attached)


@pytest.fixture
def attaching(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Attaching:
    fake = Attaching(*request.param)
    monkeypatch.setattr(console, "attach_or_spawn", fake)
    return fake


@pytest.mark.parametrize("attaching", [("embedded", "embedded")], indirect=True)
async def test_an_embedded_engine_that_ended_is_replaced(attaching: Attaching) -> None:
    async with console.EngineDoor(Path("x.yaml"), read_only=False) as door:
        first = attaching.given[0]
        assert (door.api, door.mode) == (first.api, ConsoleMode.EMBEDDED)
        api, mode = await door.reopen(GONE)
        assert attaching.let_go == [first]
        assert (api, mode) == (attaching.given[1].api, ConsoleMode.EMBEDDED)
    assert attaching.let_go == attaching.given


@pytest.mark.parametrize("attaching", [("embedded", "attached")], indirect=True)
async def test_a_service_that_was_started_meanwhile_is_attached_to(attaching: Attaching) -> None:
    async with console.EngineDoor(Path("x.yaml"), read_only=False) as door:
        _, mode = await door.reopen(GONE)
        assert mode is ConsoleMode.ATTACHED
        assert not door.embedded


@pytest.mark.parametrize("attaching", [("embedded",)], indirect=True)
async def test_an_engine_that_hangs_is_waited_for(attaching: Attaching) -> None:
    async with console.EngineDoor(Path("x.yaml"), read_only=False) as door:
        api, _ = await door.reopen(HANGS)
        assert api is attaching.given[0].api
        assert attaching.let_go == []


@pytest.mark.parametrize("attaching", [("attached",)], indirect=True)
async def test_a_service_that_was_stopped_is_not_replaced(attaching: Attaching) -> None:
    async with console.EngineDoor(Path("x.yaml"), read_only=False) as door:
        api, mode = await door.reopen(GONE)
        assert (api, mode) == (attaching.given[0].api, ConsoleMode.ATTACHED)


@pytest.mark.parametrize("attaching", [("embedded",)], indirect=True)
async def test_an_engine_that_cannot_be_started_again_says_why(attaching: Attaching) -> None:
    async with console.EngineDoor(Path("x.yaml"), read_only=False) as door:
        for _ in range(2):
            with pytest.raises(ConnectError, match="exit code 1"):
                await door.reopen(GONE)


class Faulty(CcrApp):
    """Fails at a key."""

    def do_refresh_now(self) -> None:
        password = "hunter2"
        raise ZeroDivisionError(f"{len(password)}")


async def test_a_fault_ends_the_console_without_showing_values() -> None:
    app = Faulty(small_engine(), mode=ConsoleMode.ATTACHED, config_name="orders.yaml")
    with contextlib.suppress(ZeroDivisionError):  # the Pilot raises it as well
        async with app.run_test() as pilot:
            await pilot.press("f5")
            await pilot.pause()
    assert isinstance(app.crash, ZeroDivisionError)
    assert app._exit_renderables == []


async def test_hints_are_shown_where_there_is_room() -> None:
    hints = ("p pauses the flow and its lag grows.", "kill -STOP 4711 freezes west.")
    async with open_app(small_engine(), hints=hints) as (app, pilot):
        await until_shown(app, "─ Try ─")
        for hint in hints:
            assert f"▸ {hint}" in screen_text(app)
        assert "▸primary-to-dr" in screen_text(app)
        await pilot.resize_terminal(80, 12)
        await until_gone(app, "─ Try ─")
        assert "▸primary-to-dr" in screen_text(app)


async def test_without_hints_there_is_no_room_lost() -> None:
    app = make_app(small_engine())
    async with app.run_test(size=(80, 24)):
        await until_shown(app, "▸primary-to-dr")
        assert "Try" not in screen_text(app)
