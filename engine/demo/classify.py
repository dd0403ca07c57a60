"""What happened to a sequence of records on its way: the rules behind `compare`, on numbers alone.

A record is stood for by a number that is the same for the same content (key, value, headers and
timestamp) and for no other. With S the source's sequence and T the target's:

- A content that S holds s times and T holds t times accounts for `s - t` lost records if s > t,
  and for `t - s` duplicated ones if t > s > 0. This does not depend on any alignment.
- S and T are then aligned by a longest common subsequence. Records that arrived (min(s, t) of
  each content) but are not on it are reordered: the fewest records that must have moved.
- A target record whose content S never had is foreign. Where it stands in the place of a lost one
  (between the same two aligned neighbours) the two are one mismatched record, not one lost and one
  foreign; where it replaces nothing it counts as mismatched by itself, with no source record.

So `len(T) = len(S) - lost + duplicated + foreign that replace nothing`, always.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

MOST_REPEATS = 32
"""Content that a differing stretch of the source holds more often is aligned occurrence by
occurrence (first with first, …), which keeps the work near linear; `reordered` may then be too
high, never too low. The other counts stay exact."""


class Kind(StrEnum):
    """What can happen to a record."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    REORDERED = "reordered"
    MISMATCHED = "mismatched"


@dataclass(frozen=True, slots=True)
class Difference:
    """One record that is not as it should be; indices into the two sequences.

    `source` is None for a foreign record that replaces nothing, `target` for a lost one. For a
    duplicated one `source` is the first source record with that content.
    """

    kind: Kind
    source: int | None
    target: int | None


@dataclass(slots=True)
class Differences:
    """All differences as counts, the first of each kind as examples."""

    most_examples: int
    counts: Counter[Kind] = field(default_factory=Counter)
    examples: list[Difference] = field(default_factory=list)

    def add(self, kind: Kind, source: int | None, target: int | None) -> None:
        """Count one, and keep it while there are few of its kind."""
        self.counts[kind] += 1
        if self.counts[kind] <= self.most_examples:
            self.examples.append(Difference(kind, source, target))


def classify(
    source: Sequence[int], target: Sequence[int], *, most_examples: int = 5
) -> Differences:
    """Find what happened to `source` for it to become `target`; see the module for the rules.

    Takes O(n log n) time, and about 300 bytes a record of the stretch from the first to the last
    difference.
    """
    found = Differences(most_examples)
    head, tail = _common_ends(source, target)
    stretch = _Stretch(source[head : len(source) - tail], target[head : len(target) - tail])
    anchors = _align(stretch)
    judge = _Judge(stretch, anchors, _first_places(source, stretch.surplus()), head, found)
    last_i = last_j = -1
    for i, j in chain(anchors, [(len(stretch.source), len(stretch.target))]):
        judge.gap(range(last_i + 1, i), range(last_j + 1, j))
        last_i, last_j = i, j
    return found


def _common_ends(source: Sequence[int], target: Sequence[int]) -> tuple[int, int]:
    """Return how many records at the start, and of the rest at the end, are the same."""
    shorter = min(len(source), len(target))
    head = 0
    while head < shorter and source[head] == target[head]:
        head += 1
    tail = 0
    while tail < shorter - head and source[-1 - tail] == target[-1 - tail]:
        tail += 1
    return head, tail


def _first_places(source: Sequence[int], wanted: set[int]) -> dict[int, int]:
    """Return where in `source` each wanted content first stands."""
    places: dict[int, int] = {}
    if wanted:
        for index, content in enumerate(source):
            if content in wanted:
                places.setdefault(content, index)
    return places


class _Stretch:
    """The differing stretch of both sequences, its contents numbered from 0 and counted."""

    def __init__(self, source: Sequence[int], target: Sequence[int]) -> None:
        numbers: dict[int, int] = {}
        self.source = array("q", (numbers.setdefault(c, len(numbers)) for c in source))
        self.target = array("q", (numbers.setdefault(c, len(numbers)) for c in target))
        self.contents = array("Q", numbers)
        self.in_source = _count(self.source, len(numbers))
        self.in_target = _count(self.target, len(numbers))

    def surplus(self) -> set[int]:
        """Return the contents that the target has more often."""
        counts = zip(self.contents, self.in_source, self.in_target, strict=True)
        return {content for content, s, t in counts if t > s}


def _count(numbers: array[int], kinds: int) -> array[int]:
    counts = array("q", bytes(8 * kinds))
    for number in numbers:
        counts[number] += 1
    return counts


