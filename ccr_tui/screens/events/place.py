"""What happened and who did what, and what can be done there."""

from __future__ import annotations

from ccr_tui.actions import Scope
from ccr_tui.places import Place, listing_actions

SCOPE = Scope("Events")

PLACE = Place(
    "events",
    "Events",
    SCOPE,
    listing_actions("events", SCOPE, "Go to the flow that the event is about"),
    "ccr_tui.screens.events.screen:EventsScreen",
    key="7",
)
