"""How often the console asks: less when the engine, this process or the terminal's link is slow."""

from __future__ import annotations

from dataclasses import dataclass, field

SHARE = 0.2
"""Most of the time that may be spent on asking and drawing."""
LATE = 0.05
"""A wake-up later than this many seconds shows that drawing (or the terminal) takes that long."""


@dataclass(slots=True)
class Pace:
    """Seconds between two looks at the engine, from what the last ones cost."""

    fastest: float = 0.5
    slowest: float = 3.0
    _cost: float = field(default=0.0, init=False)

    def observe(self, asking: float, late: float) -> None:
        """Take in one cycle: seconds the engine took, and seconds the loop woke too late.

        Textual's writer blocks the loop once 30 frames wait for the terminal, so a slow link
        shows up as lateness. Costs count at once and are forgotten over a few cycles.
        """
        cost = asking + (late if late > LATE else 0.0)
        self._cost = cost if cost > self._cost else 0.7 * self._cost + 0.3 * cost

    @property
    def interval(self) -> float:
        """Seconds to wait before the next look."""
        return min(self.slowest, max(self.fastest, self._cost / SHARE))


@dataclass(slots=True)
class Backoff:
    """Seconds to wait before trying a lost engine again: doubling, bounded."""

    first: float = 0.5
    most: float = 5.0
    _next: float = field(default=0.0, init=False)

    def failed(self) -> float:
        """Return how long to wait after one more failure."""
        self._next = min(self.most, self._next * 2 or self.first)
        return self._next

    def succeeded(self) -> None:
        """Start from the beginning at the next failure."""
        self._next = 0.0
