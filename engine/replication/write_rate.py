"""How fast a flow's source was written, for what may have come since it was last seen."""

from __future__ import annotations

from collections import deque

WINDOW_S = 60.0
LEAST_S = 4.0  # a shorter stretch tells nothing


class WriteRate:
    """Records a second over the last minute, from the sum of the source's ends."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()  # at, partitions, sum of their ends

    def note(self, at: float, partitions: int, ends: int) -> None:
        """Take in a look, `at` in seconds since the epoch; begins anew when partitions change."""
        if self._seen:
            _, known, before = self._seen[-1]
            if known != partitions or ends < before:
                self._seen.clear()
        self._seen.append((at, partitions, ends))
        while len(self._seen) > 2 and at - self._seen[1][0] >= WINDOW_S:
            self._seen.popleft()

    @property
    def per_second(self) -> float | None:
        """The rate; None while too little was seen."""
        if not self._seen:
            return None
        (began, _, first), (ended, _, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended - began >= LEAST_S else None
