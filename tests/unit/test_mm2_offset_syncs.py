"""Which offset syncs are written, against MirrorMaker 2's translation of what it has read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.replication import offset_map as offset_map_module
from engine.replication.offset_map import OffsetMap
from engine.replication.sync.mm2.offset_syncs import where_to_begin
from engine.replication.sync.mm2.sampling import ALL, MOST_RUNS, NEAREST, pairs_after

pieces = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 900)), min_size=1, max_size=90
)
Pair = tuple[int, int]


def mapped(described: list[tuple[int, int, int]]) -> OffsetMap:
    """Lay pieces (source gap, target gap, records) out behind each other."""
    offset_map, source, target = OffsetMap(), 40, 7
    for gap_source, gap_target, count in described:
        source, target = source + gap_source, target + gap_target
        offset_map.append(source, target, count)
        source, target = source + count, target + count
    return offset_map


def translated(pairs: list[Pair], source: int) -> int | None:
    """Translate as OffsetSyncStore.translateDownstream does with all pairs kept."""
    before = [pair for pair in pairs if pair[0] <= source]
    if not before:
        return None
    upstream, downstream = before[-1]
    return downstream + (source != upstream)


@given(pieces, st.data())
def test_no_position_translates_past_what_it_has_not_read(
    described: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    offset_map = mapped(described)
    first, target, length = offset_map.last_run() or (0, 0, 0)
    end = first + length
    known = data.draw(st.integers(ALL, end))
    pairs = pairs_after(offset_map, known)
    assert pairs == sorted(set(pairs))
    assert all(offset_map.to_target(source) == found for source, found in pairs)
    assert all(offset_map.to_source(found) == source for source, found in pairs)
    for position in range(40, end + 3):
        found = translated(pairs, position)
        right = offset_map.to_target(position)
        assert found is None or right is None or found <= right
    assert bool(pairs) == (known < end - 1)
    if pairs:
        assert pairs[-1] == (end - 1, target + length - 1)
        assert translated(pairs, end) == target + length  # a group at the end reads nothing twice


@given(pieces)
def test_whoever_lags_reads_again_no_more_than_he_lags_by(
    described: list[tuple[int, int, int]],
) -> None:
    """All that is mapped is within reach of the first look, exact at every run's beginning."""
    offset_map = mapped(described)
    pairs = pairs_after(offset_map, ALL)
    runs = list(offset_map.runs())
    end = runs[-1][0] + runs[-1][2]
    assert pairs[0] == runs[0][:2]
    assert {run[:2] for run in runs[-MOST_RUNS:]} <= set(pairs)
    for position in range(runs[0][0], end):
        found = translated(pairs, position)
        right = offset_map.to_target(position)
        assert found is not None
        assert right is not None
        reread_from = offset_map.to_source(found)
        assert reread_from is not None
        assert position - reread_from <= max(NEAREST, 2 * (end - position))


@given(pieces)
def test_of_folded_runs_only_records_are_written(described: list[tuple[int, int, int]]) -> None:
    """Between them the map answers with offsets that are no record's."""
    whole = mapped(described)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offset_map_module, "EXACT_RUNS", 8)
        patch.setattr(offset_map_module, "FOLD_RUNS", 8)
        patch.setattr(offset_map_module, "KEPT_OF_RUNS", 4)
        folded = mapped(described)
    for source, target in pairs_after(folded, ALL):
        assert (whole.to_target(source), whole.to_source(target)) == (target, source)


def test_few_are_enough_for_many_records() -> None:
    offset_map = mapped([(0, 0, 10_000_000)])
    assert len(pairs_after(offset_map, ALL)) < 25
    assert len(pairs_after(offset_map, 9_990_000)) < 12
    many = mapped([(1, 0, 1)] * 5_000)
    assert len(pairs_after(many, ALL)) < 2 * MOST_RUNS + 10


def test_where_what_stands_there_is_gone_on_from() -> None:
    offset_map = mapped([(0, 0, 100), (5, 0, 100)])  # 40..139 → 7.., 145..244 → 107..206
    assert where_to_begin(OffsetMap(), (1, 1), complete=True) is None
    assert where_to_begin(offset_map, None, complete=True) == ALL
    assert where_to_begin(offset_map, None, complete=False) == 243  # the newest alone
    assert where_to_begin(offset_map, (139, 106), complete=True) == 139
    assert where_to_begin(offset_map, (244, 206), complete=True) is None
    assert pairs_after(offset_map, 139) == [(145, 107), (244, 206)]
    assert pairs_after(offset_map, 244) == []


def test_another_history_is_written_anew_and_a_restart_is_not_one() -> None:
    offset_map = mapped([(0, 0, 100)])  # 40..139 → 7..106
    assert where_to_begin(offset_map, (100, 60), complete=True) == ALL  # stands elsewhere
    assert where_to_begin(offset_map, (500, 90), complete=True) == ALL  # source made anew
    assert where_to_begin(offset_map, (150, 117), complete=True) is None  # not caught up yet