def _align(stretch: _Stretch) -> list[tuple[int, int]]:
    """Return a longest common subsequence as pairs of indices (Hunt and Szymanski, 1977)."""
    first = array("q", bytes(8 * len(stretch.contents)))
    repeats: dict[int, list[int]] = {}
    for i, content in enumerate(stretch.source):
        first[content] = i
        if stretch.in_source[content] > 1:
            repeats.setdefault(content, []).append(i)
    seen: Counter[int] = Counter()
    chains = _Chains()
    for j, content in enumerate(stretch.target):
        count = stretch.in_source[content]
        if count == 1:
            chains.extend(first[content], j)
        elif count > MOST_REPEATS:
            if seen[content] < count:
                chains.extend(repeats[content][seen[content]], j)
            seen[content] += 1
        elif count:
            # Descending, so that no two of them can stand in one chain with the same j.
            for i in reversed(repeats[content]):
                chains.extend(i, j)
    return chains.longest()


class _Chains:
    """Chains of pairs that grow in both indices: for each length the one with the least end."""

    def __init__(self) -> None:
        self._ends, self._last = array("q"), array("q")  # of each length: source index, number
        self._source, self._target, self._before = array("q"), array("q"), array("q")

    def extend(self, i: int, j: int) -> None:
        """Add a pair to the longest chain that it can follow."""
        length = bisect_left(self._ends, i)
        if length < len(self._ends) and self._ends[length] == i:
            # The same record again: the earlier one is the original, the later one the copy.
            return
        number = len(self._source)
        self._source.append(i)
        self._target.append(j)
        self._before.append(self._last[length - 1] if length else -1)
        if length == len(self._ends):
            self._ends.append(i)
            self._last.append(number)
        else:
            self._ends[length] = i
            self._last[length] = number

    def longest(self) -> list[tuple[int, int]]:
        """Return the pairs of the longest chain, in order."""
        pairs = []
        number = self._last[-1] if self._last else -1
        while number >= 0:
            pairs.append((self._source[number], self._target[number]))
            number = self._before[number]
        pairs.reverse()
        return pairs


class _Judge:
    """Names what happened, gap by gap. Indices are told from the start of the whole sequences."""

    def __init__(
        self,
        stretch: _Stretch,
        anchors: list[tuple[int, int]],
        known: dict[int, int],
        head: int,
        found: Differences,
    ) -> None:
        self._stretch = stretch
        self._known = known
        self._head = head
        self._found = found
        self._moved_to = _moved(stretch, anchors)
        self._moved_from = set(self._moved_to.values())

    def gap(self, source: range, target: range) -> None:
        """Judge what stands between two aligned records, aligned to nothing itself."""
        head, add = self._head, self._found.add
        foreign: list[int] = []
        for j in target:
            content = self._stretch.contents[self._stretch.target[j]]
            if j in self._moved_to:
                add(Kind.REORDERED, head + self._moved_to[j], head + j)
            elif content in self._known:
                add(Kind.DUPLICATED, self._known[content], head + j)
            else:
                foreign.append(j)
        missing = [i for i in source if i not in self._moved_from]
        for i, j in zip(missing, foreign, strict=False):
            add(Kind.MISMATCHED, head + i, head + j)
        for i in missing[len(foreign) :]:
            add(Kind.LOST, head + i, None)
        for j in foreign[len(missing) :]:
            add(Kind.MISMATCHED, None, head + j)


def _moved(stretch: _Stretch, anchors: list[tuple[int, int]]) -> dict[int, int]:
    """Return target and source index of the records that arrived, but not in order.

    Of a content that was also lost or duplicated, the first unaligned records are the moved ones.
    """
    aligned = _count(array("q", (stretch.source[i] for i, _ in anchors)), len(stretch.contents))
    counts = zip(stretch.in_source, stretch.in_target, aligned, strict=True)
    moved = {content: n for content, (s, t, a) in enumerate(counts) if (n := min(s, t) - a)}
    if not moved:
        return {}
    origins = _unaligned(stretch.source, {i for i, _ in anchors}, moved)
    places = _unaligned(stretch.target, {j for _, j in anchors}, moved)
    return {
        j: i for content in moved for i, j in zip(origins[content], places[content], strict=True)
    }


def _unaligned(
    sequence: array[int], aligned: set[int], wanted: dict[int, int]
) -> dict[int, list[int]]:
    """Return, by content, the indices of its first `wanted` unaligned records."""
    places: dict[int, list[int]] = {content: [] for content in wanted}
    for index, content in enumerate(sequence):
        here = places.get(content)
        if here is not None and len(here) < wanted[content] and index not in aligned:
            here.append(index)
    return places
