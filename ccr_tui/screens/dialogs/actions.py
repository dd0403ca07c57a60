"""What the keys of dialogs do. A dialog has those for which it has a `do_<method>`."""

from __future__ import annotations

from ccr_tui.actions import Action, Scope

DIALOG = Scope("Dialogs")

ACTIONS = (
    Action(
        "dialog.close",
        "Close it, and change nothing",
        DIALOG,
        ("escape", "q"),
        method="close",
        in_inputs=True,
    ),
    Action("dialog.read", "Close what was only to be read", DIALOG, ("enter", "i"), method="read"),
    Action("dialog.down", "Down", DIALOG, ("down", "j"), method="down"),
    Action("dialog.up", "Up", DIALOG, ("up", "k"), method="up"),
    Action("dialog.page_down", "Further down", DIALOG, ("pagedown",), method="page_down"),
    Action("dialog.page_up", "Further up", DIALOG, ("pageup",), method="page_up"),
    Action("dialog.left", "The button to the left", DIALOG, ("left", "h"), method="left"),
    Action("dialog.right", "The button to the right", DIALOG, ("right", "l"), method="right"),
    Action("dialog.again", "Test the connection again", DIALOG, ("r",), method="again"),
    Action("dialog.copy", "Copy what the test found", DIALOG, ("c",), method="copy_all"),
)
