"""How the screens look. After an intended change run this file with `--snapshot-update`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest
from textual.app import App
from textual.pilot import Pilot

from ccr_tui.screens.lag.screen import LagScreen
from ccr_tui.state import ConsoleMode, ConsoleState
from ccr_tui.symbols import ASCII
from engine.api.snapshots import FlowState, Reason
from engine.errors import ConnectError
from tests.tui.driving import make_app, settle, until, until_shown
from tests.tui.scripted import (
    ELSEWHERE,
    T0,
    ScriptedEngine,
    big_partitions,
    make_flow,
    make_partition,
    small_engine,
)
from tests.tui.scripted_lag import gap, overtaken


class SnapCompare(Protocol):
    def __call__(
        self,
        app: App[None],
        *,
        terminal_size: tuple[int, int],
        run_before: Callable[[Pilot[None]], Awaitable[None]],
    ) -> bool: ...


BOTH_SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


@pytest.fixture(autouse=True)
def time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ages are 0 however slow the machine is."""

    def age(self: ConsoleState, now: float) -> float | None:
        return None if self.received_at is None else 0.0

    monkeypatch.setattr(ConsoleState, "age", age)
    monkeypatch.setattr(ConsoleState, "lost_for", lambda self, now: 3.0)


def showing(*keys: str, text: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Press keys once the first answer is there, and wait for a text."""

    async def run_before(pilot: Pilot[None]) -> None:
        app = pilot.app
        await until_shown(app, "broker 2 does")  # type: ignore[arg-type]
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        if isinstance(app.screen, LagScreen):
            await until(lambda: app.screen.table.book.rows)  # type: ignore[attr-defined]
        await until_shown(app, text)  # type: ignore[arg-type]
        await settle(pilot)

    return run_before


@BOTH_SIZES
def test_overview(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = showing(text="broker 2 does not answer")
    assert snap_compare(make_app(small_engine()), terminal_size=size, run_before=run)


@BOTH_SIZES
def test_lag(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = showing("enter", text="the target refused a batch")
    assert snap_compare(make_app(small_engine()), terminal_size=size, run_before=run)


@BOTH_SIZES
@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (("v",), "in full"),
        (("h",), "the last hour"),
        (("n", "A"), "Skip 4,500 lost offsets of orders.eu/0"),
    ],
    ids=["flat", "hour", "skip"],
)
def test_lag_in_other_ways(
    snap_compare: SnapCompare, size: tuple[int, int], keys: tuple[str, ...], text: str
) -> None:
    """With a gap, and a topic that retention is about to overtake."""
    engine = small_engine()
    zebra, found = overtaken(make_partition("zebra", 7), 3600)
    engine.set_flow("primary-to-dr", overtaken=found)
    engine.change([zebra, gap(make_partition("orders.eu", 0), 990_000, 994_500)])
    run = showing("enter", *keys, text=text)
    assert snap_compare(make_app(engine), terminal_size=size, run_before=run)


@pytest.mark.parametrize("keys", [(), ("enter",), ("t",)], ids=["overview", "lag", "dialog"])
def test_no_color(
    snap_compare: SnapCompare, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    engine = small_engine(environment="production")
    if keys == ("t",):
        engine.set_flow("primary-to-dr", state=FlowState.STANDBY, owner=ELSEWHERE, owned_here=False)
    run = showing(*keys, text="Type primary-to-dr" if keys == ("t",) else "primary-to-dr")
    app = make_app(engine, theme=None)
    assert snap_compare(app, terminal_size=(80, 24), run_before=run)


def test_production_with_a_stopped_flow(snap_compare: SnapCompare) -> None:
    engine = small_engine(environment="production", read_only=True)
    reason = Reason(
        "another engine (dr-host-2, generation 13) took the flow over",
        "Look there, or take it over here (t) when that engine is gone.",
        since=T0 - 40,
        retriable=False,
    )
    engine.set_flow("dr-to-primary", state=FlowState.STOPPED, reason=reason)
    run = showing(text="took the flow over")
    app = make_app(engine, mode=ConsoleMode.ATTACHED)
    assert snap_compare(app, terminal_size=(80, 24), run_before=run)


def test_observer(snap_compare: SnapCompare) -> None:
    engine = small_engine()
    for flow in engine.current.flows:
        engine.set_flow(flow.name, state=FlowState.STANDBY, owner=ELSEWHERE, owned_here=False)
    run = showing("t", text="Take over primary-to-dr?")
    assert snap_compare(make_app(engine), terminal_size=(80, 24), run_before=run)


def test_lost_engine(snap_compare: SnapCompare) -> None:
    engine = small_engine()

    async def run_before(pilot: Pilot[None]) -> None:
        await showing(text="broker 2")(pilot)
        engine.error = ConnectError(
            "reading",
            "the engine at /run/ccr/orders.sock",
            "no engine answers",
            "Start ccr --no-ui.",
        )
        await until_shown(pilot.app, "ENGINE LOST")  # type: ignore[arg-type]
        await settle(pilot)

    assert snap_compare(make_app(engine), terminal_size=(80, 24), run_before=run_before)


def test_no_flows(snap_compare: SnapCompare) -> None:
    async def run_before(pilot: Pilot[None]) -> None:
        await until_shown(pilot.app, "No flows in orders.yaml")  # type: ignore[arg-type]
        await settle(pilot)

    assert snap_compare(make_app(ScriptedEngine()), terminal_size=(80, 24), run_before=run_before)


def test_quitting_an_embedded_engine(snap_compare: SnapCompare) -> None:
    run = showing("q", text="Quit and stop replication?")
    assert snap_compare(make_app(small_engine()), terminal_size=(80, 24), run_before=run)


@BOTH_SIZES
def test_10_000_partitions_filtered_and_sorted(
    snap_compare: SnapCompare, size: tuple[int, int]
) -> None:
    engine = ScriptedEngine([make_flow(partitions=10_000)], big_partitions(10_000))
    engine.ring = small_engine().ring
    run = showing(
        "enter", "v", "slash", *"!re:0$", "enter", "s", "j", "j", text="3 of 9,000 in 10,000"
    )
    assert snap_compare(make_app(engine), terminal_size=size, run_before=run)


def test_ascii(snap_compare: SnapCompare) -> None:
    run = showing("enter", text="the target refused a batch")
    app = make_app(small_engine(), symbols=ASCII)
    assert snap_compare(app, terminal_size=(80, 24), run_before=run)


def test_60x20(snap_compare: SnapCompare) -> None:
    run = showing("enter", text="the target refused a batch")
    assert snap_compare(make_app(small_engine()), terminal_size=(60, 20), run_before=run)


@pytest.mark.parametrize("key", ["question_mark", "ctrl+p"], ids=["help", "palette"])
def test_finding_ones_way(snap_compare: SnapCompare, key: str) -> None:
    run = showing(key, text="Open the lag of the flow")
    assert snap_compare(make_app(small_engine()), terminal_size=(80, 24), run_before=run)
