"""Promotion, failover, failback, rehearsal of a flow, and what can be done there."""

from __future__ import annotations

from ccr_tui import reasons
from ccr_tui.actions import Action, Scope
from ccr_tui.places import Place, flow_in_sight, way_back

SCOPE = Scope("Runbooks")

_ACTIONS = (
    way_back("runbook", SCOPE),
    Action(
        "runbook.open",
        "Show the step under the cursor in full",
        SCOPE,
        ("enter", "i"),
        "Step",
        40,
        footer_keep=40,
        method="details",
    ),
    Action(
        "runbook.next",
        "The run, promote, failover, failback, rehearse, reports: the next",
        SCOPE,
        ("tab",),
        "Next plan",
        12,
        footer_keep=84,
        method="other_view",
        argument="1",
    ),
    Action(
        "runbook.previous",
        "The plan before",
        SCOPE,
        ("shift+tab",),
        method="other_view",
        argument="-1",
    ),
    Action(
        "runbook.findings",
        "All that is to be known of the plan; the report of the run",
        SCOPE,
        ("n",),
        "Notes",
        42,
        footer_keep=38,
        method="findings",
    ),
    *(
        Action(
            f"runbook.{name}",
            f"Plan: {words}",
            SCOPE,
            (key,),
            method="choose",
            argument=name,
        )
        for name, words, key in (
            ("fence", "the next way to keep producers out", "f"),
            ("verify", "the next extent of what is compared", "v"),
            ("reverse", "mirror the other way afterwards, or not", "w"),
            ("mode", "what becomes of records that never arrived", "a"),
        )
    ),
    Action(
        "runbook.begin",
        "Carry out the plan that is shown",
        SCOPE,
        ("b",),
        "Begin",
        10,
        footer_keep=88,
        method="begin",
        dangerous=True,
        why_disabled=reasons.cannot_run,
    ),
    Action(
        "runbook.abort",
        "Abort the run: undo all that it has done",
        SCOPE,
        ("U",),
        "Undo",
        14,
        footer_keep=86,
        method="abort",
        dangerous=True,
        why_disabled=reasons.cannot_run,
    ),
    Action(
        "runbook.go_on",
        "Go on with a run that has stopped",
        SCOPE,
        ("o",),
        "Go on",
        16,
        footer_keep=60,
        method="go_on",
        why_disabled=reasons.cannot_run,
    ),
    Action(
        "runbook.confirm",
        "Say that what the run asks you to do is done",
        SCOPE,
        ("d",),
        "Done",
        18,
        footer_keep=62,
        method="confirm",
        why_disabled=reasons.cannot_run,
    ),
)

PLACE = Place(
    "runbook",
    "Runbooks",
    SCOPE,
    _ACTIONS,
    "ccr_tui.screens.runbook.screen:RunbookScreen",
    key="F",
    subject=flow_in_sight,
    about="flow",
)
