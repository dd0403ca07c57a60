"""Lines of toned text that wrap, for the panel under a table and for dialogs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from ccr_tui.formats import one_line
from ccr_tui.widgets.table.columns import Cell, Tone
from engine.api.snapshots import Reason

Fact = Sequence[Cell]
"""Pieces of text with what they mean; a first piece that ends in a blank is a label."""

_WORDS = re.compile(r"\s+|\S+")
_LABEL_AT_MOST = 24


def wrapped(fact: Fact, width: int) -> list[list[Cell]]:
    """Break a fact into lines of at most `width` cells; what follows a label stays right of it."""
    indent = _indent(fact, width)
    start: list[Cell] = [(" " * indent, Tone.PLAIN)] if indent else []
    lines: list[list[Cell]] = [[]]
    used = 0
    for text, tone in fact:
        for word in _WORDS.findall(text):
            if used > indent and used + cell_len(word) > width:
                lines.append(list(start))
                used = indent
                if word.isspace():
                    continue
            first, *more = chop_cells(word, max(2, width - used))
            lines[-1].append((first, tone))
            lines += [[*start, (piece, tone)] for piece in more]
            used = indent + cell_len(more[-1]) if more else used + cell_len(first)
    return lines


def _indent(fact: Fact, width: int) -> int:
    label = fact[0][0] if len(fact) > 1 else ""
    length = cell_len(label)
    return length if label.endswith(" ") and length <= min(_LABEL_AT_MOST, width // 2) else 0


def reason_facts(reason: Reason | None, tone: Tone, since: str = "") -> list[Fact]:
    """Say why, since when, and what to do."""
    if reason is None:
        return []
    when = f" (for {since})" if since else ""
    facts: list[Fact] = [[("Why   ", Tone.DIM), (one_line(reason.text), tone), (when, Tone.DIM)]]
    if reason.next_step:
        facts.append([("Next  ", Tone.DIM), (one_line(reason.next_step), Tone.STRONG)])
    elif reason.retriable:
        facts.append(
            [("Next  ", Tone.DIM), ("Nothing to do: it is tried again by itself.", Tone.PLAIN)]
        )
    return facts


class FactsView(Widget):
    """Facts below one another, as high as they need; only lines that changed are drawn."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"toned--{tone}" for tone in Tone}

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        super().__init__()
        self._facts: list[list[Cell]] = [list(fact) for fact in facts]
        self._lines: list[list[Cell]] = []
        self._wrapped_at = 0

    @property
    def text(self) -> str:
        """What it says, a fact a line."""
        return "\n".join("".join(text for text, _ in fact) for fact in self._facts)

    def show(self, facts: Iterable[Fact]) -> None:
        """Show other facts."""
        content = [list(fact) for fact in facts]
        if content == self._facts:
            return
        self._facts = content
        before = self._lines
        self._wrap(self._wrapped_at)
        if len(before) != len(self._lines):
            self.refresh(layout=True)
            return
        for y, (old, new) in enumerate(zip(before, self._lines, strict=True)):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def _wrap(self, width: int) -> None:
        self._wrapped_at = width
        self._lines = (
            [line for fact in self._facts for line in wrapped(fact, width)] if width else []
        )

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines the facts need at `width`."""
        if width != self._wrapped_at:
            self._wrap(width)
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        base = self.rich_style
        width = self.size.width
        if width != self._wrapped_at:
            self._wrap(width)
        cells = self._lines[y] if y < len(self._lines) else []
        segments = [
            Segment(text, base + self.get_component_rich_style(f"toned--{tone}", partial=True))
            for text, tone in cells
        ]
        # Words of one tone as one piece: each piece costs some 30 bytes of colours on the line.
        return Strip(segments).adjust_cell_length(width, base).simplify()
