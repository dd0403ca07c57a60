"""Areas in characters: braille (two by four dots a cell), or ASCII (two levels a cell)."""

from __future__ import annotations

from collections.abc import Sequence

_BRAILLE = 0x2800
# Dots of a cell's left and right column, from the bottom up (Unicode's braille patterns).
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
_ASCII = (" ", ".", "#")


def dots_across(cells: int, *, ascii_only: bool) -> int:
    """Return how many columns of values go into so many cells."""
    return cells if ascii_only else 2 * cells


def area(columns: Sequence[float | None], rows: int, top: float, *, ascii_only: bool) -> list[str]:
    """Fill what is below the values, from 0 to `top`; return `rows` lines, the highest first.

    Nothing is a line at the bottom; what is not known is left blank.
    """
    levels = (len(_ASCII) - 1 if ascii_only else 4) * rows
    heights = [_height(value, levels, top) for value in columns]
    draw = _ascii_row if ascii_only else _braille_row
    return [draw(heights, row) for row in range(rows - 1, -1, -1)]


def _height(value: float | None, levels: int, top: float) -> int:
    """Return how many levels a value fills; 0 only where it is not known."""
    if value is None:
        return 0
    return max(1, min(levels, round(value / top * levels)))


def _ascii_row(heights: Sequence[int], row: int) -> str:
    full = len(_ASCII) - 1
    return "".join(_ASCII[max(0, min(full, height - full * row))] for height in heights)


def _braille_row(heights: Sequence[int], row: int) -> str:
    cells = []
    for at in range(0, len(heights), 2):
        pattern = 0
        for side, height in enumerate(heights[at : at + 2]):
            for dot in _DOTS[side][: max(0, min(4, height - 4 * row))]:
                pattern |= dot
        cells.append(chr(_BRAILLE + pattern) if pattern else " ")
    return "".join(cells)
