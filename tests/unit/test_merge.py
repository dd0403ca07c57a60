"""Merging tiny batches: what comes out is what aiokafka reads in them, and nothing else."""

from __future__ import annotations

import pytest
from aiokafka.errors import CorruptRecordException
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka import varint
from engine.replication.merge import NEVER, TINY_BYTES, TINY_RECORDS, Merged
from tests.unit import source_log as log
from tests.unit.source_log import Content, Rec

NO_LIMIT = 2**30
PRODUCER = (42, 1, 1_000)
TINY = [(5, b"k", b"v", ())]
Runs = list[tuple[int, list[Content]]]  # offsets left out before the batch, its records

runs = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 5]),
        st.lists(log.contents, min_size=1, max_size=TINY_RECORDS),
    ),
    min_size=1,
    max_size=12,
)


def batches_of(described: Runs, first: int = 0) -> list[bytes]:
    """Build the batches that a strategy describes."""
    out = []
    for gap, rows in described:
        first += gap
        out.append(log.batch_of(log.dense(first, rows)))
        first += len(rows)
    return out


def pieces_of(records: list[Rec]) -> list[list[int]]:
    """Find the stretches of neighbouring offsets, the slow and plain way."""
    pieces: list[list[int]] = []
    for record in records:
        if pieces and sum(pieces[-1]) == record.offset:
            pieces[-1][1] += 1
        else:
            pieces.append([record.offset, 1])
    return pieces


@settings(max_examples=60)
@given(runs, st.integers(0, 2**40), st.binary(max_size=9))
def test_a_merged_batch_holds_the_records_of_all(described: Runs, first: int, lead: bytes) -> None:
    batches = batches_of(described, first)
    view = log.joined([lead, *batches])
    merged = Merged()
    at, position = merged.absorb(view, len(lead), len(view), first, NEVER, NO_LIMIT)
    expected = log.read(view[len(lead) :])
    assert at == len(view)
    assert position == expected[-1].offset + 1
    assert merged.batches == len(batches)
    assert merged.pieces == pieces_of(expected)
    assert merged.max_timestamp == max(record.timestamp for record in expected)
    batch = merged.finish(PRODUCER)
    assert log.read(batch) == [
        Rec(number, *record.content()) for number, record in enumerate(expected)
    ]
    header = log.header_of(batch)
    assert (header["producer_id"], header["producer_epoch"], header["base_sequence"]) == PRODUCER
    assert header["max_timestamp"] == merged.max_timestamp
    assert (header["base_offset"], header["attributes"]) == (0, 0)


@settings(max_examples=40)
@given(runs, st.integers(61, 2_000))
def test_a_full_batch_takes_no_more_and_the_next_goes_on(described: Runs, limit: int) -> None:
    batches = batches_of(described)
    view = log.joined(batches)
    at = position = 0
    out: list[Rec] = []
    while at < len(view):
        merged = Merged()
        began = at
        at, position = merged.absorb(view, at, len(view), position, NEVER, limit)
        if merged.batches == 0:
            break
        size_before_last = 0
        if merged.batches > 1:
            again = Merged()
            last = len(batches[_index(batches, at) - 1])
            again.absorb(view, began, at - last, 0, NEVER, NO_LIMIT)
            size_before_last = len(again.buffer)
        assert size_before_last < limit
        out += log.read(merged.finish(PRODUCER))
    expected = log.read(view) if limit > b.HEADER_SIZE else []
    assert [record.content() for record in out] == [record.content() for record in expected]


def _index(batches: list[bytes], at: int) -> int:
    edges = [sum(map(len, batches[:count])) for count in range(len(batches) + 1)]
    return edges.index(at)


@settings(max_examples=40)
@given(runs, st.data())
def test_a_run_ends_where_the_bytes_are_cut_off(described: Runs, data: st.DataObject) -> None:
    batches = batches_of(described)
    view = log.joined(batches)
    cut = data.draw(st.integers(0, len(view)))
    merged = Merged()
    at, position = merged.absorb(view, 0, cut, 0, NEVER, NO_LIMIT)
    whole = max(count for count in range(len(batches) + 1) if sum(map(len, batches[:count])) <= cut)
    assert (merged.batches, at) == (whole, sum(map(len, batches[:whole])))
    expected = log.read(view[:at])
    assert merged.count == len(expected)
    assert position == (expected[-1].offset + 1 if expected else 0)


def test_a_records_attributes_are_carried_along() -> None:
    """Kafka uses none of them so far."""
    batches = []
    for offset in range(2):
        batch = bytearray(log.batch_of(log.dense(offset, TINY)))
        batch[62] = 0x35
        batches.append(log.with_header(batch))
    view = log.joined(batches)
    merged = Merged()
    merged.absorb(view, 0, len(view), 0, NEVER, NO_LIMIT)
    assert [record.attributes for record in r.decode(memoryview(merged.finish(PRODUCER)))] == [
        0x35,
        0x35,
    ]


