"""A line of text in pieces: the header, the footer and the headings are all made of it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from ccr_tui.symbols import ASCII, UNICODE

Piece = tuple[str, str]
"""Text, and the component class that gives its looks ("" for none)."""


class OneLine(Widget):
    """Pieces at the left, pieces at the right, a fill between; drawn again only when changed."""

    FILL = " "

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._left: tuple[Piece, ...] = ()
        self._right: tuple[Piece, ...] = ()
        self._fill = self.FILL

    def show(self, left: Sequence[Piece], right: Sequence[Piece] = (), fill: str = FILL) -> None:
        """Show these pieces. When there is no room for both sides, the left is cut."""
        content = tuple(left), tuple(right), fill
        if content != (self._left, self._right, self._fill):
            self._left, self._right, self._fill = content
            self.refresh()

    @property
    def text(self) -> str:
        """What the line says, without the fill."""
        return "".join(text for text, _ in (*self._left, *self._right))

    def render_line(self, y: int) -> Strip:
        """Draw the line."""
        base = self.rich_style
        width = self.size.width
        right = self._segments(self._right)
        right_width = sum(cell_len(segment.text) for segment in right)
        left = self._segments(self._left)
        room = max(0, width - right_width)
        left_width = sum(cell_len(segment.text) for segment in left)
        fill = Segment(self._fill * max(0, room - left_width), base)
        shown = self._cut(Strip(left), room) if left_width > room else Strip([*left, fill])
        return Strip([*shown, *right]).adjust_cell_length(width, base).simplify()

    def _cut(self, line: Strip, room: int) -> Strip:
        """Cut a line off where there is no more room, with a mark: a part must not pass for all."""
        mark = ASCII.ellipsis if self.app.has_class("-ascii") else UNICODE.ellipsis
        kept = line.crop(0, max(0, room - 1))
        return Strip([*kept, Segment(mark[:room], self.rich_style)])

    def _segments(self, pieces: Sequence[Piece]) -> list[Segment]:
        base = self.rich_style
        return [
            Segment(
                text, base + self.get_component_rich_style(name, partial=True) if name else base
            )
            for text, name in pieces
        ]


def clip(text: str, width: int, ellipsis: str) -> str:
    """Return text in at most `width` cells."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)) + ellipsis if width > 0 else ""
