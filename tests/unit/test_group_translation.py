"""Translation of commits against a list that knows every record."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.snapshots import SkippedRange
from engine.replication import offset_map
from engine.replication.offset_map import OffsetMap
from engine.replication.partition import MirrorPartition
from engine.replication.sync.groups.translation import (
    QUARANTINED,
    OneWay,
    again_from_start,
    not_on_target,
)
from tests.unit.recording_listener import RecordingListener

ONE_WAY = OneWay()

# What is left out on either side before a piece, and the piece's records.
pieces = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 6)), min_size=0, max_size=12
)
Pieces = list[tuple[int, int, int]]
Pairs = list[tuple[int, int]]


def mirrored(described: Pieces, behind: int = 0) -> tuple[MirrorPartition, Pairs]:
    """Have a partition mirrored from 40 on, to 7 on, and `behind` dealt with after the last."""
    partition = MirrorPartition(("orders", 0), "orders", RecordingListener())
    partition.offset_map = OffsetMap()
    partition.positioned = True
    source, target = 40, 7
    pairs: Pairs = []
    for gap_source, gap_target, count in described:
        source, target = source + gap_source, target + gap_target
        partition.offset_map.append(source, target, count)
        pairs += [(source + at, target + at) for at in range(count)]
        source, target = source + count, target + count
    partition.acked.source, partition.acked.target = source + behind, target
    return partition, pairs


@given(pieces, st.integers(0, 3), st.data())
def test_places_and_counts_are_right(described: Pieces, behind: int, data: st.DataObject) -> None:
    partition, pairs = mirrored(described, behind)
    commit = data.draw(st.integers(35, partition.acked.source + 3))
    unread = [target for source, target in pairs if source >= commit]
    place = ONE_WAY.place(partition, commit)
    assert place == min(unread, default=partition.acked.target)
    assert ONE_WAY.again(partition, commit, place) == 0
    assert ONE_WAY.ahead(partition, commit, place) == 0

    other = data.draw(st.integers(0, partition.acked.target + 3))
    read = [target for source, target in pairs if source < commit]
    assert ONE_WAY.again(partition, commit, other) == sum(target >= other for target in read)
    assert ONE_WAY.ahead(partition, commit, other) == sum(target < other for target in unread)
    assert again_from_start(partition, commit) == len(read)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 3)), min_size=40, max_size=60
    ),
    st.data(),
)
def test_among_folded_runs_nothing_is_missed(described: Pieces, data: st.DataObject) -> None:
    """There the place may be too early, never too late, and counts are the most there may be."""
    limits = {"EXACT_RUNS": 4, "FOLD_RUNS": 8, "KEPT_OF_RUNS": 4, "COARSE_RUNS": 4}
    with patch.multiple(offset_map, **limits):
        partition, pairs = mirrored(described)
        commit = data.draw(st.integers(35, partition.acked.source + 1))
        unread = [target for source, target in pairs if source >= commit]
        exact = min(unread, default=partition.acked.target)
        place = ONE_WAY.place(partition, commit)
        assert place <= exact
        read = [target for source, target in pairs if source < commit]
        assert ONE_WAY.again(partition, commit, place) >= sum(each >= place for each in read)
        # What was committed there while the map was exact is no reason to rewind.
        assert ONE_WAY.ahead(partition, commit, exact) == 0


@pytest.mark.parametrize(
    ("commit", "from_start", "lost"),
    [
        (60, True, 5),  # at the end of what is mirrored
        (62, True, 3),  # it has read beyond that
        (70, True, 0),
        (38, True, 5 + 3),  # and what is in quarantine; not what retention took
        (56, True, 5 + 2),
        (38, False, 5 + 3 + 4),  # the flow began at 42
    ],
)
def test_what_is_not_on_the_target(commit: int, from_start: bool, lost: int) -> None:
    partition, _ = mirrored([(2, 0, 13), (3, 0, 2)])
    partition.history.skipped = [
        SkippedRange(45, 50, 0.0, "lost by retention"),
        SkippedRange(55, 58, 0.0, QUARANTINED),
    ]
    assert not_on_target(partition, commit, from_start=from_start) is None
    partition.observe_end(65, 0.0)
    assert not_on_target(partition, commit, from_start=from_start) == lost


def test_nothing_is_on_the_target_before_it_is_mirrored() -> None:
    partition = MirrorPartition(("orders", 0), "orders", RecordingListener())
    partition.observe_end(65, 0.0)
    assert not_on_target(partition, 60, from_start=True) == 5
