"""Which partitions are aligned, and how a mirror's offsets are to its source's, and why."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from engine.api.offsets_snapshots import OffsetsSnapshot, OffsetsState, OffsetsTotals
from engine.api.snapshots import SkippedRange
from engine.replication.identical.beginnings import Beginnings
from engine.replication.identical.entries import goals, holds
from engine.replication.identical.identity import BEFORE, note_beginning, offsets_of, totals
from engine.replication.offset_map import OffsetMap, Run
from engine.replication.partition import MirrorPartition, Progress
from engine.replication.positions import Beginning
from engine.replication.state_records import Entry, FlowRecord, decode_value, encode_value
from engine.replication.troubles import Began
from tests.unit.recording_listener import RecordingListener

NOT_FRESH = "the mirror was not fresh: it had held 7 records before"


def partition(number: int = 0) -> MirrorPartition:
    return MirrorPartition(("orders", number), "orders", RecordingListener())


class State:
    """A state topic: what is remembered is folded as a start after a crash folds it."""

    def __init__(self) -> None:
        self.record = FlowRecord()

    async def remember(self, entries: Iterable[Entry]) -> None:
        for key, value in entries:
            self.record.fold(key, decode_value(encode_value(value)), 0)

    def beginnings(self) -> Beginnings:
        return Beginnings(self.record, self.remember)


@pytest.mark.parametrize(
    ("at", "begins", "aligned_to"),
    [
        (Beginning(0, 0, 0, 0), Began(0, 0), None),  # nothing to do
        (Beginning(5, 5, 0, 0), None, 5),
        (Beginning(5, 0, 0, 0), None, 5),  # start: latest, or a timestamp
        (Beginning(7, 7, 0, 7), Began(7, 7), None),  # as it happens
        (Beginning(9, 9, 0, 7), Began(9, 7, NOT_FRESH), None),
        (Beginning(9, 9, 7, 7), Began(9, 7, NOT_FRESH), None),  # emptied by somebody
        (Beginning(0, 0, 0, 7), Began(0, 7, NOT_FRESH), None),
    ],
)
async def test_new_partitions(at: Beginning, begins: Began | None, aligned_to: int | None) -> None:
    one = partition()
    decision = State().beginnings().decide({one: at})
    assert decision.begin.get(one) == begins
    assert decision.align.get(one) == aligned_to


async def test_a_decision_holds_over_a_crash() -> None:
    """`latest` is decided once; the source's start may overtake it, the log may hold fillers."""
    state, one = State(), partition()
    await state.beginnings().aim({one: 100})
    after = state.beginnings()
    assert after.decide({one: Beginning(250, 0, 0, 0)}).align == {one: 100}
    assert after.decide({one: Beginning(250, 0, 0, 60)}).align == {one: 100}
    assert after.decide({one: Beginning(250, 180, 0, 0)}).align == {one: 180}
    assert after.decide({one: Beginning(250, 0, 40, 100)}).align == {one: 100}  # not deleted yet
    assert after.decide({one: Beginning(250, 0, 100, 100)}).begin == {one: Began(100, 100)}
    await after.fills(one, 4711)
    assert state.beginnings().goal(one).filled_by == 4711
    one.positioned = True
    await after.tidy()
    assert goals(state.record) == {}


async def test_a_mirror_that_turned_out_not_to_be_fresh() -> None:
    state, one = State(), partition()
    beginnings = state.beginnings()
    await beginnings.aim({one: 100})
    beginnings.decide({one: Beginning(100, 100, 0, 0)})
    beginnings.give_up(one, "somebody wrote into it")
    why = "the mirror was not fresh: somebody wrote into it"
    decision = beginnings.decide({one: Beginning(100, 100, 0, 3)})
    assert decision.begin == {one: Began(100, 3, why)}


async def test_what_is_on_record_of_topics_is_told_from_partitions() -> None:
    state, one = State(), partition()
    await state.beginnings().aim({one: 100})
    await state.remember([("sync/identical/orders", {"withheld": True})])
    assert list(goals(state.record)) == [("orders", 0)]
    assert holds(state.record) == {"orders": {"withheld": True}}


