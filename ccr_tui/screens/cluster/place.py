"""One cluster, and what can be done there."""

from __future__ import annotations

from ccr_tui import reasons
from ccr_tui.actions import Action, ActionContext, Scope
from ccr_tui.places import Place, listing_actions

SCOPE = Scope("One cluster")


def _cluster_in_sight(context: ActionContext) -> str | None:
    return context.cluster or (context.flow.source if context.flow else None)


_ACTIONS = (
    *(
        action
        for action in listing_actions("cluster", SCOPE, "Show what is under the cursor in full")
        if action.id != "cluster.details"
    ),
    Action(
        "cluster.next",
        "Brokers, topics, groups, quotas: the next",
        SCOPE,
        ("tab",),
        "Next part",
        12,
        footer_keep=84,
        method="other_part",
        argument="1",
    ),
    Action(
        "cluster.previous",
        "The part before",
        SCOPE,
        ("shift+tab",),
        method="other_part",
        argument="-1",
    ),
    Action(
        "cluster.internal",
        "Show or hide Kafka's internal topics",
        SCOPE,
        ("I",),
        "Internal",
        30,
        footer_keep=40,
        method="internal",
    ),
    Action(
        "cluster.test",
        "Test the connection, step by step",
        SCOPE,
        ("T",),
        "Test",
        14,
        footer_keep=82,
        method="test",
        why_disabled=reasons.cannot_ask_cluster,
    ),
    Action(
        "cluster.give_secret",
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
)

PLACE = Place(
    "cluster",
    "Cluster",
    SCOPE,
    _ACTIONS,
    "ccr_tui.screens.cluster.screen:ClusterScreen",
    subject=_cluster_in_sight,
    about="cluster",
)
