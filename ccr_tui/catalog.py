"""Every action of the console: those of its places, and those of more than one place."""

from __future__ import annotations

from collections.abc import Callable

from ccr_tui import commands, reasons
from ccr_tui.actions import FLOW, GLOBAL, TABLE, Action, ActionContext, ActionRegistry, Tier
from ccr_tui.places import Place
from ccr_tui.screens.dialogs import actions as dialogs
from ccr_tui.screens.everywhere import PLACES
from ccr_tui.screens.welcome import actions as welcome
from engine.api.snapshots import FlowState


def _paused(context: ActionContext) -> bool:
    return context.flow is not None and context.flow.state is FlowState.PAUSED


def _running(context: ActionContext) -> bool:
    return not _paused(context)


_FLOW = (
    Action(
        "flow.pause",
        "Pause the flow",
        FLOW,
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
        FLOW,
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
        FLOW,
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
        FLOW,
        ("K",),
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
        FLOW,
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


def _only_one_flow(context: ActionContext) -> str | None:
    flows = context.state.snapshot.flows if context.state.snapshot else ()
    return None if len(flows) > 1 else "there is no other flow"


_OTHER_FLOWS = tuple(
    Action(
        f"flow.{word}",
        f"The same of the {words}",
        FLOW,
        (key,),
        method="other_flow",
        argument=step,
        why_disabled=_only_one_flow,
    )
    for word, words, key, step in (
        ("next", "next flow", "right_square_bracket", "1"),
        ("previous", "flow before", "left_square_bracket", "-1"),
    )
)

_TABLE = (
    Action("table.down", "Down", TABLE, ("down", "j"), method="down"),
    Action("table.up", "Up", TABLE, ("up", "k"), method="up"),
    Action("table.page_down", "A page down", TABLE, ("pagedown", "ctrl+f"), method="page_down"),
    Action("table.page_up", "A page up", TABLE, ("pageup", "ctrl+b"), method="page_up"),
    Action(
        "table.top",
        "To the top, and stay there while rows move",
        TABLE,
        ("g", "home"),
        method="top",
    ),
    Action("table.bottom", "To the bottom", TABLE, ("G", "end"), method="bottom"),
)

_GLOBAL = (
    Action("refresh", "Ask the engine again now", GLOBAL, ("f5", "ctrl+r"), method="refresh_now"),
    Action(
        "help",
        "Help",
        GLOBAL,
        ("question_mark", "f1"),
        "Help",
        60,
        footer_keep=100,
        method="help",
    ),
    Action(
        "palette",
        "Find an action by name",
        GLOBAL,
        ("ctrl+p", "P"),
        method="palette",
    ),
    Action(
        "command",
        "Type a command",
        GLOBAL,
        ("colon",),
        "Commands",
        70,
        footer_keep=30,
        method="command",
    ),
    Action("copy", "Copy what is under the cursor", GLOBAL, ("c",), method="copy"),
    Action("copy.row", "Copy all that is known of it, as JSON", GLOBAL, ("y",), method="copy_row"),
    Action(
        "export",
        "Export the rows that are shown",
        GLOBAL,
        ("x", "ctrl+s"),
        method="export",
        yields=True,  # in a form ctrl+s saves
    ),
    Action(
        "places",
        "Choose where to go",
        GLOBAL,
        ("m",),
        "Places",
        58,
        footer_keep=93,
        method="places",
    ),
    Action("theme", "Choose the theme", GLOBAL, method="choose_theme"),
    Action("suspend", "Suspend to the shell", GLOBAL, ("ctrl+z",), method="suspend"),
    Action("quit", "Quit", GLOBAL, ("q",), "Quit", 65, footer_keep=95, method="quit"),
    Action(
        "interrupt",
        "Quit at once (twice)",
        GLOBAL,
        ("ctrl+c",),
        method="interrupt",
        in_inputs=True,
    ),
)


def _nothing_to_show(place: Place) -> Callable[[ActionContext], str | None]:
    def why(context: ActionContext) -> str | None:
        if place.subject is not None and place.subject(context) is None:
            return f"a {place.about} must be selected first"
        return None

    return why


_GOING = tuple(
    Action(
        f"go.{place.id}",
        f"Go to: {place.title}",
        GLOBAL,
        (place.key,) if place.key else (),
        method="go",
        argument=place.id,
        why_disabled=_nothing_to_show(place),
    )
    for place in PLACES
)

REGISTRY = ActionRegistry(
    (
        *(action for place in PLACES for action in place.actions),
        *_FLOW,
        *_OTHER_FLOWS,
        *_TABLE,
        *_GOING,
        *_GLOBAL,
        *dialogs.ACTIONS,
        *welcome.ACTIONS,
    )
)
