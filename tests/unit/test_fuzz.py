"""Truncated and mutated frames: refused by the declared errors, or read; never a wrong record.

Every case comes from one number, which a failure prints: `FUZZ_CASE=<kind>:<number>` runs it alone.
"""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Callable
from functools import cache

import pytest
from aiokafka.protocol.fetch import FetchResponse_v11
from aiokafka.protocol.produce import ProduceResponse_v7, ProduceResponse_v8

from engine.kafka import fetch, fetch_by_id, produce
from engine.kafka import records as r
from engine.kafka.fetch import Aborted, FetchResponse, PartitionData
from engine.replication.pump import Pump
from tests.unit import source_log as log
from tests.unit import test_fetch_by_id_wire as by_id
from tests.unit import test_legacy as legacy
from tests.unit.source_log import Rec

IN_CI = 3_000
SOAK = 1_000_000
SLOW_S = 1.0  # CPU time; a frame of a few kilobytes takes well under a millisecond

# What the fetcher, the sender and the partition catch; UnicodeDecodeError is a ValueError.
DECLARED = (struct.error, IndexError, ValueError)


def mutated(chance: random.Random, frame: bytes) -> bytes:
    """Cut, flip, overwrite, insert, remove, repeat: one to three of them."""
    out = bytearray(frame)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = chance.randrange(len(out) + 1)
        size = chance.choice((1, 1, 2, 4, 8))
        match chance.randrange(7):
            case 0:
                del out[at:]
            case 1 if at < len(out):
                out[at] ^= 1 << chance.randrange(8)
            case 2 if at < len(out):
                out[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            case 3:
                out[at : at + size] = chance.choice((b"\xff", b"\0", b"\x80")) * size
            case 4:
                out[at:at] = chance.randbytes(size)
            case 5:
                del out[at : at + size]
            case _:
                out[at:at] = out[max(0, at - size * 8) : at]
    return bytes(out)


# Record sets: every kind of batch, small ones that are merged and big ones that are not.


@cache
def record_set() -> tuple[bytes, tuple[Aborted, ...], tuple[Rec, ...]]:
    """Return batches, the aborted transactions in them, and the records that count."""
    batches: list[bytes] = []
    records: list[Rec] = []
    at = 0
    for magic, codec in ((0, 0), (1, 0), (1, 2)):
        more, at = legacy.message_set(
            legacy.Group(magic, codec, None, ((0, 5, b"k", b"v"), (2, 6, None, b"v" * 9))), at
        )
        batches += more
        records += legacy.expected(more)
    for codec in (0, 0, 0, 1, 2, 3, 4):
        count = 1 if codec == 0 else 3
        rows = [(1_000 + n, b"key", b"value %d " % n * 5, (("h", None),)) for n in range(count)]
        batches.append(log.batch_of(log.dense(at, rows), codec=codec))
        records += log.read(batches[-1])
        at += count
    holes = [Rec(at + n, 2_000, b"key", b"value" * 9) for n in (0, 2, 5)]
    batches.append(log.batch_of(holes, codec=0))
    at += 6
    append_time = log.dense(at, [(1, b"k", b"v" * 30, ())] * 2)
    batches.append(log.batch_of(append_time, codec=4, attributes=log.LOG_APPEND_TIME))
    at += 2
    batches.append(log.empty_batch(at, at + 3, (6, 0, 0)))
    at += 3
    aborted = log.dense(at, [(1, b"aborted", b"v", ())])
    kind = {"producer": (7, 0, 0), "attributes": log.TRANSACTIONAL}
    batches += [log.batch_of(aborted, **kind), log.marker(at + 1, 7, log.ABORT)]  # type: ignore[arg-type]
    last = log.batch_of(log.dense(at + 2, [(1, b"k", b"v" * 5_000, ())]))
    batches.append(last)
    for batch in (*batches[-6:-4], last):
        records += log.read(batch)
    return b"".join(batches), (Aborted(at, 7),), tuple(records)


CONTENT = frozenset(record.content() for record in record_set()[2])


def take(frame: bytes, data: PartitionData) -> None:
    """Pump a record set: whatever comes out is one of the records that went in, each once.

    Offsets stand outside the CRC: where they are wrong, so may be the map, but never the order.
    """
    pump = Pump((1, 0), 0, 0)
    appends = pump.take(memoryview(bytearray(frame)), data, committed=True)
    before = -1
    for append in appends:
        payload = memoryview(append.payload)
        header = r.read_header(payload)
        assert header.record_count == append.count
        assert header.size == len(payload)
        records = log.read(payload)
        offsets = [at + n for at, count in append.pieces for n in range(count)]
        assert len(records) == len(offsets) == append.count
        assert offsets == sorted(set(offsets))
        assert offsets[0] > before
        before = offsets[-1]
        wrong = [record for record in records if record.content() not in CONTENT]
        assert not wrong, wrong


def one_record_set(chance: random.Random) -> bool:
    """Mutate bytes; return whether it was taken."""
    whole, aborted, _ = record_set()
    frame = mutated(chance, whole)
    data = PartitionData("t", 0, 0, 999, 999, 0, aborted, 0, len(frame))
    try:
        take(frame, data)
    except DECLARED:
        return False
    return True


# Answers


@cache
def fetch_frame() -> bytes:
    """Build an answer to Fetch v11 with the record set in it."""
    records, aborted, _ = record_set()
    gone = [(a.producer_id, a.first_offset) for a in aborted]
    topics = [
        ("orders", [(0, 0, 99, 99, 0, gone, -1, records), (1, 0, 9, 9, 0, None, -1, b"")]),
        ("größe", [(0, 6, -1, -1, -1, None, -1, None)]),
    ]
    encoded: bytes = FetchResponse_v11(100, 0, 7, topics).encode()
    return struct.pack(">i", 9) + encoded


@cache
def fetch_by_id_frame() -> bytes:
    """Build an answer to Fetch v13 with the record set in it."""
    records, aborted, _ = record_set()
    gone = [(a.producer_id, a.first_offset, {}) for a in aborted]
    diverging = {1: b"\x0d" + struct.pack(">iqb", 3, 70, 0)}
    topics = [
        (by_id.IDS["orders"], [(0, 0, 99, 99, 0, gone, -1, records, {})], {}),
        (by_id.IDS["größe"], [(0, 0, 9, 9, 0, None, -1, None, diverging)], {}),
    ]
    encoded: bytes = by_id.RESPONSE.encode(({}, 100, 0, 7, topics, {}))
    tag_1, tag_0 = (bytes([1, tag, 13, 0, 0, 0, 3]) for tag in (1, 0))  # aiokafka writes no 0
    assert encoded.count(tag_1) == 1
    return struct.pack(">i", 9) + encoded.replace(tag_1, tag_0)


def _taken(frame: bytes, parse: Callable[[memoryview], FetchResponse]) -> bool:
    try:
        answered = parse(memoryview(frame))
        assert len(answered.partitions) <= len(frame)
        for data in answered.partitions:
            assert 0 <= data.start <= data.end <= len(frame)
            # The aborted list has no CRC: without it all that was in the log may come out.
            take(frame, data._replace(aborted=record_set()[1]))
    except DECLARED:
        return False
    return True


def one_fetch(chance: random.Random) -> bool:
    """Mutate an answer to Fetch v11."""
    return _taken(mutated(chance, fetch_frame()), fetch.parse_response)


def one_fetch_by_id(chance: random.Random) -> bool:
    """Mutate an answer to Fetch v13."""
    return _taken(
        mutated(chance, fetch_by_id_frame()),
        lambda view: fetch_by_id.parse_response(view, by_id.NAMES),
    )


@cache
def produce_frame(version: int) -> bytes:
    """Build an answer to Produce with an error."""
    if version == 7:
        body = ProduceResponse_v7([("orders", [(0, 0, 5, -1, 0), (1, 87, -1, -1, 0)])], 50)
    else:
        refused = (1, 87, -1, -1, 0, [(4, "no key"), (9, None)], "Größe")
        body = ProduceResponse_v8([("orders", [(0, 0, 5, -1, 0, [], None), refused])], 50)
    encoded: bytes = body.encode()
    return struct.pack(">i", 3) + encoded


def one_produce(chance: random.Random) -> bool:
    """Mutate an answer to Produce."""
    version = chance.choice((7, 8))
    frame = mutated(chance, produce_frame(version))
    try:
        answers = produce.parse_response(memoryview(frame), version)
    except DECLARED:
        return False
    assert len(answers) <= len(frame)
    return True


KINDS = {
    "records": one_record_set,
    "fetch": one_fetch,
    "fetch by id": one_fetch_by_id,
    "produce": one_produce,
}


def run(kind: str, first: int, count: int) -> None:
    """Run so many cases, each from its own number."""
    only = os.environ.get("FUZZ_CASE", "").rpartition(":")
    if only[0]:
        first, count = int(only[2]), int(only[0] == kind)
    taken = 0
    slowest = 0.0
    for number in range(first, first + count):
        began = time.thread_time()
        try:
            taken += KINDS[kind](random.Random(f"{kind} {number}"))
        except BaseException:
            print(f"FUZZ_CASE={kind}:{number}")
            raise
        slowest = max(slowest, time.thread_time() - began)
        assert slowest < SLOW_S, f"FUZZ_CASE={kind}:{number} took {slowest:.1f} s"
    print(f"{kind}: {count:,} frames, {taken:,} read, slowest {slowest * 1000:.1f} ms")


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_not_damaged_is_read(kind: str) -> None:
    """Or the others would prove nothing."""
    whole, aborted, records = record_set()
    data = PartitionData("t", 0, 0, 999, 999, 0, aborted, 0, len(whole))
    appends = Pump((1, 0), 0, 0).take(memoryview(bytearray(whole)), data, committed=True)
    found = [record.content() for append in appends for record in log.read(append.payload)]
    assert found == [record.content() for record in records]
    if kind == "fetch":
        assert _taken(fetch_frame(), fetch.parse_response)
    if kind == "fetch by id":
        frame = fetch_by_id_frame()
        assert _taken(frame, lambda view: fetch_by_id.parse_response(view, by_id.NAMES))
        assert len(fetch_by_id.parse_response(memoryview(frame), by_id.NAMES).partitions) == 2
    if kind == "produce":
        assert len(produce.parse_response(memoryview(produce_frame(8)), 8)) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_frames(kind: str) -> None:
    run(kind, 0, IN_CI)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("kind", KINDS)
def test_a_million_damaged_frames(kind: str) -> None:
    share = {"records": 400_000, "fetch": 200_000, "fetch by id": 200_000, "produce": 200_000}
    assert sum(share.values()) == SOAK
    run(kind, IN_CI, share[kind])
