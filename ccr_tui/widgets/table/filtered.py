"""A table with its pane and its filter, one of several that a screen shows in turn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic

from ccr_tui import filtering
from ccr_tui.filtering import Filter, Words
from ccr_tui.widgets.table.book import Key
from ccr_tui.widgets.table.columns import RowT
from ccr_tui.widgets.table.pane import TablePane
from ccr_tui.widgets.table.view import LineTable


class FilteredTable(Generic[RowT]):
    """Loaded also while another one is shown."""

    def __init__(self, table: LineTable[RowT], words: Words[RowT], noun: str) -> None:
        """`noun` names a row."""
        self.table = table
        self.pane = TablePane(table, id=f"{table.id}-pane")
        self.noun = noun
        self.filter: Filter[RowT] | None = None
        self._words = words

    def load(self, rows: Iterable[RowT], removed: Iterable[Key] = ()) -> None:
        """Take in changes; what is not shown is put in order only when it is."""
        if self.pane.display:
            self.table.load(rows, removed)
        else:
            self.table.book.update(rows, removed)

    def replace(self, rows: Iterable[RowT]) -> None:
        """Take in all rows there are."""
        kept = tuple(rows)
        keys = {self.table.key(row) for row in kept}
        self.load(kept, [key for key in self.table.book.rows if key not in keys])

    def show(self, *, shown: bool) -> None:
        """Show or hide it."""
        self.pane.display = shown
        if shown:
            self.table.settle(now=True)
            self.table.focus()

    def sort_next(self) -> None:
        """Sort by the next column that is on the screen."""
        table = self.table
        shown = {place.column.id for place in table.placed}
        sortable = [c.id for c in table.columns if c.sort and (c.id in shown or not shown)]
        now = table.book.order.column
        following = sortable.index(now) + 1 if now in sortable else 0
        self.pane.sort_by(sortable[following % len(sortable)])

    def set_filter(self, text: str) -> bool:
        """Filter by what was typed; return whether that is another filter. Raises FilterError."""
        wanted = filtering.parse(text, self._words)
        if (wanted.text if wanted else "") == (self.filter.text if self.filter else ""):
            return False
        self.filter = wanted
        self.table.set_filter(wanted.matches if wanted else None)
        return True
