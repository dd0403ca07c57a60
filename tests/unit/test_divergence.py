"""What of failback needs no broker: keeping what was found, gaps of maps, stretches taken whole."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kafka import records as r
from engine.kafka.fetch import PartitionData
from engine.replication.both_ways.marks import FLOW_EPOCH
from engine.replication.both_ways.whole import Whole, whole_entry, whole_of
from engine.replication.offset_map import EXACT_RUNS, FOLD_RUNS, OffsetMap
from engine.replication.pump import Pump
from engine.replication.state_records import Entry, FlowRecord
from engine.runbook.divergence import (
    Divergence,
    PartitionDivergence,
    Standing,
    forget,
    keep,
    kept,
)

FLOW_ID = 7


class Topic:
    """A state topic in memory."""

    def __init__(self) -> None:
        self.record = FlowRecord()
        self.entries: list[Entry] = []

    async def remember(self, entries: Iterable[Entry]) -> None:
        for key, value in entries:
            self.entries.append((key, value))
            self.record.fold(key, value, 0)


def found(*topics: str, at: float = 1.5) -> Divergence:
    """A divergence of two partitions a topic."""
    rows = [
        PartitionDivergence(
            topic, number, topic, Standing.FORKED, 3, 9, 5, 100, lost_from=2, first_ms=4, last_ms=5
        )
        for topic in sorted(topics)
        for number in (0, 1)
    ]
    return Divergence("flow", "east", "west", at, False, tuple(rows))


async def test_what_was_found_is_kept_until_it_is_forgotten() -> None:
    topic = Topic()
    assert kept("flow", topic.record) is None
    await keep(topic.remember, topic.record, found("a", "b"))
    assert kept("flow", topic.record) == found("a", "b")
    await keep(topic.remember, topic.record, found("b", "c", at=2.0))
    assert kept("flow", topic.record) == found("b", "c", at=2.0)
    await forget(topic.remember, topic.record)
    assert kept("flow", topic.record) is None
    assert not topic.record.synced["divergence"]


async def test_what_was_kept_in_part_counts_for_nothing() -> None:
    """Killed between two appends: the head is written last, and deleted first."""
    topic = Topic()
    await keep(topic.remember, topic.record, found("a", "b"))
    half = FlowRecord()
    for key, value in topic.entries[:-1]:
        half.fold(key, value, 0)
    assert kept("flow", half) is None
    await forget(topic.remember, topic.record)
    assert topic.entries[-3][0] == "sync/divergence/."


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), max_size=8), st.integers(0, 30))
def test_the_first_offset_that_no_run_has(gaps: list[tuple[int, int]], start: int) -> None:
    """As counting offset by offset has it."""
    offset_map, source, target = OffsetMap(), 0, 5
    for gap, length in gaps:
        source, target = source + 1, target + gap
        offset_map.append(source, target, length)
        source, target = source + length, target + length
    taken = {at + n for _, at, count in offset_map.runs() for n in range(count)}
    end = max(target, start)
    expected = next((at for at in range(start, end) if at not in taken), end)
    assert offset_map.first_strange(start, end, others=True) == expected


def test_among_folded_runs_only_others_leave_gaps() -> None:
    """A transactional source makes many runs and no gap on the target."""
    offset_map = OffsetMap()
    count = EXACT_RUNS + 2 * FOLD_RUNS
    for number in range(count):
        offset_map.append(2 * number, number, 1)
    assert offset_map.coarse
    assert offset_map.first_strange(0, count + 5, others=False) == count
    assert offset_map.first_strange(100, count + 5, others=False) == count
    assert offset_map.first_strange(0, count + 5, others=True) == 1


def batch(base: int, count: int, *, flows: bool) -> bytes:
    """A batch as it stands in a log, by a flow or by somebody else."""
    rows = [r.RawRecord(0, 1, 0, r.body(b"k", b"%d" % (base + number))) for number in range(count)]
    producer = (FLOW_ID, FLOW_EPOCH, base) if flows else (-1, -1, -1)
    data = r.encode(rows, 0, producer)
    data[:8] = base.to_bytes(8, "big")
    return bytes(data)


@pytest.mark.parametrize("ends", [(4, 8), (5, 8), (4, 6), (0, 8), (0, 20), (12, 20), (3, 4)])
@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_a_stretch_is_taken_whole_and_nothing_else_of_a_flow(
    ends: tuple[int, int], at_once: int
) -> None:
    """Fetched in any pieces: own records always, a flow's between the offsets and nowhere else."""
    log = [
        (batch(0, 4, flows=True), True, range(4)),
        (batch(4, 4, flows=True), True, range(4, 8)),
        (batch(8, 2, flows=False), False, range(8, 10)),
        (batch(10, 2, flows=True), True, range(10, 12)),
        (batch(12, 1, flows=False), False, range(12, 13)),
    ]
    first, end = ends
    inbound = {FLOW_ID: 0}
    whole = Whole(first, end, inbound)
    pump = Pump((9, FLOW_EPOCH), 0, 0)
    taken: list[int] = []
    deadline = time.monotonic() + 5
    while pump.position < 13:
        assert time.monotonic() < deadline, f"it stays at {pump.position}"
        rest = [data for data, _, offsets in log if offsets[-1] >= pump.position][:at_once]
        view = memoryview(bytearray(b"".join(rest)))
        data = PartitionData("t", 0, 0, 13, 13, 0, (), 0, len(view))
        for append in pump.take(view, whole.prepare(pump, view, data), committed=True):
            taken += [at + n for at, count in append.pieces for n in range(count)]
    # A batch that begins before the end was written before it, too: batches are one flow's.
    reached = max((offsets[-1] + 1 for _, _, offsets in log if offsets[0] < end), default=0)
    assert taken == [
        at for _, flows, offsets in log for at in offsets if not flows or first <= at < reached
    ]


def test_the_stretch_is_in_the_state_topic() -> None:
    record = FlowRecord()
    assert whole_of(record, ("t", 3), {}) is None
    key, value = whole_entry(("t", 3), 5, 8)
    record.fold(key, value, 0)
    assert whole_of(record, ("t", 3), {1: 0}) == Whole(5, 8, {1: 0})
    assert whole_of(record, ("t", 4), {}) is None
