"""The offset map against a dictionary that knows every record."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.replication import offset_map as module
from engine.replication.offset_map import OffsetMap

# What is left out on either side before a piece, and the piece's records.
pieces = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 6)), min_size=0, max_size=25
)
Pieces = list[tuple[int, int, int]]


def laid_out(described: Pieces, source: int = 40, target: int = 7) -> list[tuple[int, int, int]]:
    """Turn gaps into offsets."""
    out = []
    for gap_source, gap_target, count in described:
        source, target = source + gap_source, target + gap_target
        out.append((source, target, count))
        source, target = source + count, target + count
    return out


def pairs_of(runs: list[tuple[int, int, int]]) -> dict[int, int]:
    """Spell out every record."""
    return {s + n: t + n for s, t, count in runs for n in range(count)}


def next_in(pairs: dict[int, int], offset: int) -> int | None:
    """Find what the record at `offset`, or the next one there is, maps to."""
    keys = sorted(pairs)
    index = bisect_left(keys, offset)
    return pairs[keys[index]] if index < len(keys) else None


def check(offset_map: OffsetMap, pairs: dict[int, int]) -> None:
    """Compare both directions at every offset, and around the ends."""
    back = {target: source for source, target in pairs.items()}
    for offset in range(max([*pairs, *back, 0]) + 3):
        assert offset_map.to_target(offset) == next_in(pairs, offset)
        assert offset_map.to_source(offset) == next_in(back, offset)
    runs = list(offset_map.runs())
    assert pairs_of(runs) == pairs
    assert len(runs) == len(offset_map)
    for (s1, t1, n1), (s2, t2, _) in pairwise(runs):
        assert (s1 + n1, t1 + n1) != (s2, t2), "neighbours are one run"
    assert offset_map.last_run() == (runs[-1] if runs else None)


@given(pieces)
def test_every_offset_translates_both_ways(described: Pieces) -> None:
    runs = laid_out(described)
    offset_map = OffsetMap()
    for run in runs:
        offset_map.append(*run)
    check(offset_map, pairs_of(runs))


@given(pieces, st.data())
def test_a_map_put_together_from_its_runs_is_the_same(
    described: Pieces, data: st.DataObject
) -> None:
    """As checkpoints do it: sealed runs first, the newest from an index on."""
    whole = OffsetMap(laid_out(described))
    index = data.draw(st.integers(0, len(whole)))
    runs = list(whole.runs())
    assert list(whole.runs(index)) == runs[index:]
    again = OffsetMap([*runs[:index], *whole.runs(index)])
    assert list(again.runs()) == runs


@given(pieces, st.integers(0, 120), pieces)
def test_what_the_target_lost_is_forgotten_and_may_come_again(
    described: Pieces, cut: int, later: Pieces
) -> None:
    runs = laid_out(described)
    offset_map = OffsetMap(runs)
    offset_map.cut_target(cut)
    kept = {source: target for source, target in pairs_of(runs).items() if target < cut}
    check(offset_map, kept)
    source, target = max(kept, default=39) + 1, max([*kept.values(), cut - 1, 6]) + 1
    more = laid_out(later, source, target)
    for run in more:
        offset_map.append(*run)
    check(offset_map, kept | pairs_of(more))


@given(pieces, st.integers(0, 120))
def test_what_the_source_lost_is_forgotten(described: Pieces, cut: int) -> None:
    runs = laid_out(described)
    offset_map = OffsetMap(runs)
    told = offset_map.cut_source(cut)
    pairs = pairs_of(runs)
    check(offset_map, {source: target for source, target in pairs.items() if source < cut})
    gone = sorted((source, target) for source, target in pairs.items() if source >= cut)
    assert told == ((*gone[0], len(gone)) if gone else None)


@given(pieces, st.integers(1, 120))
def test_the_newest_records_are_forgotten_or_nothing_is(described: Pieces, count: int) -> None:
    runs = laid_out(described)
    offset_map = OffsetMap(runs)
    before = list(offset_map.runs())
    told = offset_map.cut_last(count)
    pairs = sorted(pairs_of(runs).items())
    if count > len(pairs):
        assert told is None
        assert list(offset_map.runs()) == before
    else:
        check(offset_map, dict(pairs[:-count]))
        assert told == (*pairs[-count], count)


@pytest.mark.parametrize("run", [(9, 30, 1), (5, 30, 2), (30, 19, 1), (30, 12, 3), (0, 0, 1)])
def test_a_run_that_reaches_back_is_refused_and_changes_nothing(run: tuple[int, int, int]) -> None:
    offset_map = OffsetMap([(0, 10, 10)])
    with pytest.raises(ValueError, match="reaches back"):
        offset_map.append(*run)
    assert list(offset_map.runs()) == [(0, 10, 10)]


def test_offsets_beyond_32_bits() -> None:
    offset_map = OffsetMap([(2**40, 2**50, 2**35)])
    assert offset_map.to_target(2**40 + 2**35 - 1) == 2**50 + 2**35 - 1
    assert offset_map.to_target(2**40 + 2**35) is None
    assert offset_map.to_source(2**50 + 5) == 2**40 + 5


def test_a_run_for_each_of_many_markers() -> None:
    """One run a marker: 24 bytes each, found by bisection."""
    offset_map = OffsetMap((n * 3, n * 2, 2) for n in range(100_000))
    assert len(offset_map) < module.EXACT_RUNS + module.FOLD_RUNS + module.COARSE_RUNS
    assert offset_map.exact_since is not None
    assert offset_map.exact_since <= 3 * (100_000 - module.EXACT_RUNS)
    assert offset_map.to_target(3 * 77_777 + 1) == 2 * 77_777 + 1
    assert offset_map.to_target(3 * 77_777 + 2) == 2 * 77_778
    folded = offset_map.to_target(3 * 20_000)
    assert folded is not None
    assert 2 * (20_000 - 64) < folded <= 2 * 20_000


@given(pieces, st.integers(0, 130), st.integers(0, 130))
def test_the_runs_that_reach_into_a_range(described: Pieces, first: int, end: int) -> None:
    offset_map = OffsetMap(laid_out(described))
    wanted = [run for run in offset_map.runs() if run[0] < end and run[0] + run[2] > first]
    assert list(offset_map.reaching(first, end)) == wanted


# Folding


@contextmanager
def folding_early() -> Iterator[None]:
    """Keep 8 runs exact, fold 4 at once to 2, keep 3 of those."""
    small = {"EXACT_RUNS": 8, "FOLD_RUNS": 4, "KEPT_OF_RUNS": 2, "COARSE_RUNS": 3}
    with patch.multiple(module, **small):
        yield


many = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 6)), min_size=8, max_size=60
)


def check_folded(offset_map: OffsetMap, pairs: dict[int, int]) -> None:
    """Whatever is asked, the answer is at or before the right one; of the newest runs it is it."""
    back = {target: source for source, target in pairs.items()}
    exact_since = offset_map.exact_since
    assert exact_since is not None
    for offset in range(max([*pairs, *back]) + 3):
        for found, right in (
            (offset_map.to_target(offset), next_in(pairs, offset)),
            (offset_map.to_source(offset), next_in(back, offset)),
        ):
            assert (found is None) == (right is None)
            assert found is None or right is None or found <= right
        if offset >= exact_since:
            assert offset_map.to_target(offset) == next_in(pairs, offset)
        end = offset + offset % 23
        right_count = sum(offset <= source < end for source in pairs)
        assert offset_map.count(offset, end) >= right_count
        if offset >= exact_since:
            assert offset_map.count(offset, end) == right_count


@given(many)
def test_old_runs_are_folded_to_what_is_never_past_the_right_place(described: Pieces) -> None:
    with folding_early():
        offset_map = OffsetMap(laid_out(described))
    pairs = pairs_of(laid_out(described))
    check_folded(offset_map, pairs)
    assert len(offset_map) <= 8 + 4 + 3
    assert next(offset_map.runs())[:2] == min(pairs.items())
    kept = pairs_of(list(offset_map.runs()))
    assert kept.items() <= pairs.items()


@given(many, st.integers(0, 400), pieces)
def test_what_the_target_lost_is_cut_from_the_exact_part_or_not_at_all(
    described: Pieces, cut: int, later: Pieces
) -> None:
    with folding_early():
        offset_map = OffsetMap(laid_out(described))
        pairs = pairs_of(laid_out(described))
        before = list(offset_map.runs())
        told = offset_map.cut_target(cut)
        gone = sorted((source, target) for source, target in pairs.items() if target >= cut)
        if told is None:
            assert list(offset_map.runs()) == before
            first_exact = pairs[offset_map.exact_since or 0] if offset_map.exact_since else None
            assert not gone or (first_exact is not None and cut < first_exact)
            return
        assert told == (*gone[0], len(gone))
        kept = {source: target for source, target in pairs.items() if target < cut}
        more = laid_out(later, max(kept, default=39) + 1, max([*kept.values(), cut - 1, 6]) + 1)
        for run in more:
            offset_map.append(*run)
        if offset_map.exact_since is not None:
            check_folded(offset_map, kept | pairs_of(more))


@given(many, st.integers(1, 400))
def test_the_newest_records_are_counted_in_the_exact_part_only(
    described: Pieces, count: int
) -> None:
    with folding_early():
        offset_map = OffsetMap(laid_out(described))
    pairs = sorted(pairs_of(laid_out(described)).items())
    exact = [pair for pair in pairs if pair[0] >= (offset_map.exact_since or 0)]
    told = offset_map.cut_last(count)
    assert told == ((*pairs[-count], count) if count <= len(exact) else None)


@given(many, st.integers(40, 400))
def test_a_source_that_was_cut_leaves_a_map_that_is_never_past_the_right_place(
    described: Pieces, cut: int
) -> None:
    with folding_early():
        offset_map = OffsetMap(laid_out(described))
        pairs = pairs_of(laid_out(described))
        offset_map.cut_source(cut)
        kept = {source: target for source, target in pairs.items() if source < cut}
        end = max(pairs.values()) + 1
        offset_map.append(cut, end, 3)
        kept |= {cut + n: end + n for n in range(3)}
        check_folded(offset_map, kept)


def test_what_stands_on_the_target_is_counted() -> None:
    offset_map = OffsetMap([(0, 10, 5), (5, 20, 5), (12, 25, 3)])
    stands = {at for _, first, count in offset_map.runs() for at in range(first, first + count)}
    for target in range(8, 30):
        for end in range(target, 31):
            expected = len(stands & set(range(target, end)))
            assert offset_map.standing(target, end) == expected, (target, end)
    assert OffsetMap().standing(0, 5) == 0
