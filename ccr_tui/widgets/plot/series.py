"""What a plot is drawn from: values over time, brought to a number of columns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SPANS = (300.0, 900.0, 1800.0, 3600.0)
"""Seconds that a plot may show; the shortest that holds what there is."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values at times (seconds since the epoch, oldest first); None: not known then."""

    title: str
    at: Sequence[float]
    values: Sequence[float | None]
    write: Callable[[float], str]
    """Writes a value in at most seven cells."""

    @property
    def known(self) -> list[float]:
        """The values that are known."""
        return [value for value in self.values if value is not None]

    @property
    def span(self) -> float:
        """Seconds that the plot shows, up to the newest point."""
        length = self.at[-1] - self.at[0] if self.at else 0.0
        return next((span for span in SPANS if span >= length), SPANS[-1])

    def columns(self, count: int) -> list[float | None]:
        """Bring it to `count` columns over `span`; the highest value of each counts.

        A spike must not be averaged away. A column without a point between two that have one
        takes the value before it: points are rarer than columns then.
        """
        found: list[float | None] = [None] * count
        if not self.at or count <= 0:
            return found
        start, width = self.at[-1] - self.span, self.span / count
        for at, value in zip(self.at, self.values, strict=True):
            index = min(count - 1, int((at - start) / width))
            before = found[index] if index >= 0 else None
            if index >= 0 and value is not None and (before is None or value > before):
                found[index] = value
        return _without_holes(found)

    def highest(self) -> tuple[float, float]:
        """Return the highest value and when it was; there must be one."""
        value, at = max(
            (value, at) for value, at in zip(self.values, self.at, strict=True) if value is not None
        )
        return value, at


def _without_holes(values: list[float | None]) -> list[float | None]:
    known = [index for index, value in enumerate(values) if value is not None]
    filled = list(values)
    for first, last in itertools.pairwise(known):
        if last - first <= _HOLE:
            filled[first:last] = [values[first]] * (last - first)
    return filled


_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_HOLE = 8
"""Columns; a longer one is time of which nothing is known."""


def nice_top(most: float) -> float:
    """Return the round number at or above `most` that an axis ends with: 1, 1.5, 2, 3, …"""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in _STEPS if step * power >= most * 0.9999)
