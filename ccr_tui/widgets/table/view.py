"""A live table for thousands of rows, on Textual's line API.

Only lines in sight are ever formatted, and of those only the cells that say something else are
drawn again. The cursor stays on its row, by key, when the order changes; where a table rests on top
it stays on the first line instead until it is moved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ccr_tui.actions import TABLE
from ccr_tui.catalog import REGISTRY
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.book import Key, Order, Predicate, RowBook
from ccr_tui.widgets.table.columns import Cell, Column, Placed, RowT, Tone, fit, set_width
from ccr_tui.widgets.table.lines import Line, changed_span

ORDER_EVERY = 2.0
"""Seconds between two sortings of moving values: rows must not run about under the reader's eye."""
HOLD = 2.0
"""Seconds for which the order stands still after the cursor was moved."""
_CELLS_KEPT = 1000


class LineTable(ScrollView, Generic[RowT], can_focus=True):
    """Rows in columns, with a cursor."""

    BINDINGS = REGISTRY.bindings(TABLE)
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line-table--cursor",
        "line-table--cursor-blurred",
        *(f"line-table--{tone}" for tone in Tone),
    }

    class Highlighted(Message):
        """The cursor is on another row (None: the table is empty)."""

        def __init__(self, table: LineTable[Any], row: object) -> None:
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> LineTable[Any]:
            """The table."""
            return self.table

    class Opened(Message):
        """A row was clicked twice."""

        def __init__(self, table: LineTable[Any]) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> LineTable[Any]:
            """The table."""
            return self.table

    class Arranged(Message):
        """Columns or order changed: the head must say so."""

        def __init__(self, table: LineTable[Any]) -> None:
            super().__init__()
            self.table = table

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        *,
        key: Callable[[RowT], Key],
        tie: Callable[[RowT], Any],
        order: Order,
        symbols: Symbols,
        rests_on_top: bool = False,
        carried: Callable[[RowT], object] | None = None,
        id: str | None = None,
    ) -> None:
        """`carried` is what of a row is copied and exported: a snapshot; the row itself else."""
        super().__init__(id=id)
        REGISTRY.rebind(self)
        self._carried = carried
        self.columns = tuple(columns)
        self.book: RowBook[RowT] = RowBook(key, columns, order, tie)
        self.placed: tuple[Placed[RowT], ...] = ()
        self.symbols = symbols
        self.cursor_key: Key | None = None
        self.cursor_index = 0
        self._rests_on_top = rests_on_top
        self._resting = rests_on_top
        """True until the cursor is moved by hand: it has no row of its own yet, only the top."""
        self.key = key
        self._painted: dict[int, Line | None] = {}
        self._cells: dict[Key, tuple[RowT, tuple[Cell, ...]]] = {}
        self._ordered_at = float("-inf")
        self._moved_at = float("-inf")

    @property
    def current(self) -> RowT | None:
        """The row under the cursor."""
        return None if self.cursor_key is None else self.book.rows.get(self.cursor_key)

    @property
    def current_name(self) -> str:
        """What the row under the cursor is called: its key."""
        key = self.cursor_key
        if key is None:
            return ""
        return "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)

    @property
    def current_carried(self) -> object:
        """What of the row under the cursor is copied; None without one."""
        row = self.current
        return row if row is None or self._carried is None else self._carried(row)

    def exported(self) -> list[object]:
        """Return what of the rows is exported: those that pass the filter, as they are shown."""
        rows = [self.book.rows[key] for key in self.book.shown if key in self.book.rows]
        return [*rows] if self._carried is None else [self._carried(row) for row in rows]

    def load(self, rows: Iterable[RowT], removed: Iterable[Key] = ()) -> None:
        """Take in new and changed rows and draw what differs."""
        touched = self.book.update(rows, removed)
        self.settle()
        if self.cursor_key in touched:
            self.post_message(self.Highlighted(self, self.current))

    def replace(self, rows: Sequence[RowT]) -> None:
        """Take in all rows there are; others go."""
        keys = {self.key(row) for row in rows}
        self.load(rows, [key for key in self.book.rows if key not in keys])

    def clear(self) -> None:
        """Forget all rows."""
        self.book.clear()
        self._cells.clear()
        self.settle()

    def set_order(self, order: Order) -> None:
        """Sort by another column or the other way; the view goes back to the top."""
        self.book.order = order
        self.restart()

    def set_filter(self, matches: Predicate[RowT] | None) -> None:
        """Show only the rows that match; None: all."""
        self.book.filter = matches
        self.restart()

    def go_to(self, key: Key) -> None:
        """Put the cursor on a row that is shown; its place stands still for a while."""
        self._move_to(self.book.position[key])
        self._resting = False

    def restart(self) -> None:
        """Go back to the top: other rows are shown."""
        self.scroll_to(y=0, animate=False, immediate=True)
        self._resting = self._rests_on_top
        self.cursor_key = None
        self.cursor_index = 0
        self.settle(now=True)
        self.post_message(self.Arranged(self))

    def settle(self, *, now: bool = False) -> None:
        """Bring the order up to date when it is due (or `now`), then draw what differs."""
        book = self.book
        clock = time.monotonic()
        due = clock - self._ordered_at >= ORDER_EVERY and clock - self._moved_at >= HOLD
        if now or not book.complete or (due and not book.settled):
            self._ordered_at = clock
            self._rearrange()
        self.repaint()

    def _rearrange(self) -> None:
        top = self.scroll_offset.y
        before = self.cursor_index
        in_sight = top <= before < top + self.size.height
        self.book.rearrange()
        total = len(self.book.shown)
        if self.virtual_size.height != total:
            self.virtual_size = Size(0, total)
        index = self.book.position.get(self.cursor_key) if self.cursor_key is not None else None
        if self._resting or index is None:
            self._put_cursor(0 if self._resting else before)
        else:
            self.cursor_index = index
        if in_sight and not self._resting:
            # The cursor keeps its place on the screen; the rows move around it.
            self._scroll_top(self.cursor_index - (before - top))

    def _put_cursor(self, index: int) -> None:
        shown = self.book.shown
        self.cursor_index = min(max(0, index), max(0, len(shown) - 1))
        key = shown[self.cursor_index] if shown else None
        if key != self.cursor_key or key is None:
            self.cursor_key = key
            self.post_message(self.Highlighted(self, self.current))

    def _scroll_top(self, top: int) -> None:
        self.scroll_to(y=max(0, top), animate=False, immediate=True)

    def _move_to(self, index: int) -> None:
        self._resting = self._rests_on_top and index <= 0
        self._moved_at = time.monotonic()
        self._put_cursor(index)
        top, height = self.scroll_offset.y, self.size.height
        if self.cursor_index < top:
            self._scroll_top(self.cursor_index)
        elif self.cursor_index >= top + height:
            self._scroll_top(self.cursor_index - height + 1)
        self.repaint()

    def action_act(self, action_id: str) -> None:
        """Run one of the table's own actions."""
        getattr(self, f"do_{REGISTRY[action_id].method}")()

    def do_down(self) -> None:
        """Move the cursor a row down."""
        self._move_to(self.cursor_index + 1)

    def do_up(self) -> None:
        """Move the cursor a row up."""
        self._move_to(self.cursor_index - 1)

    def do_page_down(self) -> None:
        """Move the cursor a page down."""
        self._move_to(self.cursor_index + max(1, self.size.height - 1))

    def do_page_up(self) -> None:
        """Move the cursor a page up."""
        self._move_to(self.cursor_index - max(1, self.size.height - 1))

    def do_top(self) -> None:
        """Move the cursor to the first row."""
        self._move_to(0)

    def do_bottom(self) -> None:
        """Move the cursor to the last row."""
        self._move_to(len(self.book.shown) - 1)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the row; open it at the second click."""
        index = event.y + self.scroll_offset.y
        if index >= len(self.book.shown):
            return
        self._move_to(index)
        if event.chain == 2:
            self.post_message(self.Opened(self))

    def on_resize(self) -> None:
        """Choose the columns again."""
        placed = fit(self.columns, self.scrollable_content_region.width)
        if placed != self.placed:
            self.placed = placed
            self._cells.clear()
            self.refresh()
        if not self._resting:
            self._move_to(self.cursor_index)
        self.post_message(self.Arranged(self))

    def repaint(self) -> None:
        """Mark as dirty what the lines in sight no longer say truly, cell by cell."""
        top = self.scroll_offset.y
        for y in range(self.size.height):
            line = self._line(top + y)
            painted = self._painted.get(y)
            if line != painted:
                start, end = changed_span(self.placed, painted, line, self.size.width)
                self.refresh(Region(start, y, end - start, 1))

    def _line(self, index: int) -> Line | None:
        row = self.book.row_at(index)
        if row is None:
            return None
        key = self.book.shown[index]
        kept = self._cells.get(key)
        if kept is None or kept[0] is not row:
            if len(self._cells) >= _CELLS_KEPT:
                self._cells.clear()
            kept = row, tuple(place.column.cell(row) for place in self.placed)
            self._cells[key] = kept
        return Line(key, kept[1], key == self.cursor_key)

    def render_line(self, y: int) -> Strip:
        """Draw the line at `y` of the widget."""
        line = self._line(y + self.scroll_offset.y)
        self._painted[y] = line
        width = self.size.width
        base = self.rich_style
        if line is None:
            return Strip.blank(width, base)
        return Strip(self._segments(line, base)).adjust_cell_length(width, self._ground(line, base))

    def _ground(self, line: Line, base: Style) -> Style:
        if not line.cursor:
            return base
        name = "line-table--cursor" if self.has_focus else "line-table--cursor-blurred"
        return base + self.get_component_rich_style(name, partial=True)

    def _segments(self, line: Line, base: Style) -> list[Segment]:
        ground = self._ground(line, base)
        segments = [Segment(self.symbols.cursor if line.cursor else " ", ground)]
        for place, (text, tone) in zip(self.placed, line.cells, strict=True):
            column = place.column
            written = set_width(
                text, place.width, right=column.right, ellipsis=self.symbols.ellipsis
            )
            style = ground
            if tone is not Tone.PLAIN and not line.cursor:
                style = ground + self.get_component_rich_style(f"line-table--{tone}", partial=True)
            segments.append(Segment(f"{written} ", style))
        return segments
