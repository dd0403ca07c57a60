"""What would be lost now, and what can be done there."""

from __future__ import annotations

from ccr_tui.actions import Action, Scope
from ccr_tui.places import Place, flow_in_sight, listing_actions

SCOPE = Scope("Loss")

_HOUR = Action(
    "loss.hour",
    "Plot the last hour: of the flow, of the topic, none",
    SCOPE,
    ("h",),
    "Hour",
    27,
    footer_keep=64,
    method="hour",
)

PLACE = Place(
    "loss",
    "Loss",
    SCOPE,
    (*listing_actions("loss", SCOPE, "Show the topic's partitions"), _HOUR),
    "ccr_tui.screens.loss.screen:LossScreen",
    key="4",
    subject=flow_in_sight,
    about="flow",
)
