"""The form for a cluster, and what can be done there."""

from __future__ import annotations

from ccr_tui import reasons
from ccr_tui.actions import Action, Scope
from ccr_tui.places import Place

SCOPE = Scope("Cluster form")

_ACTIONS = (
    Action(
        "cluster.leave",
        "Back; asks when something would be lost",
        SCOPE,
        ("escape",),
        "Back",
        5,
        footer_keep=90,
        method="leave",
        in_inputs=True,
    ),
    Action(
        "cluster.save",
        "Show what saving changes, then save the cluster",
        SCOPE,
        ("f2", "ctrl+s"),
        "Save",
        10,
        footer_keep=85,
        method="save",
        in_inputs=True,
        why_disabled=reasons.cannot_write,
    ),
    Action(
        "cluster.try",
        "Test the connection as the form has it",
        SCOPE,
        ("f4", "ctrl+t"),
        "Test connection",
        15,
        footer_keep=80,
        method="test",
        in_inputs=True,
        why_disabled=reasons.cannot_ask,
    ),
)

PLACE = Place(
    "cluster_form",
    "Add a cluster",
    SCOPE,
    _ACTIONS,
    "ccr_tui.screens.cluster_form.screen:ClusterFormScreen",
    subject=lambda context: "",
    kept=False,
)
