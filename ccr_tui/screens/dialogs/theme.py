"""Choosing a theme: worn while the cursor is on it, kept at Enter."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ccr_tui.screens.dialogs.base import ListDialog, key_of


class ThemeDialog(ListDialog[None]):
    """A list of the themes there are."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = names
        self.before = self.app.theme

    def compose(self) -> ComposeResult:
        """Title, list, how to close."""
        with Vertical(classes="dialog"):
            yield Static("Theme", markup=False, classes="dialog-title")
            themes = OptionList(*(Option(name, id=name) for name in self.names), markup=False)
            # From the start: else the first one would be worn until it is on the screen.
            themes.highlighted = self.names.index(self.before) if self.before in self.names else 0
            yield themes
            hint = f"Enter keeps it, {key_of('dialog.close')} goes back"
            yield Static(hint, markup=False, classes="dialog-hint")

    @on(OptionList.OptionHighlighted)
    def _try_on(self, event: OptionList.OptionHighlighted) -> None:
        if event.option.id is not None:
            self.app.theme = event.option.id

    @on(OptionList.OptionSelected)
    def _keep(self) -> None:
        self.dismiss(None)
        self.app.notify(
            f"This is {self.app.theme}, until the console is left. `ccr --theme {self.app.theme}`"
            " and `theme:` in the console's settings keep it.",
            markup=False,
        )

    def do_close(self) -> None:
        """Wear again what was worn before."""
        self.app.theme = self.before
        self.dismiss(None)
