"""Screens of tables that `/` filters and `s` sorts; one table is shown at a time."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from textual import on

from ccr_tui.filtering import FilterError
from ccr_tui.screens.base import CcrScreen, Console
from ccr_tui.widgets.filterbar import FilterBar
from ccr_tui.widgets.table.filtered import FilteredTable


class FilteringScreen(CcrScreen):
    """Has the line in which a filter is typed; subclasses show it, and say which table is meant."""

    FILTER_HINT = "text, !text, re:regex"

    def __init__(self, console: Console, subject: str | None = None) -> None:
        super().__init__(console, subject)
        self.filter_bar = FilterBar(self.FILTER_HINT)

    @property
    @abstractmethod
    def shown(self) -> FilteredTable[Any]:
        """The table that is shown."""

    def on_mount(self) -> None:
        """Show the line only while it is typed into."""
        self.filter_bar.display = False

    def not_matching(self) -> str | None:
        """Say that the filter leaves no row; empty when rows are shown, None where none are."""
        table, active = self.shown.table, self.shown.filter
        if not table.book.rows:
            return None
        if table.book.shown or active is None:
            return ""
        return f"No {self.shown.noun} matches /{active.text}. Esc clears the filter."

    def do_back(self) -> None:
        """Clear the filter, or leave."""
        if self.shown.filter is not None:
            self.filter_bar.input.value = ""
            self._set_filter("")
        else:
            super().do_back()

    def do_sort_next(self) -> None:
        """Sort by the next column that is on the screen."""
        self.shown.sort_next()

    def do_sort_reverse(self) -> None:
        """Sort the other way."""
        self.shown.pane.sort_by(self.shown.table.book.order.column)

    def do_filter(self) -> None:
        """Type a filter."""
        active = self.shown.filter
        self.filter_bar.open(active.text if active else "")

    @on(FilterBar.Edited)
    def _filter_edited(self, event: FilterBar.Edited) -> None:
        self._set_filter(event.text)

    @on(FilterBar.Closed)
    def _filter_closed(self) -> None:
        self.filter_bar.display = False
        self.shown.table.focus()

    def _set_filter(self, text: str) -> None:
        try:
            changed = self.shown.set_filter(text)
        except FilterError as error:
            self.filter_bar.problem.update(str(error))
            return
        self.filter_bar.problem.update(self.shown.filter.trouble if self.shown.filter else "")
        if changed:
            self.show_state()
