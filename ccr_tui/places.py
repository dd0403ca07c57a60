"""A place: a full screen that one can go to, with what it is called and what can be done there.

A new one is a folder of `ccr_tui/screens` with a `place.py`, and a line in
`ccr_tui/screens/everywhere.py`. Its screen's module is imported when it is first opened.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ccr_tui.actions import Action, ActionContext, Scope

if TYPE_CHECKING:
    from ccr_tui.screens.base import CcrScreen


@dataclass(frozen=True, slots=True)
class Place:
    """Where one can go."""

    id: str
    title: str
    scope: Scope
    actions: tuple[Action, ...]
    screen: str
    """`module:class` of a `CcrScreen` that is made from (console, subject)."""
    key: str = ""
    subject: Callable[[ActionContext], str | None] | None = None
    """What it is about, from where one is; without it the place is about everything."""
    about: str = ""
    """What `subject` looks for: flow, cluster."""
    kept: bool = True
    """Whether its screen is as it was when one comes again; not where something is typed."""

    def screen_class(self) -> type[CcrScreen]:
        """Import the screen."""
        module, _, name = self.screen.partition(":")
        found: type[CcrScreen] = getattr(importlib.import_module(module), name)
        return found


def way_back(place: str, scope: Scope) -> Action:
    """Make the action that leaves a place."""
    return Action(
        f"{place}.back", "Back", scope, ("escape",), "Back", 5, footer_keep=90, method="back"
    )


def listing_actions(place: str, scope: Scope, opens: str) -> tuple[Action, ...]:
    """Make the actions of a screen with rows that are sorted; `opens` says what Enter shows."""
    return (
        *reading_actions(place, scope, opens),
        Action(
            f"{place}.sort",
            "Sort by the next column",
            scope,
            ("s",),
            "Sort",
            25,
            footer_keep=50,
            method="sort_next",
        ),
        Action(f"{place}.reverse", "Reverse the order", scope, ("S",), method="sort_reverse"),
    )


def reading_actions(place: str, scope: Scope, opens: str) -> tuple[Action, ...]:
    """Make the actions that every screen with rows has."""
    return (
        way_back(place, scope),
        Action(
            f"{place}.open", opens, scope, ("enter",), "Open", 10, footer_keep=80, method="open"
        ),
        Action(
            f"{place}.details",
            "Show what is under the cursor in full",
            scope,
            ("i",),
            "Details",
            15,
            footer_keep=60,
            method="details",
        ),
        Action(
            f"{place}.filter",
            "Filter the rows",
            scope,
            ("slash",),
            "Filter",
            20,
            footer_keep=70,
            method="filter",
        ),
    )


def flow_in_sight(context: ActionContext) -> str | None:
    """Choose the flow that is selected, or the first one."""
    if context.flow is not None:
        return context.flow.name
    flows = context.state.snapshot.flows if context.state.snapshot else ()
    return flows[0].name if flows else None
