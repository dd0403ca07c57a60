"""Every action of the console, in one list (see `ccr_tui.actions`)."""

from __future__ import annotations

from ccr_tui import commands, reasons
from ccr_tui.actions import Action, ActionContext, ActionRegistry, Scope, Tier
from engine.api.snapshots import FlowState


def _paused(context: ActionContext) -> bool:
    return context.flow is not None and context.flow.state is FlowState.PAUSED


def _running(context: ActionContext) -> bool:
    return not _paused(context)


def _on_event(context: ActionContext) -> bool:
    return context.event is not None


def _on_flow(context: ActionContext) -> bool:
    return context.event is None


_OVERVIEW = (
    Action(
        "flow.open",
        "Open the lag of the flow",
        Scope.OVERVIEW,
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
        Scope.OVERVIEW,
        ("enter",),
        "Event",
        10,
        footer_keep=60,
        method="details",
        applies=_on_event,
    ),
    Action("details", "Show it in full", Scope.OVERVIEW, ("i",), method="details"),
    Action(
        "focus.events",
        "Go to the events",
        Scope.OVERVIEW,
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
        Scope.OVERVIEW,
        ("tab", "shift+tab"),
        "Flows",
        35,
        footer_keep=40,
        method="focus_flows",
        applies=_on_event,
    ),
)

_LAG = (
    Action(
        "lag.back",
        "Clear the filter, then back",
        Scope.LAG,
        ("escape",),
        "Back",
        5,
        footer_keep=90,
        method="back",
    ),
    Action(
        "partition.open",
        "Show the partition in full",
        Scope.LAG,
        ("enter", "i"),
        "Details",
        20,
        footer_keep=35,
        method="open",
    ),
    Action(
        "filter.edit",
        "Filter the partitions",
        Scope.LAG,
        ("slash",),
        "Filter",
        24,
        footer_keep=70,
        method="filter",
    ),
    Action(
        "sort.next",
        "Sort by the next column",
        Scope.LAG,
        ("s",),
        "Sort",
        26,
        footer_keep=65,
        method="sort_next",
    ),
    Action("sort.reverse", "Reverse the order", Scope.LAG, ("S",), method="sort_reverse"),
    Action(
        "sort.state", "Sort by state, worst first", Scope.LAG, method="sort_by", argument="state"
    ),
    Action("sort.lag", "Sort by lag in records", Scope.LAG, method="sort_by", argument="lag"),
    Action("sort.behind", "Sort by lag in seconds", Scope.LAG, method="sort_by", argument="behind"),
    Action(
        "sort.records", "Sort by records a second", Scope.LAG, method="sort_by", argument="records"
    ),
    Action("sort.bytes", "Sort by bytes a second", Scope.LAG, method="sort_by", argument="bytes"),
    Action("sort.topic", "Sort by topic", Scope.LAG, method="sort_by", argument="topic"),
    Action(
        "partition.retry",
        "Retry the stopped partition",
        Scope.LAG,
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
        Scope.LAG,
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

_FLOW = (
    Action(
        "flow.pause",
        "Pause the flow",
        Scope.FLOW,
        ("p",),
        "Pause",
        22,
        footer_keep=80,
        call=commands.pause,
        ask=commands.ask_pause,
        applies=_running,
        why_disabled=reasons.cannot_steer,
    ),
    Action(
        "flow.resume",
        "Resume the flow",
        Scope.FLOW,
        ("p",),
        "Resume",
        22,
        footer_keep=80,
        call=commands.resume,
        ask=commands.ask_resume,
        applies=_paused,
        why_disabled=reasons.cannot_steer,
    ),
    Action(
        "flow.retry",
        "Retry all stopped partitions of the flow",
        Scope.FLOW,
        ("R",),
        "Retry all",
        30,
        footer_keep=45,
        call=commands.retry_flow,
        ask=commands.ask_retry_flow,
        why_disabled=reasons.cannot_retry_flow,
    ),
    Action(
        "secret.give",
        "Give the engine a secret that it lacks, for its memory only",
        Scope.FLOW,
        ("c",),
        "Give secret",
        16,
        footer_keep=86,
        footer_only_enabled=True,
        method="give_secret",
        why_disabled=reasons.cannot_give_secret,
    ),
    Action(
        "flow.take_over",
        "Take the flow over from the engine that runs it",
        Scope.FLOW,
        ("t",),
        "Take over",
        15,
        footer_keep=85,
        footer_only_enabled=True,
        call=commands.take_over,
        ask=commands.ask_take_over,
        tier=Tier.ASK,
        dangerous=True,
        why_disabled=reasons.cannot_take_over,
    ),
)


_TABLE = (
    Action("table.down", "Down", Scope.TABLE, ("down", "j"), method="down"),
    Action("table.up", "Up", Scope.TABLE, ("up", "k"), method="up"),
    Action(
        "table.page_down", "A page down", Scope.TABLE, ("pagedown", "ctrl+f"), method="page_down"
    ),
    Action("table.page_up", "A page up", Scope.TABLE, ("pageup", "ctrl+b"), method="page_up"),
    Action(
        "table.top",
        "To the top, and stay there while rows move",
        Scope.TABLE,
        ("g", "home"),
        method="top",
    ),
    Action("table.bottom", "To the bottom", Scope.TABLE, ("G", "end"), method="bottom"),
)

_GLOBAL = (
    Action(
        "refresh", "Ask the engine again now", Scope.GLOBAL, ("f5", "ctrl+r"), method="refresh_now"
    ),
    Action(
        "help",
        "Help",
        Scope.GLOBAL,
        ("question_mark", "f1"),
        "Help",
        60,
        footer_keep=100,
        method="help",
    ),
    Action(
        "palette",
        "Find an action by name",
        Scope.GLOBAL,
        ("ctrl+p", "colon"),
        "Commands",
        70,
        footer_keep=30,
        method="palette",
    ),
    Action("suspend", "Suspend to the shell", Scope.GLOBAL, ("ctrl+z",), method="suspend"),
    Action("quit", "Quit", Scope.GLOBAL, ("q",), "Quit", 65, footer_keep=95, method="quit"),
    Action(
        "interrupt",
        "Quit at once (twice)",
        Scope.GLOBAL,
        ("ctrl+c",),
        method="interrupt",
        in_inputs=True,
    ),
)

REGISTRY = ActionRegistry((*_OVERVIEW, *_LAG, *_FLOW, *_TABLE, *_GLOBAL))
