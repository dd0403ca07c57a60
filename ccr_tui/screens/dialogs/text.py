"""Something to be read in full: details, the failure of an act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ccr_tui.bridge import told
from ccr_tui.widgets.facts import Fact, FactsView
from ccr_tui.widgets.table.columns import Tone
from engine.errors import CcrError
from engine.printable import printable


class TextDialog(ModalScreen[None]):
    """A title and facts, scrolled with the arrows, closed by Esc, Enter or q."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,i", "close", "Close", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

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
            yield Static("Esc closes", markup=False, classes="dialog-hint")

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Scroll the text."""
        self.query_one("#text", VerticalScroll).scroll_relative(y=lines, animate=False)


def failure_dialog(title: str, error: CcrError) -> TextDialog:
    """Tell why an act failed and what to do."""
    what, next_step = told(error)
    facts: list[Fact] = [[(printable(what), Tone.BAD)]]
    if next_step:
        facts += [[("", Tone.PLAIN)], [("Next  ", Tone.DIM), (printable(next_step), Tone.STRONG)]]
    return TextDialog(f"{title}: failed", facts, bad=True)
