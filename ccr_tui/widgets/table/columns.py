"""Columns of a live table: what a cell says, how wide it is, which go first when it is narrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from rich.cells import cell_len, set_cell_size

RowT = TypeVar("RowT")
GAP = 1
"""Cells between two columns, and before the first."""

SortValue = float | str


class Tone(StrEnum):
    """What a cell means; the theme decides its looks. Never the only sign: a word says it too."""

    PLAIN = "plain"
    STRONG = "strong"
    DIM = "dim"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


Cell = tuple[str, Tone]


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """One column. The lowest `priority` stays longest; `grow` shares out what width is left."""

    id: str
    title: str
    cell: Callable[[RowT], Cell]
    width: int
    priority: int = 0
    grow: int = 0
    most: int = 10_000
    right: bool = False
    sort: Callable[[RowT], SortValue] | None = None
    falling: bool = False
    """Whether sorting by it begins with the highest."""


@dataclass(frozen=True, slots=True)
class Placed(Generic[RowT]):
    """A column at its place."""

    column: Column[RowT]
    x: int
    width: int


def fit(columns: Sequence[Column[RowT]], width: int) -> tuple[Placed[RowT], ...]:
    """Choose the columns that fit into `width` cells, most important first, and place them."""
    left = width
    chosen: set[str] = set()
    for column in sorted(columns, key=lambda column: column.priority):
        needed = column.width + GAP
        if needed > left and chosen:
            break
        chosen.add(column.id)
        left -= needed
    shown = [column for column in columns if column.id in chosen]
    widths = _grown(shown, left)
    placed: list[Placed[RowT]] = []
    x = GAP
    for column, cells in zip(shown, widths, strict=True):
        placed.append(Placed(column, x, cells))
        x += cells + GAP
    return tuple(placed)


def _grown(columns: Sequence[Column[RowT]], left: int) -> list[int]:
    widths = [column.width for column in columns]
    while left > 0:
        growing = [i for i, column in enumerate(columns) if column.grow and widths[i] < column.most]
        if not growing:
            break
        shares = sum(columns[i].grow for i in growing)
        before = left
        for i in growing:
            more = min(
                columns[i].most - widths[i], max(1, before * columns[i].grow // shares), left
            )
            widths[i] += more
            left -= more
    return widths


def set_width(text: str, width: int, *, right: bool, ellipsis: str) -> str:
    """Return text in exactly `width` cells, with a mark where something is cut off."""
    if text.isascii():
        length = len(text)
        if length > width:
            return text[: max(0, width - 1)] + ellipsis if width else ""
        return text.rjust(width) if right else text.ljust(width)
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, max(0, width - 1)) + ellipsis if width else ""
    blank = " " * (width - length)
    return blank + text if right else text + blank
