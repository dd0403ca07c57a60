"""Exact translation by a list of runs, for a walk in ascending order."""

from __future__ import annotations

from collections.abc import Sequence

from engine.replication.offset_map import Run


class RunWalk:
    """Which offset is whose; each side may only be asked in ascending order."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._at_source = self._at_target = 0

    def to_target(self, source: int) -> tuple[int, int] | None:
        """Return where the record at `source` stands, and the records left in its run, or None."""
        runs = self._runs
        while self._at_source < len(runs):
            first, target, count = runs[self._at_source]
            if source < first:
                return None
            if source < first + count:
                return target + source - first, first + count - source
            self._at_source += 1
        return None

    def to_source(self, target: int) -> int | None:
        """Return which source record stands at `target`; None: it is not ours."""
        runs = self._runs
        while self._at_target < len(runs):
            source, first, count = runs[self._at_target]
            if target < first:
                return None
            if target < first + count:
                return source + target - first
            self._at_target += 1
        return None
