"""The engine's log, and what can be done there."""

from __future__ import annotations

from ccr_tui.actions import Action, Scope
from ccr_tui.places import Place, reading_actions

SCOPE = Scope("Log")

_LEVEL = Action(
    "log.level",
    "Show all records, warnings and errors, errors only",
    SCOPE,
    ("l",),
    "Level",
    21,
    footer_keep=65,
    method="level",
)

PLACE = Place(
    "log",
    "Log",
    SCOPE,
    (*reading_actions("log", SCOPE, "Show the record in full"), _LEVEL),
    "ccr_tui.screens.log.screen:LogScreen",
    key="8",
)
