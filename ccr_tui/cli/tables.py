"""Plain-text tables for the command line: 80 columns, nothing cut off, no colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.printable import printable

WIDTH = 80
GAP = "  "


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, and sentences to be shown below them."""

    cells: tuple[str, ...]
    notes: tuple[str, ...] = ()


def table(titles: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Lay out lines. The first column is text, titles in lower case are numbers (to the right).

    A name too long for 80 columns gets a line of its own, so that it can be read and copied whole.
    What is not printable is escaped.
    """
    rows = [Row(tuple(map(printable, row.cells)), row.notes) for row in rows]
    others = [
        max(len(title), *(len(row.cells[index]) for row in rows)) if rows else len(title)
        for index, title in enumerate(titles)
    ][1:]
    room = WIDTH - sum(width + len(GAP) for width in others)
    longest = max([len(titles[0]), *(len(row.cells[0]) for row in rows)])
    first = max(len(titles[0]), min(longest, room))
    to_right = [title.islower() for title in titles[1:]]

    def line(name: str, cells: Sequence[str]) -> str:
        aligned = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, others, to_right, strict=True)
        ]
        return GAP.join([name.ljust(first), *aligned]).rstrip()

    yield line(titles[0].upper(), [title.upper() for title in titles[1:]])
    for row in rows:
        name = row.cells[0]
        if len(name) > first:
            yield name
            name = ""
        yield line(name, row.cells[1:])
        for note in row.notes:
            yield from indented(note)


def indented(text: str) -> Iterator[str]:
    """Wrap a sentence below a row; long names in it are left whole."""
    yield from textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