def mirrored(began: Began | None, *runs: Run, acked: tuple[int, int]) -> MirrorPartition:
    one = partition()
    one.positioned = True
    one.offset_map = OffsetMap(runs)
    one.acked = Progress(*acked, 0)
    one.history.began = began
    return one


def test_identical() -> None:
    assert offsets_of(mirrored(Began(5, 5), acked=(5, 5))) == OffsetsSnapshot(
        OffsetsState.IDENTICAL
    )
    one = mirrored(Began(5, 5), (5, 5, 100), acked=(105, 105))
    assert str(offsets_of(one)) == "identical"
    assert offsets_of(mirrored(None, (5, 0, 100), acked=(105, 100))) is None


@pytest.mark.parametrize(
    ("runs", "acked", "since", "because"),
    [
        # compaction took three records
        ([(5, 5, 10), (18, 15, 2)], (20, 17), 18, "source offsets 15 to 17 had no record any more"),
        # a marker at offset 15, seen already before the next record comes
        ([(5, 5, 10)], (16, 15), 16, "source offset 15 had transaction markers"),
        # the very first batch of the source is a marker
        ([], (6, 5), 6, "source offset 5 had"),
    ],
)
def test_where_it_begins_to_differ(
    runs: list[Run], acked: tuple[int, int], since: int, because: str
) -> None:
    one = mirrored(Began(5, 5), *runs, acked=acked)
    if "marker" in because:
        one.history.dropped_at = 15
    found = offsets_of(one)
    assert found is not None
    assert (found.state, found.since) == (OffsetsState.DIFFERS, since)
    assert found.because.startswith(because)


def test_why_it_differs() -> None:
    gap = mirrored(Began(0, 0), (0, 0, 10), (40, 10, 5), acked=(45, 15))
    gap.history.skip(SkippedRange(10, 40, 0.0, "lost by retention"))
    assert str(offsets_of(gap)) == (
        "differs since 40 because source offsets 10 to 39 were lost by retention"
    )
    strangers = mirrored(Began(0, 0), (0, 0, 10), (10, 13, 5), acked=(15, 18))
    strangers.history.foreign = 3
    assert str(offsets_of(strangers)) == (
        "differs since 10 because offsets 10 to 12 of the mirror were written by somebody else"
    )
    truncated = mirrored(Began(0, 0), (0, 0, 10), (10, 13, 5), acked=(15, 18))
    assert "hold records that the source lost" in str(offsets_of(truncated))
    other_flow = mirrored(Began(0, 0), (0, 0, 10), (12, 10, 5), acked=(17, 15))
    other_flow.history.left_out = 2
    assert "came into the source by another flow" in str(offsets_of(other_flow))
    not_fresh = mirrored(Began(9, 7, NOT_FRESH), (9, 7, 5), acked=(14, 12))
    assert str(offsets_of(not_fresh)) == f"differs since 9 because {NOT_FRESH}"


def test_after_it_began_anew() -> None:
    """Repairs of a topic that was created anew: from there on offsets are others."""
    one = mirrored(Began(0, 0), (0, 0, 10), acked=(10, 10))
    one.restart(0, 10)
    assert str(offsets_of(one)) == "differs since 0 because a topic was deleted and created anew"


def test_mirrored_before_it_was_asked_for() -> None:
    lucky = mirrored(None, (0, 0, 10), acked=(10, 10))
    note_beginning(lucky, identical=True)
    assert str(offsets_of(lucky)) == "identical"
    other = mirrored(None, (50, 0, 10), acked=(60, 10))
    note_beginning(other, identical=True)
    assert str(offsets_of(other)) == f"differs since 50 because {BEFORE}"
    note_beginning(other, identical=False)
    assert offsets_of(other) is None


def test_totals() -> None:
    good = mirrored(Began(0, 0), (0, 0, 10), acked=(10, 10))
    bad = mirrored(Began(9, 7, NOT_FRESH), acked=(9, 7))
    busy = partition()
    busy.aligning = True
    found = totals(map(offsets_of, [good, good, bad, busy]))
    assert found == OffsetsTotals(identical=2, aligning=1, differs=1)
    assert str(found) == "2 identical, 1 being aligned, 1 differ (ccr lag)"
    assert totals([None]) is None
