"""Screens with a list and, behind each of its rows, what that row consists of.

One question to the engine feeds both; Enter opens, Esc goes back up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on

from ccr_tui.actions import ActionContext
from ccr_tui.asking import AnswerT
from ccr_tui.screens.asked import TablesScreen
from ccr_tui.screens.base import Console
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.columns import Tone
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.snapshots import FlowSnapshot
from engine.printable import printable


class ListingScreen(TablesScreen[AnswerT]):
    """About one flow, its subject. Its tables are the list, and the parts of one of its rows."""

    def __init__(self, console: Console, subject: str | None = None) -> None:
        super().__init__(console, subject)
        self.flow_name = subject or ""
        self.outer, self.inner = self.all_tables
        self.opened: str | None = None
        """The row whose parts are shown; None: the list itself is."""

    @property
    def shown(self) -> FilteredTable[Any]:
        """The table that is shown."""
        return self.outer if self.opened is None else self.inner

    @property
    def flow(self) -> FlowSnapshot | None:
        """The flow as last seen."""
        return self.console.state.flow(self.flow_name)

    def context(self) -> ActionContext:
        """Act on the flow."""
        return ActionContext(self.console.state, self.flow)

    @on(LineTable.Opened)
    def do_open(self) -> None:
        """Show the parts of the row under the cursor; of a part, everything."""
        table = self.shown.table
        if self.opened is None and table.current is not None:
            self._show_level(table.current_name)
            self.asker.poke()
        else:
            self.do_details()

    def do_back(self) -> None:
        """Clear the filter, go back to the list, or leave."""
        if self.shown.filter is None and self.opened is not None:
            self._show_level(None)
        else:
            super().do_back()

    def _show_level(self, opened: str | None) -> None:
        if opened is not None and opened != self.opened:
            self.inner.set_filter("")
            self.inner.replace(())
            self.inner.table.restart()
        self.opened = opened
        self.show_table()


def sentences(texts: Sequence[str], tone: Tone = Tone.PLAIN) -> list[Fact]:
    """Return a fact a sentence."""
    return [[(printable(text), tone)] for text in texts]
