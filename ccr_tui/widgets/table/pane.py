"""A live table with its head, and a sentence in its place while there are no rows."""

from __future__ import annotations

from typing import Any, ClassVar, Generic

from rich.segment import Segment
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.columns import Placed, RowT, set_width
from ccr_tui.widgets.table.view import LineTable
from engine.printable import printable


class TableHead(Widget):
    """Column titles; the one that is sorted by is marked, and clicking one sorts by it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table-head--sorted"}

    class Picked(Message):
        """A title was clicked."""

        def __init__(self, column_id: str) -> None:
            super().__init__()
            self.column_id = column_id

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self.symbols = symbols
        self._placed: tuple[Placed[Any], ...] = ()
        self._order: Order | None = None

    def show(self, placed: tuple[Placed[Any], ...], order: Order) -> None:
        """Show these columns."""
        if (placed, order) != (self._placed, self._order):
            self._placed, self._order = placed, order
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the titles."""
        base = self.rich_style
        segments = [Segment(" ", base)]
        for place in self._placed:
            title, style = place.column.title, base
            if self._order and place.column.id == self._order.column and place.column.sort:
                mark = self.symbols.descending if self._order.descending else self.symbols.ascending
                title = f"{title}{mark}"
                style = base + self.get_component_rich_style("table-head--sorted", partial=True)
            text = set_width(
                title, place.width, right=place.column.right, ellipsis=self.symbols.ellipsis
            )
            segments += [Segment(text, style), Segment(" ", base)]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def on_click(self, event: events.Click) -> None:
        """Pick the column that was clicked."""
        for place in self._placed:
            if place.x <= event.x <= place.x + place.width and place.column.sort:
                self.post_message(self.Picked(place.column.id))


class TablePane(Vertical, Generic[RowT]):
    """Head, rows, and the note that stands in for rows: loading, empty or failed."""

    def __init__(self, table: LineTable[RowT], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.table = table
        self.head = TableHead(table.symbols)
        self.note = Static("", markup=False, classes="note")
        self._note = ""

    def compose(self) -> ComposeResult:
        """Stack the parts."""
        yield self.head
        yield self.table
        yield self.note

    def on_mount(self) -> None:
        """Begin without a note."""
        self.note.display = False

    def show_note(self, text: str) -> None:
        """Show a sentence in the rows' place; empty text: show the rows."""
        if text == self._note:
            return
        self._note = text
        self.note.update(printable(text))
        self.note.display = bool(text)
        self.table.display = not text

    @on(LineTable.Arranged)
    def _arranged(self, event: LineTable.Arranged) -> None:
        event.stop()
        self.head.show(self.table.placed, self.table.book.order)

    @on(TableHead.Picked)
    def _picked(self, event: TableHead.Picked) -> None:
        event.stop()
        self.sort_by(event.column_id)

    def sort_by(self, column_id: str) -> None:
        """Sort by a column, from its natural end; the other way when it was sorted by already."""
        order = self.table.book.order
        column = next(c for c in self.table.columns if c.id == column_id)
        descending = not order.descending if order.column == column_id else column.falling
        self.table.set_order(Order(column_id, descending))
