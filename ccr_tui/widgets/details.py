"""The panel under a table: what is under the cursor."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Vertical

from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact, FactsView
from ccr_tui.widgets.oneline import OneLine


class DetailPanel(Vertical):
    """A heading and its facts, as high as they need within the style's bounds."""

    def __init__(self, symbols: Symbols, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._symbols = symbols
        self.heading = OneLine(classes="heading")
        self.body = FactsView()

    def compose(self) -> ComposeResult:
        """Stack heading and facts."""
        yield self.heading
        yield self.body

    def show(self, heading: str, facts: Iterable[Fact], hint: str = "") -> None:
        """Show other facts; nothing is drawn when they are the same."""
        rule = self._symbols.rule
        left = [(f"{rule} {heading} ", "")]
        self.heading.show(left, [(f" {hint} {rule}", "")] if hint else (), rule)
        self.body.show(facts)
