"""The flow editor, and what can be done there."""

from __future__ import annotations

from ccr_tui import reasons
from ccr_tui.actions import Action, ActionContext, Scope
from ccr_tui.places import Place, flow_in_sight

SCOPE = Scope("Flow editor")

_ACTIONS = (
    Action(
        "edit.leave",
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
        "edit.save",
        "Show what saving changes, then save the flow",
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
        "edit.page",
        "Go between topics and the other settings",
        SCOPE,
        ("f3",),
        "Topics/settings",
        15,
        footer_keep=80,
        method="turn_page",
        in_inputs=True,
    ),
    Action(
        "edit.look",
        "Look at sizes and conflicts again now",
        SCOPE,
        ("f4",),
        "Look again",
        20,
        footer_keep=70,
        method="look_again",
        in_inputs=True,
        why_disabled=reasons.cannot_ask,
    ),
    Action(
        "edit.topic",
        "Show in full what becomes of the topic",
        SCOPE,
        ("enter", "i"),
        "Topic",
        25,
        footer_keep=60,
        method="topic",
    ),
)


def _flow_or_new(context: ActionContext) -> str:
    return flow_in_sight(context) or ""


PLACE = Place(
    "flow_editor",
    "Flow editor",
    SCOPE,
    _ACTIONS,
    "ccr_tui.screens.flow_editor.screen:FlowEditorScreen",
    key="6",
    subject=_flow_or_new,
    kept=False,
)
