"""Something to be read in full: details, the failure of an act."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from ccr_tui.bridge import told
from ccr_tui.screens.dialogs.base import ScrolledDialog, key_of
from ccr_tui.widgets.facts import Fact, FactsView
from ccr_tui.widgets.table.columns import Tone
from engine.errors import CcrError
from engine.printable import printable


class TextDialog(ScrolledDialog[None]):
    """A title and facts, scrolled with the arrows, closed by Esc, Enter or q."""

    def __init__(self, title: str, facts: Sequence[Fact], *, bad: bool = False) -> None:
        super().__init__(classes="-bad" if bad else "")
        self.heading = title
        self.facts = facts

    def compose(self) -> ComposeResult:
        """Title, text, how to close."""
        with Vertical(classes="dialog -wide"):
            yield Static(self.heading, markup=False, classes="dialog-title")
            with VerticalScroll(id="text"):
                yield FactsView(self.facts)
            hint = f"{key_of('dialog.close')} closes"
            yield Static(hint, markup=False, classes="dialog-hint")

    def do_read(self) -> None:
        """Close."""
        self.do_close()


def failure_dialog(title: str, error: CcrError) -> TextDialog:
    """Tell why an act failed and what to do."""
    what, next_step = told(error)
    facts: list[Fact] = [[(printable(what), Tone.BAD)]]
    if next_step:
        facts += [[("", Tone.PLAIN)], [("Next  ", Tone.DIM), (printable(next_step), Tone.STRONG)]]
    return TextDialog(f"{title}: failed", facts, bad=True)
