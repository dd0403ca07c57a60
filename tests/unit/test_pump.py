"""The pump: whatever the source's log looks like, what comes out is what a consumer would see."""

from __future__ import annotations

import struct
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.fetch import Aborted, PartitionData
from engine.replication.already_there import AlreadyThere, DivergedError
from engine.replication.pump import Append, DisorderError, Pump, UnsupportedBatchError
from engine.replication.unreadable import find_unreadable
from tests.unit import source_log as log
from tests.unit import source_model
from tests.unit.source_log import Rec
from tests.unit.source_model import SourceLog, Step
from tests.unit.target_model import ranges_of

PRODUCER = (4_711, 3)
sequences = st.sampled_from([0, 17, 2**31 - 3])


class Fetches(NamedTuple):
    """How a run asks: batches at a time, bytes of one more, how far the aborted list reaches."""

    batches: int
    cut: int
    far: bool
    merge_limit: int


fetches = st.builds(
    Fetches,
    st.sampled_from([1, 2, 5, 30]),
    st.sampled_from([0, 10, 60, 61, 70, 500]),
    st.booleans(),
    st.sampled_from([64, 400, 256 * 1024]),
)


def raw(record: Rec, offset: int) -> r.RawRecord:
    """Return a record as the target's tail is read."""
    body = r.body(record.key, record.value, record.headers)
    return r.RawRecord(offset, record.timestamp, 0, body)


def run(pump: Pump, source: SourceLog, how: Fetches, *, committed: bool) -> list[Append]:
    """Fetch and take until the end, checking that each step moves on."""
    pump.merge_limit = how.merge_limit
    out: list[Append] = []
    while [v for v in source.visible(committed=committed) if v.next_offset > pump.position]:
        before = pump.position
        view, data = source.fetch(before, how.batches, how.cut, committed=committed, far=how.far)
        appends = pump.take(view, data, committed=committed)
        assert pump.position > before
        for append in appends:
            assert before < append.next_source <= pump.position
        out += appends
    return out


def mirrored(appends: list[Append], sequence: int) -> list[Rec]:
    """Read what was put out as a consumer of the target would; offsets are the source's."""
    found: list[Rec] = []
    next_source = -1
    for append in appends:
        header = log.header_of(append.payload)
        assert append.sequence == sequence
        assert header["base_offset"] == 0
        assert header["length"] == len(append.payload) - 12
        assert header["attributes"] & ~0x07 == 0
        assert (header["producer_id"], header["producer_epoch"]) == PRODUCER
        assert header["base_sequence"] == sequence
        assert header["count"] == header["last_offset_delta"] + 1 == append.count
        records = log.read(append.payload)
        assert [record.offset for record in records] == list(range(append.count))
        assert header["max_timestamp"] == append.max_timestamp
        offsets = [at + n for at, count in append.pieces for n in range(count)]
        found += [
            Rec(offset, *record.content()) for offset, record in zip(offsets, records, strict=True)
        ]
        assert next_source <= offsets[0]
        next_source = append.next_source
        assert offsets[-1] < next_source
        sequence = (sequence + append.count) % 2**31
    return found


@settings(max_examples=120)
@given(source_model.steps(), fetches, sequences, st.booleans(), st.data())
def test_what_comes_out_is_what_a_consumer_sees(
    steps: list[Step], how: Fetches, sequence: int, committed: bool, data: st.DataObject
) -> None:
    source = source_model.build(steps)
    start = data.draw(st.integers(0, source.end))
    expected = source.expected(start, committed=committed)
    pump = Pump(PRODUCER, start, sequence)
    appends = run(pump, source, how, committed=committed)
    assert mirrored(appends, sequence) == expected
    assert pump.sequence == (sequence + len(expected)) % 2**31
    last = [batch.next_offset for batch in source.visible(committed=committed)]
    assert pump.position == max([start, *last])


