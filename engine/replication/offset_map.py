"""The offset map: which target offset each mirrored record got.

Target minus source is constant but for gaps, so the map is a list of runs (source, target, length),
ascending on both sides. Kept in three arrays, 24 bytes a run: a transactional source makes a run at
every marker.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator

Run = tuple[int, int, int]  # first source offset, first target offset, records


class OffsetMap:
    """Runs in ascending order; appended at the end as the target acknowledges."""

    __slots__ = ("_lengths", "_sources", "_targets")

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._sources = array("q")
        self._targets = array("q")
        self._lengths = array("q")
        for run in runs:
            self.append(*run)

    def __len__(self) -> int:
        """Count of runs."""
        return len(self._sources)

    def append(self, source: int, target: int, count: int) -> None:
        """Add `count` records that were read from `source` on and stand at `target` on.

        Raises ValueError when they do not lie after everything mapped so far.
        """
        if self._sources:
            last_length = self._lengths[-1]
            gap_source = source - self._sources[-1] - last_length
            gap_target = target - self._targets[-1] - last_length
            if gap_source < 0 or gap_target < 0:
                raise ValueError(
                    f"run ({source}, {target}, {count}) reaches back behind {self.last_run()}"
                )
            if gap_source == 0 and gap_target == 0:
                self._lengths[-1] = last_length + count
                return
        self._sources.append(source)
        self._targets.append(target)
        self._lengths.append(count)

    def last_run(self) -> Run | None:
        """Return the newest run."""
        if not self._sources:
            return None
        return self._sources[-1], self._targets[-1], self._lengths[-1]

    def runs(self, first: int = 0) -> Iterator[Run]:
        """Yield the runs from index `first` on."""
        for index in range(first, len(self._sources)):
            yield self._sources[index], self._targets[index], self._lengths[index]

    def reaching(self, source: int, end: int) -> Iterator[Run]:
        """Yield the runs that have source offsets from `source` up to `end`."""
        first = max(bisect_right(self._sources, source) - 1, 0)
        for run in self.runs(first):
            if run[0] >= end:
                return
            if run[0] + run[2] > source:
                yield run

    def to_target(self, source: int) -> int | None:
        """Return where the record at `source`, or the next one that was mirrored, stands.

        None when nothing at or after `source` was mirrored yet.
        """
        return _translate(source, self._sources, self._targets, self._lengths)

    def to_source(self, target: int) -> int | None:
        """Return which source record stands at `target`, or is the next of ours after it."""
        return _translate(target, self._targets, self._sources, self._lengths)

    def cut_target(self, target: int) -> Run | None:
        """Forget what stands at `target` and after: the target lost it.

        Returns (source, target, records) from the first record forgotten on, gaps not counted; None
        when nothing was.
        """
        return self._cut(self._targets, target)

    def cut_source(self, source: int) -> Run | None:
        """Forget what was read from `source` on: the source has no such history any more.

        Returns as cut_target does.
        """
        return self._cut(self._sources, source)

    def cut_last(self, count: int) -> Run | None:
        """Forget the newest `count` records: the target lost them.

        Returns as cut_target does, or None, with nothing changed, when there are not so many.
        """
        index, left = len(self._lengths), count
        while left > 0 and index:
            index -= 1
            left -= self._lengths[index]
        if left > 0:
            return None
        return self._cut(self._targets, self._targets[index] - left)

    def _cut(self, axis: array[int], offset: int) -> Run | None:
        first = None
        count = 0
        while axis and axis[-1] + self._lengths[-1] > offset:
            inside = max(0, offset - axis[-1])
            gone = self._lengths[-1] - inside
            first = self._sources[-1] + inside, self._targets[-1] + inside
            count += gone
            if inside:
                self._lengths[-1] = inside
                break
            self._sources.pop()
            self._targets.pop()
            self._lengths.pop()
        return None if first is None else (*first, count)


def _translate(
    offset: int, ours: array[int], theirs: array[int], lengths: array[int]
) -> int | None:
    index = bisect_right(ours, offset) - 1
    if index >= 0 and offset < ours[index] + lengths[index]:
        return theirs[index] + offset - ours[index]
    return theirs[index + 1] if index + 1 < len(ours) else None