def test_many_records_need_longer_varints() -> None:
    """Offset deltas and timestamp deltas beyond the table of short ones."""
    count = varint.TABLE_SIZE + 100
    batches = [log.batch_of([Rec(n, 1_000 + 3 * n, b"k", None)]) for n in range(count)]
    merged = Merged()
    view = log.joined(batches)
    merged.absorb(view, 0, len(view), 0, NEVER, NO_LIMIT)
    found = log.read(merged.finish(PRODUCER))
    assert found == [Rec(n, 1_000 + 3 * n, b"k", None) for n in range(count)]
    assert merged.pieces == [[0, count]]


def not_merged() -> dict[str, bytes]:
    """Batches that must end a run, at offset 10."""
    many = log.dense(10, TINY * (TINY_RECORDS + 1))
    tiny = log.dense(10, TINY * 2)
    return {
        "too many records": log.batch_of(many),
        "too many bytes": log.batch_of([Rec(10, 5, b"k", b"v" * TINY_BYTES)]),
        "compressed": log.batch_of([Rec(10, 5, b"k" * 99, b"v" * 99)], codec=4),
        "log append time": log.batch_of(tiny, attributes=log.LOG_APPEND_TIME),
        "delete horizon": log.batch_of(tiny, attributes=log.DELETE_HORIZON),
        "marker": log.marker(10, 5, log.COMMIT),
        "holes": log.batch_of([tiny[0], Rec(12, 5, None, None)]),
        "emptied": log.empty_batch(10, 12, (5, 0, 0)),
        "shortened": log.batch_of(tiny, next_offset=14),
        "old format": log.with_header(log.batch_of(tiny), magic=1),
        "begins before what is wanted": log.batch_of(log.dense(1, TINY)),
    }


@pytest.mark.parametrize("kind", not_merged())
def test_a_run_ends_before_a_batch_of_another_kind(kind: str) -> None:
    head = [log.batch_of(log.dense(2 + number, TINY)) for number in range(3)]
    view = log.joined([*head, not_merged()[kind], log.batch_of(log.dense(90, TINY))])
    merged = Merged()
    at, position = merged.absorb(view, 0, len(view), 2, NEVER, NO_LIMIT)
    assert (at, position, merged.count) == (sum(map(len, head)), 5, 3)


def test_transactional_batches_are_merged_unless_excluded() -> None:
    one = [
        log.batch_of(log.dense(n, TINY), producer=(3, 0, n), attributes=log.TRANSACTIONAL)
        for n in range(4)
    ]
    view = log.joined(one)
    merged = Merged()
    merged.absorb(view, 0, len(view), 0, NEVER, NO_LIMIT)
    assert log.header_of(merged.finish(PRODUCER))["attributes"] == 0
    assert merged.count == 4
    assert Merged().absorb(view, 0, len(view), 0, NEVER | log.TRANSACTIONAL, NO_LIMIT) == (0, 0)


@pytest.mark.parametrize("before", [0, 2])
def test_every_flipped_bit_is_noticed(before: int) -> None:
    """What came before the damaged batch is merged; the damage is told when it comes first."""
    good = [log.batch_of(log.dense(n, TINY)) for n in range(before)]
    hit = log.batch_of(log.dense(before, TINY))
    for bit in range(b.AT_CRC * 8, len(hit) * 8):
        bad = bytearray(hit)
        bad[bit // 8] ^= 1 << bit % 8
        view = log.joined([*good, bytes(bad), log.batch_of(log.dense(before + 1, TINY))])
        merged = Merged()
        try:
            at, _ = merged.absorb(view, 0, len(view), 0, NEVER, NO_LIMIT)
        except b.CorruptBatchError:
            assert before == 0
            continue
        # Or its header now says that it is of another kind: left to the slow path, which checks.
        assert (at, merged.count) == (sum(map(len, good)), before)


@settings(max_examples=300)
@given(st.binary(min_size=0, max_size=60), st.integers(1, TINY_RECORDS))
def test_nonsense_with_a_right_crc_is_refused_or_read_alike(payload: bytes, count: int) -> None:
    whole = log.with_payload(log.batch_of(log.dense(0, TINY)), payload)
    view = log.joined([log.with_header(whole, count=count, last_offset_delta=count - 1)])
    merged = Merged()
    try:
        merged.absorb(view, 0, len(view), 0, NEVER, NO_LIMIT)
        batch = merged.finish(PRODUCER)
    except (ValueError, IndexError):
        return
    try:
        expected = log.read(view)
    except CorruptRecordException:
        return  # key, value or headers: ours to move, not to look into
    assert log.read(batch) == expected


@pytest.mark.parametrize("deltas", [[0, 0], [1, 2], [0, 64], [0, 1_000]])
def test_wrong_offsets_inside_are_refused_rather_than_garbled(deltas: list[int]) -> None:
    """Brokers don't check them in uncompressed batches, so a broken producer's do exist."""
    rows = [b"\x00\x00" + varint.encode(delta) + b"\x02k\x02v\x00" for delta in deltas]
    payload = b"".join(varint.encode(len(row)) + row for row in rows)
    view = log.joined([log.with_payload(log.batch_of(log.dense(0, TINY * 2)), payload)])
    with pytest.raises(b.CorruptBatchError, match="malformed"):
        Merged().absorb(view, 0, len(view), 0, NEVER, NO_LIMIT)