@settings(max_examples=60)
@given(source_model.steps(), fetches, sequences, st.data())
def test_records_that_are_there_already_are_counted_not_sent(
    steps: list[Step], how: Fetches, sequence: int, data: st.DataObject
) -> None:
    source = source_model.build([*steps, Step(0, None, 3, 1, 0, 0, source_model.Left.ALL, 0)])
    visible = source.expected(0, committed=True)
    if not visible:
        return  # everything lies behind an open transaction
    start = data.draw(st.integers(0, visible[-1].offset))
    expected = source.expected(start, committed=True)
    count = data.draw(st.integers(1, len(expected)))
    targets = spread(count, data.draw(st.lists(st.integers(1, 9), max_size=4)))
    there = AlreadyThere(ranges_of(targets), raw(expected[count - 1], targets[-1]))
    pump = Pump(PRODUCER, start, sequence)
    pump.already_there = there
    assert there.remaining == count

    appends = run(pump, source, how, committed=True)

    after = (sequence + count) % 2**31
    assert mirrored(appends, after) == expected[count:]
    assert pump.already_there is None
    pairs = [(s + n, t + n) for s, t, number in pump.matched for n in range(number)]
    assert pairs == list(zip([record.offset for record in expected], targets, strict=False))


def spread(count: int, lengths: list[int]) -> list[int]:
    """Lay out target offsets: stretches of these lengths with gaps between them."""
    offsets, at = [], 500
    for length in [*lengths, count]:
        offsets += range(at, at + length)
        at += length + 3
    return offsets[:count]


