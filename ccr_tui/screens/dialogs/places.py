"""Where one can go: for who does not know the digits yet."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ccr_tui.actions import Action, ActionContext, key_name
from ccr_tui.screens.dialogs.base import ListDialog, key_of
from engine.printable import printable


class PlacesDialog(ListDialog[Action | None]):
    """Returns the action that goes to the chosen place; None when one stays."""

    def __init__(self, going: Sequence[Action], context: ActionContext) -> None:
        super().__init__(opened_by="places")
        self.going = {action.id: action for action in going}
        self.context = context

    def compose(self) -> ComposeResult:
        """Title, list, how to close."""
        with Vertical(classes="dialog"):
            yield Static("Places", markup=False, classes="dialog-title")
            yield OptionList(*map(self._option, self.going.values()), markup=False)
            hint = f"Enter goes there, {key_of('dialog.close')} stays"
            yield Static(hint, markup=False, classes="dialog-hint")

    def _option(self, action: Action) -> Option:
        why = action.why_disabled(self.context)
        key = key_name(action.keys[0]) if action.keys else " "
        name = action.title.removeprefix("Go to: ")
        return Option(
            printable(f"{key}  {name}{f' (not now: {why})' if why else ''}"),
            id=action.id,
            disabled=why is not None,
        )

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.going[event.option.id or ""])
