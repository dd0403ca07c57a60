"""Consumer groups on both sides of a flow, and what can be done there."""

from __future__ import annotations

from ccr_tui.actions import Scope
from ccr_tui.places import Place, flow_in_sight, listing_actions

SCOPE = Scope("Groups")

PLACE = Place(
    "groups",
    "Groups",
    SCOPE,
    listing_actions("groups", SCOPE, "Show the group's partitions"),
    "ccr_tui.screens.groups.screen:GroupsScreen",
    key="3",
    subject=flow_in_sight,
    about="flow",
)
