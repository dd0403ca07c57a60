"""The list of clusters, and what can be done there."""

from __future__ import annotations

from ccr_tui import reasons
from ccr_tui.actions import Action, Scope
from ccr_tui.places import Place, listing_actions

SCOPE = Scope("Clusters")

_ACTIONS = (
    *listing_actions("clusters", SCOPE, "Show the cluster's brokers, topics, groups and quotas"),
    Action(
        "clusters.test",
        "Test the connection to the cluster, step by step",
        SCOPE,
        ("T",),
        "Test",
        12,
        footer_keep=82,
        method="test",
        why_disabled=reasons.cannot_ask_cluster,
    ),
    Action(
        "clusters.give_secret",
        "Give the engine a secret of the cluster, for its memory only",
        SCOPE,
        ("K",),
        "Give secret",
        16,
        footer_keep=86,
        footer_only_enabled=True,
        method="give_secret",
        why_disabled=reasons.cannot_give_secret,
    ),
    Action(
        "clusters.edit",
        "Edit the cluster",
        SCOPE,
        ("e",),
        "Edit",
        30,
        footer_keep=66,
        method="edit",
        why_disabled=reasons.no_cluster,
    ),
    Action("clusters.add", "Add a cluster", SCOPE, ("a",), "Add", 31, 67, method="add"),
    Action(
        "clusters.remove",
        "Remove the cluster from the configuration",
        SCOPE,
        ("D",),
        method="remove",
        dangerous=True,
        why_disabled=reasons.cannot_remove_cluster,
    ),
)

PLACE = Place(
    "clusters",
    "Clusters",
    SCOPE,
    _ACTIONS,
    "ccr_tui.screens.clusters.screen:ClustersScreen",
    key="5",
)
