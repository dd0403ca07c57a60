"""The offset map: which target offset each mirrored record got.

Target minus source is constant but for gaps, so the map is a list of runs (source, target, length),
ascending on both sides. Kept in three arrays, 24 bytes a run: a transactional source makes a run at
every marker, and other writers on the target one wherever they come in between.

The newest EXACT_RUNS and more are exact. Older ones are folded: of FOLD_RUNS of them every
KEPT_OF_RUNS-th stays, and when too many of those have gathered, every second one. Between folded
runs the map knows no more than that what is asked for stands behind the one before: what it then
answers is never past the right place, on either side.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Run = tuple[int, int, int]  # first source offset, first target offset, records

EXACT_RUNS = 50_000  # at least so many of the newest are exact: 1.2 MB a partition
FOLD_RUNS = 2_048  # folded at once
KEPT_OF_RUNS = 16
COARSE_RUNS = 2_048  # at most so many of those that were folded are kept


class OffsetMap:
    """Runs in ascending order; appended at the end as the target acknowledges."""

    __slots__ = ("_lengths", "_sources", "_targets", "coarse", "folded")

    def __init__(self, runs: Iterable[Run] = (), *, coarse: int = 0, folded: int = 0) -> None:
        """Begin with runs; `coarse` of them, all then, are what is left of `folded` ones."""
        self._sources = array("q")
        self._targets = array("q")
        self._lengths = array("q")
        self.coarse = 0
        self.folded = 0  # exact runs that were folded so far
        for run in runs:
            self.append(*run)
        self.coarse += coarse
        self.folded += folded

    def __len__(self) -> int:
        """Count of runs."""
        return len(self._sources)

    @property
    def appended(self) -> int:
        """Count of runs that there would be, had none been folded."""
        return self.folded + len(self._sources) - self.coarse

    @property
    def exact_since(self) -> int | None:
        """The first source offset from which on every mirrored record is known; None: none is."""
        return self._sources[self.coarse] if self.coarse < len(self._sources) else None

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
            if gap_source == 0 and gap_target == 0 and len(self._sources) > self.coarse:
                self._lengths[-1] = last_length + count
                return
        self._sources.append(source)
        self._targets.append(target)
        self._lengths.append(count)
        if len(self._sources) - self.coarse >= EXACT_RUNS + FOLD_RUNS:
            self._fold()

    def extend(self, rows: array[int]) -> None:
        """Add runs as `runs` gave them out, [source, target, records, source, …].

        Raises ValueError when they do not lie after everything mapped so far.
        """
        if not rows:
            return
        self.append(*rows[:3])
        self._sources.extend(rows[3::3])
        self._targets.extend(rows[4::3])
        self._lengths.extend(rows[5::3])

    def skip_to(self, appended: int) -> None:
        """Runs are missing: what comes next was appended as number `appended`."""
        if not self._sources:
            self.append(0, 0, 0)
        self.coarse, self.folded = len(self._sources), appended

    def _fold(self) -> None:
        """Thin the oldest exact runs out."""
        for axis in (self._sources, self._targets, self._lengths):
            old = axis[: self.coarse] + axis[self.coarse : self.coarse + FOLD_RUNS : KEPT_OF_RUNS]
            axis[: self.coarse + FOLD_RUNS] = old[::2] if len(old) > COARSE_RUNS else old
        kept = self.coarse + len(range(0, FOLD_RUNS, KEPT_OF_RUNS))
        self.coarse = len(range(0, kept, 2)) if kept > COARSE_RUNS else kept
        self.folded += FOLD_RUNS

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

        Among folded runs perhaps an offset before it. None when nothing at or after `source` was
        mirrored yet.
        """
        return self._translate(source, self._sources, self._targets)

    def to_source(self, target: int, *, at_most: bool = False) -> int | None:
        """Return which source record stands at `target`, or is the next of ours after it.

        Among folded runs perhaps an offset before it, or with `at_most` one behind it.
        """
        return self._translate(target, self._targets, self._sources, at_most=at_most)

    def _translate(
        self, offset: int, ours: array[int], theirs: array[int], *, at_most: bool = False
    ) -> int | None:
        lengths = self._lengths
        index = bisect_right(ours, offset) - 1
        if index >= 0 and offset < ours[index] + lengths[index]:
            return theirs[index] + offset - ours[index]
        if 0 <= index < self.coarse and not at_most:
            return theirs[index] + lengths[index]
        return theirs[index + 1] if index + 1 < len(ours) else None

    def record_before(self, source: int) -> tuple[int, int] | None:
        """Return (source, target) of the last record known exactly, at or before `source`."""
        index = bisect_right(self._sources, source) - 1
        if index < 0 or not self._lengths[index]:
            return None
        inside = min(source - self._sources[index], self._lengths[index] - 1)
        return self._sources[index] + inside, self._targets[index] + inside

    def count(self, source: int, end: int) -> int:
        """Count the mirrored records from source offset `source` up to `end`.

        Among folded runs it is the most that there may be.
        """
        found = 0
        index = max(bisect_right(self._sources, source) - 1, 0)
        while index < len(self._sources) and self._sources[index] < end:
            first, most = self._sources[index], self._lengths[index]
            behind = first + most
            if index < self.coarse and index + 1 < len(self._sources):
                behind = self._sources[index + 1]
                most = min(behind - first, self._targets[index + 1] - self._targets[index])
            found += max(0, min(most, min(end, behind) - max(source, first)))
            index += 1
        return found

    def standing(self, target: int, end: int) -> int:
        """Count the records that stand on the target from offset `target` up to `end`.

        Among folded runs it is the least that there may be. Quick for many runs.
        """
        first = max(bisect_right(self._targets, target) - 1, 0)
        behind = bisect_left(self._targets, end)
        if first >= behind:
            return 0
        before = min(max(0, target - self._targets[first]), self._lengths[first])
        beyond = max(0, self._targets[behind - 1] + self._lengths[behind - 1] - end)
        return sum(self._lengths[first:behind]) - before - beyond

    def first_strange(self, target: int, end: int, *, others: bool) -> int:
        """Return the first target offset from `target` on that is in no run; at most `end`.

        `others`: whether anybody else was ever seen to write between the flow's records. Only then
        may there be such offsets among folded runs, and the first of them may be one too early.
        """
        reached = target
        first = max(bisect_right(self._targets, target) - 1, 0)
        for index in range(first, len(self._targets)):
            begins, length = self._targets[index], self._lengths[index]
            if begins >= end:
                break
            if begins + length <= reached:
                continue
            among_folded = 0 < index <= self.coarse
            if begins > reached and (others or not among_folded):
                break
            reached = begins + length
        return min(reached, end)

    def cut_target(self, target: int) -> Run | None:
        """Forget what stands at `target` and after: the target lost it.

        Returns (source, target, records) from the first record forgotten on, gaps not counted; None
        when nothing was, and when it is not known how many records those would be.
        """
        if self.coarse and (self.exact_since is None or target < self._targets[self.coarse]):
            return None
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
        while left > 0 and index > self.coarse:
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
        self.coarse = min(self.coarse, len(self._sources))
        return None if first is None else (*first, count)
