"""The lag of a flow, and what can be done there."""

from __future__ import annotations

from collections.abc import Callable

from ccr_tui import commands, reasons
from ccr_tui.actions import Action, ActionContext, Scope, Tier
from ccr_tui.places import Place, flow_in_sight
from engine.api.snapshots import SkipKind

SCOPE = Scope("Lag")


def _on_topic(context: ActionContext) -> bool:
    return context.topic is not None


def _on_partition(context: ActionContext) -> bool:
    return context.topic is None


def _skips(kind: SkipKind) -> Callable[[ActionContext], bool]:
    def applies(context: ActionContext) -> bool:
        return _kind(context) is kind

    return applies


def _kind(context: ActionContext) -> SkipKind | None:
    reason = context.partition.reason if context.partition else None
    return reason.skips.kind if reason and reason.skips else None


def _nothing_skipped(context: ActionContext) -> bool:
    return _kind(context) is None


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
        "lag.open",
        "Open the topic, or show the partition in full",
        SCOPE,
        ("enter",),
        "Open",
        20,
        footer_keep=60,
        method="open",
    ),
    Action(
        "lag.details",
        "Show what is under the cursor in full",
        SCOPE,
        ("i",),
        "Details",
        21,
        footer_keep=32,
        method="details",
    ),
    Action(
        "lag.flat",
        "All partitions in one list, or by topic",
        SCOPE,
        ("v",),
        "Flat",
        23,
        footer_keep=66,
        method="flat",
    ),
    Action(
        "lag.next_stuck",
        "Go to the next stuck partition",
        SCOPE,
        ("n",),
        "Stuck",
        25,
        footer_keep=68,
        method="next_stuck",
    ),
    Action(
        "lag.previous_stuck",
        "Go to the stuck partition before",
        SCOPE,
        ("N",),
        method="previous_stuck",
    ),
    Action(
        "lag.hour",
        "Plot the last hour: of the flow, of the topic, none",
        SCOPE,
        ("h",),
        "Hour",
        27,
        footer_keep=64,
        method="hour",
    ),
    Action(
        "filter.edit",
        "Filter topics or partitions",
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
        footer_keep=62,
        method="sort_next",
    ),
    Action("sort.reverse", "Reverse the order", SCOPE, ("S",), method="sort_reverse"),
    *(
        Action(f"sort.{column}", f"Sort by {words}", SCOPE, method="sort_by", argument=column)
        for column, words in (
            ("state", "state, worst first"),
            ("lag", "lag in records"),
            ("behind", "lag in seconds"),
            ("eta", "when it is in step, latest first"),
            ("gap", "when retention overtakes, first to be first"),
            ("records", "records a second"),
            ("bytes", "bytes a second"),
            ("topic", "topic"),
        )
    ),
    Action(
        "topic.retry",
        "Retry the stopped partitions of the topic",
        SCOPE,
        ("r",),
        "Retry",
        28,
        footer_keep=75,
        footer_only_enabled=True,
        call=commands.retry_topic,
        ask=commands.ask_retry_topic,
        applies=_on_topic,
        why_disabled=reasons.cannot_retry_topic,
    ),
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
        applies=_on_partition,
        why_disabled=reasons.cannot_retry_partition,
    ),
    *(
        Action(
            action_id,
            title,
            SCOPE,
            ("A",),
            label,
            29,
            footer_keep=90,
            footer_only_enabled=True,
            call=commands.accept_partition,
            ask=ask,
            applies=applies,
            why_disabled=reasons.cannot_accept_partition,
            tier=Tier.ASK,
            dangerous=True,
        )
        for action_id, title, label, ask, applies in (
            (
                "partition.skip",
                "Skip what the source has deleted, and go on behind it",
                "Skip gap",
                commands.ask_skip_gap,
                _skips(SkipKind.GAP),
            ),
            (
                "partition.quarantine",
                "Quarantine what cannot be mirrored, and go on",
                "Quarantine",
                commands.ask_quarantine,
                _skips(SkipKind.POISON),
            ),
            (
                "partition.accept",
                "Accept what the partition stopped for, and go on",
                "Accept",
                commands.ask_accept_partition,
                _nothing_skipped,
            ),
        )
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
    about="flow",
)