PLAIN = [Step(0, None, 1, 1, 0, 0, source_model.Left.ALL, 0)] * 10
CHANGES = {
    "value": lambda record: record._replace(value=b"another"),
    "key": lambda record: record._replace(key=b"another"),
    "header": lambda record: record._replace(headers=(("another", b""),)),
    "timestamp": lambda record: record._replace(timestamp=record.timestamp + 1),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("batches", [1, 30])
def test_a_target_that_holds_something_else_is_told(change: str, batches: int) -> None:
    source = source_model.build(PLAIN)
    expected = source.expected(0, committed=True)
    pump = Pump(PRODUCER, 0, 0)
    pump.already_there = AlreadyThere([[70, 6]], raw(CHANGES[change](expected[5]), 75))
    with pytest.raises(DivergedError, match=r"offset 75, differs from the source's at offset 5"):
        run(pump, source, Fetches(batches, 0, False, 9_999), committed=True)
    assert pump.position <= 5


def test_timestamps_do_not_count_where_the_target_writes_its_own() -> None:
    source = source_model.build(PLAIN)
    last = CHANGES["timestamp"](source.expected(0, committed=True)[5])
    pump = Pump(PRODUCER, 0, 0)
    pump.already_there = AlreadyThere([[70, 6]], raw(last, 75), compare_timestamps=False)
    assert len(mirrored(run(pump, source, Fetches(3, 0, False, 99), committed=True), 6)) == 4


def test_a_last_record_that_compaction_removed_is_not_compared() -> None:
    source = source_model.build(PLAIN)
    pump = Pump(PRODUCER, 0, 0)
    pump.already_there = AlreadyThere([[70, 6]], None)
    assert len(run(pump, source, Fetches(1, 0, False, 99), committed=True)) == 4


# The cheapest way that is right


def record_set(
    *batches: bytes, aborted: tuple[Aborted, ...] = ()
) -> tuple[memoryview, PartitionData]:
    """Frame batches as one partition's answer."""
    view = log.joined(batches)
    return view, PartitionData("topic", 0, 0, 99, 99, 0, aborted, 0, len(view))


def test_a_dense_batch_is_stamped_where_it_stands() -> None:
    view, data = record_set(log.batch_of(log.dense(7, [(1, b"k" * 99, b"v" * 99, ())]), codec=4))
    (append,) = Pump(PRODUCER, 0, 0).take(view, data, committed=True)
    assert isinstance(append.payload, memoryview)
    assert append.payload.obj is view.obj


def test_tiny_neighbours_become_one_batch_and_big_ones_end_it() -> None:
    tiny = [log.batch_of(log.dense(n, [(1, b"k", b"v", ())])) for n in range(5)]
    big = log.batch_of(log.dense(5, [(1, b"k", b"v" * 5_000, ())]))
    more = [log.batch_of(log.dense(n, [(1, b"k", b"v", ())])) for n in (6, 7)]
    view, data = record_set(*tiny, big, *more)
    appends = Pump(PRODUCER, 0, 0).take(view, data, committed=True)
    assert [append.count for append in appends] == [5, 1, 2]
    assert [append.next_source for append in appends] == [5, 6, 8]


def small(codec: int, count: int, first: int = 0) -> list[bytes]:
    """Build small batches in a codec, two records each, offsets missing before every third."""
    out = []
    for number in range(count):
        first += number % 3 == 2
        rows = [(first, b"key", b"value %d " % first * 20, (("h", None),))] * 2
        out.append(log.batch_of(log.dense(first, rows), codec=codec))
        first += 2
    return out


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
@pytest.mark.parametrize(("count", "appends"), [(3, 3), (4, 1), (40, 1)])
def test_small_compressed_batches_that_queue_up_are_joined(
    codec: int, count: int, appends: int
) -> None:
    batches = small(codec, count)
    pump = Pump(PRODUCER, 1, 5)  # inside the first
    view, data = record_set(*batches)
    expected = [record for record in log.read(view) if record.offset >= 1]
    found = pump.take(view, data, committed=True)
    assert len(found) == appends
    assert mirrored(found, 5) == expected
    assert {log.header_of(append.payload)["attributes"] for append in found} == {codec}
    assert pump.position == found[-1].next_source
    assert pump.epoch == 7


def test_joining_ends_at_the_limit_at_another_codec_and_at_damage() -> None:
    batches = small(3, 8)
    pump = Pump(PRODUCER, 0, 0)
    pump.merge_limit = 2_000  # bytes without compression: five of them
    view, data = record_set(*batches)
    assert [append.count for append in pump.take(view, data, committed=True)] == [10, 2, 2, 2]
    batches = [*small(3, 4), *small(4, 4, first=20)]
    view, data = record_set(*batches)
    appends = Pump(PRODUCER, 0, 0).take(view, data, committed=True)
    assert [append.count for append in appends] == [8, 8]
    bad = bytearray(batches[6])
    bad[-1] ^= 1
    batches[6] = bytes(bad)
    view, data = record_set(*batches)
    pump = Pump(PRODUCER, 0, 0)
    assert [append.count for append in pump.take(view, data, committed=True)] == [8, 2, 2]
    view, data = record_set(*batches[6:])
    with pytest.raises(b.CorruptBatchError, match="batch header says"):
        pump.take(view, data, committed=True)


def test_transactional_tiny_batches_are_merged_while_nothing_was_aborted() -> None:
    batches = [
        log.batch_of([Rec(n, 1, b"k", b"v")], producer=(3, 0, n), attributes=log.TRANSACTIONAL)
        for n in range(4)
    ]
    view, data = record_set(*batches, log.marker(4, 3, log.COMMIT))
    pump = Pump(PRODUCER, 0, 0)
    assert [append.count for append in pump.take(view, data, committed=True)] == [4]
    assert pump.position == 5
    view, data = record_set(*batches, log.marker(4, 3, log.ABORT), aborted=(Aborted(0, 3),))
    pump = Pump(PRODUCER, 0, 0)
    assert pump.take(view, data, committed=True) == []
    assert pump.position == 5


# What cannot be mirrored


def good(offset: int, codec: int = 0) -> bytes:
    """Build a batch that is not tiny."""
    return log.batch_of(log.dense(offset, [(1, b"k", b"v" * 90, ())] * 50), codec=codec)


def damaged(offset: int) -> bytes:
    """Build one with a flipped bit."""
    batch = bytearray(good(offset))
    batch[-7] ^= 0x10
    return bytes(batch)


def garbled(offset: int) -> bytes:
    """Build a compressed one with holes whose CRC is right but whose content is not."""
    whole = log.batch_of(log.dense(offset, [(1, b"k", b"v" * 90, ())] * 50), codec=4)
    return log.with_header(log.with_payload(whole, b"no zstd"), last_offset_delta=60)


def damaged_old(offset: int, size: int) -> bytes:
    """Build a message of format 1 with a wrong CRC: it may be smaller than a header of format 2."""
    body = struct.pack(">bbq", 1, 0, 1_000) + struct.pack(">ii", -1, size) + b"v" * size
    return struct.pack(">qiI", offset, len(body) + 4, 0) + body


POISON = {
    "flipped bit": (damaged(100), b.CorruptBatchError, "batch header says"),
    "undecodable": (garbled(100), b.CorruptBatchError, "zstd records cannot be decoded"),
    "old, small": (damaged_old(100, 3), b.CorruptBatchError, "message at offset 100 has CRC"),
    "old, large": (damaged_old(100, 300), b.CorruptBatchError, "message at offset 100 has CRC"),
    "unknown format": (
        good(100)[:16] + b"\x03" + good(100)[17:],
        UnsupportedBatchError,
        "message format 3",
    ),
    "no length": (
        struct.pack(">qiibI", 100, -12, -1, 2, 0) + bytes(60),
        b.CorruptBatchError,
        "says that it has 0 bytes",
    ),
    "all zeros": (bytes(200), b.CorruptBatchError, "says that it has 12 bytes"),
}


@pytest.mark.parametrize("kind", POISON)
def test_what_cannot_be_mirrored_is_told_after_all_that_came_before_it(kind: str) -> None:
    poison, error, words = POISON[kind]
    pump = Pump(PRODUCER, 0, 0)
    view, data = record_set(good(0), good(50), poison, good(150))
    appends = pump.take(view, data, committed=True)
    assert [record.offset for record in mirrored(appends, 0)] == list(range(100))
    assert (pump.position, pump.sequence) == (100, 100)
    for _ in range(2):
        view, data = record_set(poison, good(150))
        with pytest.raises(error, match=words):
            pump.take(view, data, committed=True)
        assert (pump.position, pump.sequence) == (100, 100)


def test_tiny_batches_before_a_damaged_one_are_mirrored() -> None:
    tiny = [log.batch_of(log.dense(n, [(1, b"k", b"v", ())])) for n in range(4)]
    bad = bytearray(tiny[3])
    bad[-1] ^= 1
    pump = Pump(PRODUCER, 0, 0)
    view, data = record_set(*tiny[:3], bytes(bad))
    assert [append.count for append in pump.take(view, data, committed=True)] == [3]
    view, data = record_set(bytes(bad))
    with pytest.raises(b.CorruptBatchError, match="offset 3 does not match its CRC"):
        pump.take(view, data, committed=True)


@pytest.mark.parametrize("size", [1, 16, 60, 61, 200])
def test_a_record_set_without_one_whole_batch_is_not_asked_for_again_and_again(size: int) -> None:
    view, data = record_set(good(0)[:size])
    with pytest.raises(b.CorruptBatchError, match="no whole batch"):
        Pump(PRODUCER, 0, 0).take(view, data, committed=True)


DISORDER = {"moved back": 30, "moved ahead": 5_000, "negative": -(2**40)}


@pytest.mark.parametrize("tiny", [False, True])
@pytest.mark.parametrize("how", DISORDER)
def test_a_base_offset_that_does_not_fit_its_neighbours_takes_nothing(how: str, tiny: bool) -> None:
    """No CRC covers it: what is in between would be lost, or be mapped wrongly."""
    batches = [good(0), good(50), good(100)]
    if tiny:
        batches[1:] = [log.batch_of(log.dense(n, [(1, b"k", b"v", ())])) for n in (50, 51, 52)]
    batches[1] = struct.pack(">q", DISORDER[how]) + batches[1][8:]
    view, data = record_set(*batches)
    pump = Pump(PRODUCER, 0, 7)
    with pytest.raises(DisorderError, match="stands behind one that ends at offset") as caught:
        pump.take(view, data, committed=True)
    assert (pump.position, pump.sequence, pump.epoch) == (0, 7, -1)
    found = find_unreadable(view, 0, caught.value)
    assert (found.first, found.next_offset, found.batch) == (0, None, bytes(view))


def test_an_empty_record_set_is_nothing() -> None:
    view, data = record_set()
    assert Pump(PRODUCER, 0, 0).take(view, data, committed=True) == []


@settings(max_examples=150)
@given(source_model.steps(), st.data())
def test_damage_anywhere_is_noticed_and_nothing_wrong_goes_on(
    steps: list[Step], data: st.DataObject
) -> None:
    """One byte changed, anywhere but in a base offset, which no CRC covers."""
    source = source_model.build(steps)
    expected = source.expected(0, committed=True)
    view, answer = source.fetch(0, 99, 0, committed=True, far=True)
    if answer.start == answer.end:
        return
    at = data.draw(st.integers(answer.start, answer.end - 1))
    if in_base_offset(source, at - answer.start):
        return
    view[at] ^= data.draw(st.integers(1, 255))
    pump = Pump(PRODUCER, 0, 0)
    try:
        appends = pump.take(view, answer, committed=True)
    except (ValueError, IndexError):
        return
    found = mirrored(appends, 0)
    assert found == expected[: len(found)]


def in_base_offset(source: SourceLog, at: int) -> bool:
    """Whether a byte belongs to a batch's base offset."""
    for batch in source.visible(committed=True):
        if at < 8:
            return True
        at -= len(batch.data)
        if at < 0:
            return False
    return False
