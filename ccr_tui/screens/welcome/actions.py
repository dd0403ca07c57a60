"""What the keys of the welcome do. A screen has those for which it has a `do_<method>`."""

from __future__ import annotations

from ccr_tui.actions import Action, Scope

ANYWHERE = Scope("The welcome, in dialogs too")
WELCOME = Scope("The welcome")
START = Scope("The welcome's first screen")
REPORT = Scope("What became of an imported file")

_WAYS = ("the demo", "importing a file", "a new configuration", "opening a configuration")

ACTIONS = (
    Action(
        "welcome.leave",
        "Leave ccr",
        ANYWHERE,
        ("ctrl+c", "ctrl+q"),
        method="leave",
        in_inputs=True,
    ),
    Action("welcome.back", "Back", WELCOME, ("escape",), method="back", in_inputs=True),
    Action("welcome.next", "Go on", WELCOME, ("f2", "ctrl+s"), method="next", in_inputs=True),
    Action("welcome.quit", "Leave ccr", START, ("q",), method="quit"),
    Action("welcome.down", "Down", START, ("j",), method="down"),
    Action("welcome.up", "Up", START, ("k",), method="up"),
    *(
        Action(
            f"welcome.{number}", f"Choose {way}", START, (str(number),), method="choose",
            argument=str(number - 1),
        )
        for number, way in enumerate(_WAYS, start=1)
    ),
    Action("report.open", "Show a key in full", REPORT, ("enter", "i"), method="full"),
    Action("report.filter", "Filter the keys", REPORT, ("slash",), method="filter"),
    Action("report.sort", "Sort otherwise", REPORT, ("s",), method="sort"),
    Action("report.view", "Show the result", REPORT, ("v",), method="view"),
)  # fmt: skip
