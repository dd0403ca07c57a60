"""The top line: which configuration, how serious, may we write, whose engine, how old the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ccr_tui.formats import age
from ccr_tui.state import ConsoleMode, ConsoleState, Environment
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.oneline import OneLine, Piece, clip
from engine.api.snapshots import FlowSnapshot

CRUMBS_FROM = 100
"""Columns; a narrower header has no room for the way."""

_BADGES = {
    Environment.PRODUCTION: (" PRODUCTION ", "header--production"),
    Environment.STAGING: (" STAGING ", "header--staging"),
    Environment.DEVELOPMENT: ("development", ""),
}


class HeaderLine(OneLine):
    """One line at any width; the configuration's name is what gives way."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "header--name",
        "header--production",
        "header--staging",
        "header--loud",
    }

    def show_state(
        self,
        state: ConsoleState,
        now: float,
        symbols: Symbols,
        way: Sequence[str] = (),
        flow: FlowSnapshot | None = None,
    ) -> None:
        """Show the state as it is at `now`, and by which places one came where there is room.

        Whether one may write is that of the flow in sight, where there is one.
        """
        narrow = self.size.width < 76
        middle = [
            *_environment(state),
            *_access(state, flow),
            (_engine(state, symbols, narrow=narrow), ""),
        ]
        right = [_data_age(state, now), (" ", "")]
        taken = sum(len(text) for text, _ in (*middle, *right)) + len(" ccr   ")
        name = clip(state.config_name, max(4, self.size.width - taken - 1), symbols.ellipsis)
        room = self.size.width - taken - len(name) - 2
        crumbs = f" {symbols.crumb} ".join(way)
        if crumbs and self.size.width >= CRUMBS_FROM and len(crumbs) <= room:
            middle.append((f"  {crumbs}", "header--name"))
        self.show([(" ccr ", "header--name"), (f"{name}  ", ""), *middle], right)


def _environment(state: ConsoleState) -> list[Piece]:
    environment = state.environment()
    return [] if environment is None else [_BADGES[environment], ("  ", "")]


def _access(state: ConsoleState, flow: FlowSnapshot | None) -> list[Piece]:
    if state.snapshot is None:
        return []
    read_only = state.read_only or (flow is not None and state.read_only_target(flow))
    return [("RO" if read_only else "RW", "header--name"), ("  ", "")]


def _engine(state: ConsoleState, symbols: Symbols, *, narrow: bool) -> str:
    whose = "embedded" if state.mode is ConsoleMode.EMBEDDED else "attached"
    if state.failure is not None:
        condition = "no answer"
    elif state.snapshot is None:
        condition = "connecting"
    else:
        condition = "observer" if state.observer else "up"
    return (
        f"{whose} {symbols.dot} {condition}"
        if narrow
        else f"engine {whose} {symbols.dot} {condition}"
    )


def _data_age(state: ConsoleState, now: float) -> Piece:
    old = state.age(now)
    if old is None:
        return (" NO DATA ", "header--loud") if state.failure else ("no data yet", "")
    if state.stale(now):
        return f" STALE data {age(old)} old ", "header--loud"
    return f"data {age(old)} old", ""
