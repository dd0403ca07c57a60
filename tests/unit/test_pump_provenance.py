"""What other flows mirrored into the source is left out, and nothing else is."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.api.snapshots import PartitionState
from engine.kafka.fetch import PartitionData
from engine.replication.already_there import AlreadyThere
from engine.replication.both_ways.marks import FLOW_EPOCH, Inbound, UnknownOriginError
from engine.replication.partition import MirrorPartition, Progress
from engine.replication.pump import Append, Pump
from engine.replication.troubles import UnknownOrigin
from tests.unit import source_log as log
from tests.unit.recording_listener import RecordingListener
from tests.unit.source_log import Rec

PRODUCER = (4_711, FLOW_EPOCH)
FLOWS = (70, 71)
LOCAL = {
    "plain": (-1, -1, -1),
    "idempotent": (70_000, 0, 5),
    "another local one": (70_001, 3, 5),
    "transactional, as many transactions old": (70_002, FLOW_EPOCH, 5),
}
WRITERS = [*LOCAL, *FLOWS]


class Written(NamedTuple):
    """A batch of the source."""

    writer: str | int
    count: int
    size: int
    codec: int


def built(batches: list[Written]) -> tuple[list[tuple[int, int, bytes]], list[Rec]]:
    """Build the log; return its batches as (base, next, bytes), and what was first written here."""
    rows, local, base = [], [], 0
    for number, each in enumerate(batches):
        records = [
            Rec(base + n, 1_000 + number, b"k", f"{number}/{n} ".encode() * each.size)
            for n in range(each.count)
        ]
        by_flow = isinstance(each.writer, int)
        producer = (each.writer, FLOW_EPOCH, 9) if by_flow else LOCAL[str(each.writer)]
        attributes = log.TRANSACTIONAL if "transactional" in str(each.writer) else 0
        data = log.batch_of(records, codec=each.codec, producer=producer, attributes=attributes)
        rows.append((base, base + each.count, data))
        local += [] if by_flow else records
        base += each.count
    return rows, local


def fetched(rows: list[tuple[int, int, bytes]], position: int, most: int) -> memoryview:
    """Answer a fetch: the batch that holds `position` and some after it."""
    return log.joined([data for _, behind, data in rows if behind > position][:most])


def data_of(view: memoryview) -> PartitionData:
    """Say where the record set is."""
    return PartitionData("t", 0, 0, 10**6, 10**6, 0, (), 0, len(view))


written = st.builds(
    Written,
    st.sampled_from(WRITERS),
    st.sampled_from([1, 1, 2, 5, 16, 17]),
    st.sampled_from([1, 1, 60]),
    st.sampled_from([0, 0, 0, 1, 3]),
)


@settings(max_examples=200)
@given(
    st.lists(written, min_size=1, max_size=30),
    st.sets(st.sampled_from(FLOWS)),
    st.sampled_from([1, 3, 30]),
    st.sampled_from([64, 400, 256 * 1024]),
)
def test_only_what_was_first_written_here_goes_on(
    batches: list[Written], known: set[int], most: int, merge_limit: int
) -> None:
    """A batch of a flow that is not known holds the pump; everything before it goes on."""
    rows, local = built(batches)
    inbound: Inbound = dict.fromkeys(known, 0)
    pump = Pump(PRODUCER, 0, 0)
    pump.inbound, pump.merge_limit = inbound, merge_limit
    appends: list[Append] = []
    while pump.position < rows[-1][1]:
        view = fetched(rows, pump.position, most)
        unknown = None
        try:
            appends += pump.take(view, data_of(view), committed=True)
        except UnknownOriginError as error:
            unknown = error
        if unknown is not None:
            assert unknown.producer_id in set(FLOWS) - inbound.keys()
            assert all(sum(append.pieces[-1]) <= unknown.offset for append in appends)
            inbound[unknown.producer_id] = 0
    found = [
        Rec(offset, *record.content())
        for append in appends
        for record, offset in zip(
            log.read(append.payload),
            [at + n for at, count in append.pieces for n in range(count)],
            strict=True,
        )
    ]
    assert found == local
    brought = sum(each.count for each in batches if isinstance(each.writer, int))
    assert sum(append.left_out for append in appends) + pump.left_out == brought
    assert sum(inbound.values()) == brought


@given(st.lists(written, min_size=1, max_size=12))
def test_a_flow_that_takes_anybodys_records_leaves_nothing_out(batches: list[Written]) -> None:
    rows, _ = built(batches)
    pump = Pump(PRODUCER, 0, 0)
    view = fetched(rows, 0, len(rows))
    appends = pump.take(view, data_of(view), committed=True)
    assert sum(append.count for append in appends) == rows[-1][1]


def partition(rows: list[tuple[int, int, bytes]], inbound: Inbound) -> MirrorPartition:
    """Begin a partition and hand it a whole log."""
    made = MirrorPartition(("t", 0), "t", RecordingListener())
    made.acked, made.positioned = Progress(0, 0, 0), True
    made.begin(PRODUCER, None, 256 * 1024, inbound)
    view = fetched(rows, 0, len(rows))
    made.take(view, data_of(view), committed=True)
    return made


def test_a_partition_that_meets_an_unknown_flow_asks_and_waits() -> None:
    rows, _ = built([Written(70, 3, 1, 0)])
    made = partition(rows, {})
    listener = made._listener
    assert isinstance(listener, RecordingListener)
    assert listener.troubles == [UnknownOrigin(70, 0)]
    assert made.state == PartitionState.WAITING
    assert (made.acked.source, made.history.left_out) == (0, 0)


def test_what_goes_before_an_unknown_flow_is_mirrored_first() -> None:
    rows, _ = built([Written("plain", 2, 1, 0), Written(70, 3, 1, 0)])
    made = partition(rows, {})
    (append,) = made.queue
    assert (append.count, append.next_source) == (2, 2)
    made.appended(made.next_append(), 0)
    view = fetched(rows, made.position, 9)
    made.take(view, data_of(view), committed=True)
    assert isinstance(made._listener, RecordingListener)
    assert made._listener.troubles == [UnknownOrigin(70, 2)]
    assert made.acked.source == 2


def test_what_is_left_out_counts_once_its_place_is_passed_for_good() -> None:
    plain = Written("plain", 17, 1, 0)
    brought = [Written(70, count, 1, 0) for count in (3, 4, 5)]
    rows, _ = built([brought[0], plain, brought[1], plain, brought[2]])
    made = partition(rows, {70: 0})
    assert made.history.left_out == 0
    assert [append.left_out for append in made.queue] == [3, 9]
    first, second = made.next_append(), made.next_append()
    made.appended(first, 0)
    assert made.history.left_out == 3
    made.lost(second, "the connection ended")
    made.begin(PRODUCER, None, 256 * 1024, {70: 0})
    assert made.position == 20
    view = fetched(rows, 20, 9)
    made.take(view, data_of(view), committed=True)
    made.appended(made.next_append(), 17)
    assert (made.history.left_out, made.acked.source) == (12, 46)


@pytest.mark.parametrize("codec", [0, 1])
def test_a_damaged_batch_is_not_left_out_unseen(codec: int) -> None:
    """Its header might be what is wrong."""
    rows, _ = built([Written(70, 3, 1, codec)])
    broken = bytearray(rows[0][2])
    broken[-1] ^= 1
    pump = Pump(PRODUCER, 0, 0)
    pump.inbound = {70: 0}
    with pytest.raises(ValueError, match="CRC"):
        pump.take(memoryview(broken), data_of(memoryview(broken)), committed=True)
    assert (pump.position, pump.inbound) == (0, {70: 0})


@given(st.lists(st.sampled_from(["plain", 70, 71]), min_size=4, max_size=40))
def test_small_compressed_batches_are_joined_without_what_others_brought(
    writers: list[str | int],
) -> None:
    """Fetched together they are decoded and put into one: theirs must not get among ours."""
    rows, local = built([Written(writer, 1, 30, 1) for writer in writers])
    pump = Pump(PRODUCER, 0, 0)
    pump.inbound = {70: 0, 71: 0}
    view = fetched(rows, 0, len(rows))
    appends = pump.take(view, data_of(view), committed=True)
    values = [record.value for append in appends for record in log.read(append.payload)]
    assert values == [record.value for record in local]


def test_what_is_left_out_before_matched_records_counts_with_them() -> None:
    """After a start: the target holds two records more; what comes behind them is lost once."""
    rows, _ = built([Written(70, 3, 1, 0), Written("plain", 2, 1, 0), Written("plain", 17, 1, 0)])
    made = MirrorPartition(("t", 0), "t", RecordingListener())
    made.acked, made.positioned = Progress(0, 0, 0), True
    made.begin(PRODUCER, AlreadyThere([[0, 2]], proven=True), 256 * 1024, {70: 0})
    view = fetched(rows, 0, len(rows))
    made.take(view, data_of(view), committed=True)
    assert (made.history.left_out, made.acked.source) == (3, 5)
    made.lost(made.next_append(), "the connection ended")
    made.begin(PRODUCER, AlreadyThere(proven=True), 256 * 1024, {70: 0})
    view = fetched(rows, 5, len(rows))
    made.take(view, data_of(view), committed=True)
    made.appended(made.next_append(), 2)
    assert (made.history.left_out, made.acked.source) == (3, 22)
