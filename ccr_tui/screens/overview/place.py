"""Where one begins, and what can be done there."""

from __future__ import annotations

from ccr_tui import reasons
from ccr_tui.actions import Action, ActionContext, Scope
from ccr_tui.places import Place

SCOPE = Scope("Overview")


def _on_event(context: ActionContext) -> bool:
    return context.event is not None


def _on_flow(context: ActionContext) -> bool:
    return context.event is None


_ACTIONS = (
    Action(
        "flow.open",
        "Open the lag of the flow",
        SCOPE,
        ("enter",),
        "Lag",
        10,
        footer_keep=60,
        method="open",
        applies=_on_flow,
        why_disabled=reasons.no_flow,
    ),
    Action(
        "event.open",
        "Show the event in full",
        SCOPE,
        ("enter",),
        "Event",
        10,
        footer_keep=60,
        method="details",
        applies=_on_event,
    ),
    Action("details", "Show it in full", SCOPE, ("i",), method="details"),
    Action(
        "flow.edit",
        "Edit the flow, with what it would take",
        SCOPE,
        ("e",),
        "Edit",
        40,
        footer_keep=38,
        method="edit_flow",
        applies=_on_flow,
        why_disabled=reasons.no_flow,
    ),
    Action("flow.add", "Add a flow", SCOPE, ("a",), method="add_flow"),
    Action(
        "flow.remove",
        "Remove the flow from the configuration",
        SCOPE,
        ("D",),
        method="remove_flow",
        dangerous=True,
        applies=_on_flow,
        why_disabled=reasons.cannot_remove_flow,
    ),
    Action(
        "focus.events",
        "Go to the events",
        SCOPE,
        ("tab", "shift+tab"),
        "Events",
        35,
        footer_keep=40,
        method="focus_events",
        applies=_on_flow,
    ),
    Action(
        "focus.flows",
        "Go to the flows",
        SCOPE,
        ("tab", "shift+tab"),
        "Flows",
        35,
        footer_keep=40,
        method="focus_flows",
        applies=_on_event,
    ),
)

PLACE = Place(
    "overview",
    "Overview",
    SCOPE,
    _ACTIONS,
    "ccr_tui.screens.overview.screen:OverviewScreen",
    key="1",
)
