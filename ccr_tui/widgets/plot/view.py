"""A plot of one series: what it is, its least and most, axes with units and times."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from ccr_tui.symbols import Symbols
from ccr_tui.widgets.oneline import clip
from ccr_tui.widgets.plot.canvas import area, dots_across
from ccr_tui.widgets.plot.series import Series, nice_top

_LABEL = 7
"""Cells of the numbers at the left."""
_LEAST = 12
"""Cells in width, and 4 lines: less shows nothing."""


class Plot(Widget):
    """Drawn anew when it gets another series, which is every few seconds at most."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"plot--axis", "plot--area", "plot--title"}

    def __init__(self, symbols: Symbols, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._symbols = symbols
        self._series: Series | None = None
        self._lines: list[list[tuple[str, str]]] = []
        self._drawn_for = (0, 0)

    def show(self, series: Series | None) -> None:
        """Show another series; None: nothing is known yet."""
        if series != self._series:
            self._series = series
            self._drawn_for = (0, 0)
            self.refresh()

    @property
    def text(self) -> str:
        """What it says, line by line."""
        self._draw()
        return "\n".join("".join(text for text, _ in line) for line in self._lines)

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        self._draw()
        base = self.rich_style
        pieces = self._lines[y] if y < len(self._lines) else []
        segments = [
            Segment(text, base + self.get_component_rich_style(name, partial=True))
            for text, name in pieces
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _draw(self) -> None:
        size = self.size.width, self.size.height
        if size == self._drawn_for:
            return
        self._drawn_for = size
        width, height = size
        series = self._series
        self._lines = []
        if series is None or width < _LABEL + _LEAST or height < 4:
            return
        title = clip(_title(series, width), width, self._symbols.ellipsis)
        self._lines = [[(title, "plot--title")], *self._plot(series, width, height - 3)]

    def _plot(self, series: Series, width: int, rows: int) -> list[list[tuple[str, str]]]:
        symbols = self._symbols
        wide = width - _LABEL - 2
        columns = series.columns(dots_across(wide, ascii_only=symbols.ascii_only))
        top = nice_top(max(series.known, default=0.0))
        drawn = area(columns, rows, top, ascii_only=symbols.ascii_only)
        bar, corner = ("|", "+") if symbols.ascii_only else ("┤", "└")
        labels = _labels(series, top, rows)
        lines = [
            [(f"{labels.get(row, ''):>{_LABEL}}{bar}", "plot--axis"), (text, "plot--area")]
            for row, text in enumerate(drawn)
        ]
        lines.append([(f"{'':>{_LABEL}}{corner}{symbols.rule * wide}", "plot--axis")])
        lines.append([(f"{'':>{_LABEL}} {_times(series, wide)}", "plot--axis")])
        return lines


def _title(series: Series, width: int) -> str:
    """Say what it is, and as much of its values as there is room for."""
    known = series.known
    if not known:
        return f"{series.title}: nothing known yet"
    most, at = series.highest()
    when = time.strftime("%H:%M", time.localtime(at))
    least, highest, now = series.write(min(known)), series.write(most), series.values[-1]
    last = "?" if now is None else series.write(now)
    full = f"{series.title}: now {last}, min {least}, max {highest} at {when}"
    return full if len(full) <= width else f"{series.title}: {least} to {highest} (at {when})"


def _labels(series: Series, top: float, rows: int) -> dict[int, str]:
    """Return what stands beside which row: the top, the middle where there is room, and 0."""
    labels = {0: series.write(top), rows - 1: "0"}
    if rows >= 5 and rows % 2:
        labels[rows // 2] = series.write(top / 2)
    return labels


def _times(series: Series, width: int) -> str:
    """Write when the plot begins, its middle and its end."""
    if not series.at:
        return ""
    end = series.at[-1]

    def clock(at: float) -> str:
        return time.strftime("%H:%M", time.localtime(at))

    first, middle, last = (clock(end - series.span * part) for part in (1.0, 0.5, 0.0))
    gap = width - len(first) - len(middle) - len(last)
    if gap < 2:
        return f"{first}{last:>{max(1, width - len(first))}}"
    return f"{first}{' ' * (gap // 2)}{middle}{' ' * (gap - gap // 2)}{last}"
