"""What a line of a table says, and which of its cells say something else than before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ccr_tui.widgets.table.book import Key
from ccr_tui.widgets.table.columns import Cell, Placed


@dataclass(frozen=True, slots=True)
class Line:
    """What one line of the screen says."""

    key: Key
    cells: tuple[Cell, ...]
    cursor: bool


def changed_span(
    placed: Sequence[Placed[Any]], old: Line | None, new: Line | None, width: int
) -> tuple[int, int]:
    """Return the cells, from and up to, that must be drawn again to make `old` into `new`."""
    if old is None or new is None or old.cursor != new.cursor or len(old.cells) != len(new.cells):
        return 0, width
    changed = [place for place, a, b in zip(placed, old.cells, new.cells, strict=False) if a != b]
    if not changed:
        return 0, width
    return changed[0].x, changed[-1].x + changed[-1].width
