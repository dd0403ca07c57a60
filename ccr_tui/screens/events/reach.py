"""How far back the events on the screen reach: beyond those in memory, into the engine's file."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from ccr_tui.state import EventRow
from engine.api.protocol import EngineApi

CHUNK = 500
"""Events that are asked for at once."""
KEPT = 20_000
"""Events at most; what is older is in the file."""


class Reach:
    """Events without a gap, oldest first; the newest are those that all screens share."""

    def __init__(self) -> None:
        self.rows: deque[EventRow] = deque()
        self._older = True
        self._place = ""

    @property
    def may_grow_back(self) -> bool:
        """Whether there may be older events that can be had."""
        return self._older and 0 < len(self.rows) < KEPT

    def follow(self, shared: Sequence[EventRow]) -> bool:
        """Take in what is shared by now; return whether that is anything new."""
        if not shared or (self.rows and shared[-1] is self.rows[-1]):
            return False
        known = self._known_of(shared)
        if known is None:
            self.rows = deque(shared)
            self._older, self._place = True, ""
            return True
        self.rows.extend(islice(shared, known, None))
        while len(self.rows) > KEPT:
            self.rows.popleft()
            self._older, self._place = True, ""
        return True

    def _known_of(self, shared: Sequence[EventRow]) -> int | None:
        """Return how many of the shared ones are here; None when there is a gap before them."""
        for index in range(len(shared) - 1, -1, -1):
            if self.rows and shared[index] is self.rows[-1]:
                return index + 1
        return None

    async def go_back(self, api: EngineApi) -> None:
        """Read events that are older than the oldest. Raises CcrError."""
        first = self.rows[0]
        page = await api.older_events(first.event.id, self._place, CHUNK)
        if self.rows[0] is not first:
            return  # it began anew meanwhile
        self._place, self._older = page.place, page.older
        self.rows.extendleft(EventRow(first.engine_id, event) for event in reversed(page.events))
