"""What the panels say of how the rest is kept in step, and of offsets."""

from __future__ import annotations

from dataclasses import replace

from ccr_tui.screens.facts import _both_ways_facts, _left_out, _sync_facts
from ccr_tui.widgets.table.columns import Tone
from engine.api.both_ways_snapshots import (
    ConflictsSnapshot,
    InboundFlowSnapshot,
    TopicConflicts,
)
from engine.api.offsets_snapshots import OffsetsSnapshot, OffsetsState
from engine.api.snapshots import OutOfStep, Reason, SyncSnapshot, SyncState
from tests.unit.test_status import FLOW, PARTITION


def test_what_is_not_in_step_stands_out_with_what_to_do() -> None:
    left = (OutOfStep("topic a\x1b", "DENY for User:*\n: not carried", "Deny it by name"),)
    syncs = (
        SyncSnapshot("configs", SyncState.IN_STEP, None, 3, (), 0, 1.0, 0.1),
        SyncSnapshot("acls", SyncState.OUT_OF_STEP, None, 0, left, 1, 1.0, 0.1),
        SyncSnapshot("groups", SyncState.FAILING, Reason("refused"), 0, left, 1, 1.0, 0.1),
    )
    assert [fact[1] for fact in _sync_facts(replace(FLOW, syncs=syncs))] == [
        (r"acls: out of step: topic a\x1b: DENY for User:* : not carried", Tone.WARN),
        ("Deny it by name", Tone.STRONG),
        ("groups: failing: refused", Tone.BAD),
        ("in step: configs", Tone.PLAIN),
    ]
    assert _sync_facts(FLOW) == []


def test_a_partition_tells_whether_its_offsets_are_the_sources() -> None:
    def told(offsets: OffsetsSnapshot | None) -> list[object]:
        return [fact[1] for fact in _left_out(replace(PARTITION, offsets=offsets))]

    assert told(None) == []
    assert told(OffsetsSnapshot(OffsetsState.IDENTICAL)) == [(" identical", Tone.PLAIN)]
    filling = OffsetsSnapshot(OffsetsState.ALIGNING, because="5 of 9")
    assert told(filling) == [(" aligning: 5 of 9", Tone.PLAIN)]
    differs = OffsetsSnapshot(OffsetsState.DIFFERS, 7, "it was compacted")
    assert told(differs) == [(" differs since 7 because it was compacted", Tone.WARN)]


def test_flows_into_the_source_and_conflicts_are_told() -> None:
    inbound = (
        InboundFlowSnapshot("west-to-east", "west", True, 1_234),
        InboundFlowSnapshot("north-to-east", "north\x1b", False, 0),
    )
    found = ConflictsSnapshot(10.0, 500, 0, 1_002, (TopicConflicts("orders", 1_002, ()),))
    told = _both_ways_facts(replace(FLOW, inbound=inbound, conflicts=found))
    assert [fact[1] for fact in told] == [
        ("west-to-east: the other way; 1,234 records left out", Tone.PLAIN),
        (r"north-to-east: brings what north\x1b has to east; 0 records left out", Tone.PLAIN),
        ("1,002 keys written on several clusters at a time, most in orders", Tone.WARN),
    ]
    assert _both_ways_facts(FLOW) == []


def test_a_partition_tells_what_it_leaves_out() -> None:
    told = _left_out(replace(PARTITION, left_out_records=4_321))
    assert [fact[1] for fact in told] == [
        (" 4,321 records came by other flows, left out", Tone.PLAIN)
    ]
