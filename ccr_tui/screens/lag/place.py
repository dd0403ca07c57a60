"""The lag of a flow, and what can be done there."""

from __future__ import annotations

from ccr_tui import commands, reasons
from ccr_tui.actions import Action, Scope, Tier
from ccr_tui.places import Place, flow_in_sight

SCOPE = Scope("Lag")

_ACTIONS = (
    Action(
        "lag.back",
        "Clear the filter, then back",
        SCOPE,
        ("escape",),
        "Back",
        5,
        footer_keep=90,
        method="back",
    ),
    Action(
        "partition.open",
        "Show the partition in full",
        SCOPE,
        ("enter", "i"),
        "Details",
        20,
        footer_keep=35,
        method="open",
    ),
    Action(
        "filter.edit",
        "Filter the partitions",
        SCOPE,
        ("slash",),
        "Filter",
        24,
        footer_keep=70,
        method="filter",
    ),
    Action(
        "sort.next",
        "Sort by the next column",
        SCOPE,
        ("s",),
        "Sort",
        26,
        footer_keep=65,
        method="sort_next",
    ),
    Action("sort.reverse", "Reverse the order", SCOPE, ("S",), method="sort_reverse"),
    Action("sort.state", "Sort by state, worst first", SCOPE, method="sort_by", argument="state"),
    Action("sort.lag", "Sort by lag in records", SCOPE, method="sort_by", argument="lag"),
    Action("sort.behind", "Sort by lag in seconds", SCOPE, method="sort_by", argument="behind"),
    Action("sort.records", "Sort by records a second", SCOPE, method="sort_by", argument="records"),
    Action("sort.bytes", "Sort by bytes a second", SCOPE, method="sort_by", argument="bytes"),
    Action("sort.topic", "Sort by topic", SCOPE, method="sort_by", argument="topic"),
    Action(
        "partition.retry",
        "Retry the stopped partition",
        SCOPE,
        ("r",),
        "Retry",
        28,
        footer_keep=75,
        call=commands.retry_partition,
        ask=commands.ask_retry_partition,
        why_disabled=reasons.cannot_retry_partition,
    ),
    Action(
        "partition.accept",
        "Accept what the partition stopped for, and go on",
        SCOPE,
        ("A",),
        "Accept",
        29,
        footer_keep=90,
        footer_only_enabled=True,
        call=commands.accept_partition,
        ask=commands.ask_accept_partition,
        why_disabled=reasons.cannot_accept_partition,
        tier=Tier.ASK,
        dangerous=True,
    ),
)

PLACE = Place(
    "lag",
    "Lag",
    SCOPE,
    _ACTIONS,
    "ccr_tui.screens.lag.screen:LagScreen",
    key="2",
    subject=flow_in_sight,
    needs="a flow",
)
