"""Produce requests and answers, against aiokafka's structs."""

from __future__ import annotations

import struct

import pytest
from aiokafka.protocol.produce import (
    ProduceRequest_v7,
    ProduceRequest_v8,
    ProduceResponse_v7,
    ProduceResponse_v8,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kafka import produce
from engine.kafka.produce import Appended

keys = st.tuples(st.sampled_from(["orders", "größe", "x" * 249]), st.integers(0, 5))
int64 = st.integers(-1, 2**63 - 1)


@given(st.dictionaries(keys, st.binary(max_size=50), max_size=8))
@pytest.mark.parametrize("request_type", [ProduceRequest_v7, ProduceRequest_v8])
def test_a_request_is_what_aiokafka_reads(
    request_type: type[ProduceRequest_v7], batches: dict[tuple[str, int], bytes]
) -> None:
    parts = produce.request_body(
        [(topic, partition, batch) for (topic, partition), batch in batches.items()],
        timeout_ms=20_000,
    )
    body = b"".join(parts)
    request = request_type.decode(body)
    assert request.encode() == body
    assert request.transactional_id is None
    assert (request.required_acks, request.timeout) == (-1, 20_000)
    found = {(topic, p): batch for topic, rows in request.topics for p, batch in rows}
    assert found == batches
    assert len(request.topics) == len({topic for topic, _ in batches})


def test_batches_go_out_without_being_copied() -> None:
    frame = memoryview(bytearray(b"a frame with a batch in it"))
    batch = frame[15:20]
    parts = produce.request_body([("orders", 0, batch)], timeout_ms=1)
    assert any(part is batch for part in parts)


plain = st.tuples(st.integers(0, 9), st.integers(-1, 100), int64, int64, int64)
topics = st.lists(st.tuples(st.text(max_size=8), st.lists(plain, max_size=4)), max_size=4)
Topics = list[tuple[str, list[tuple]]]  # type: ignore[type-arg]


@given(topics)
def test_answers_of_version_7(answered: Topics) -> None:
    frame = struct.pack(">i", 3) + ProduceResponse_v7(answered, 50).encode()
    assert produce.parse_response(memoryview(frame), 7) == [
        Appended(topic, partition, error, base, "")
        for topic, rows in answered
        for partition, error, base, _, _ in rows
    ]


def answer(records: list[tuple[int, str | None]] | None, message: str | None) -> bytes:
    """Build an answer of version 8 with an error between two others."""
    good = (0, 0, 500, -1, 0, [], None)
    bad = (1, 87, -1, -1, 0, records, message)
    last = (0, 0, 7, -1, 0, None, None)
    topics = [("orders", [good, bad]), ("größe", [last])]
    return struct.pack(">i", 3) + ProduceResponse_v8(topics, 50).encode()


WORDS: dict[str, tuple[list[tuple[int, str | None]] | None, str | None, str]] = {
    "none": ([], None, ""),
    "null": (None, None, ""),
    "message": ([], "Records were rejected", "Records were rejected"),
    "records": ([(4, "no key"), (9, None)], None, "record 4: no key; record 9: refused"),
    "both": ([(4, "no key")], "Rejected", "Rejected; record 4: no key"),
    "many": ([(n, "x") for n in range(50)], "", "record 0: x; record 1: x; record 2: x"),
}


@pytest.mark.parametrize("kind", WORDS)
def test_the_brokers_own_words_are_passed_on(kind: str) -> None:
    records, message, words = WORDS[kind]
    assert produce.parse_response(memoryview(answer(records, message)), 8) == [
        Appended("orders", 0, 0, 500, ""),
        Appended("orders", 1, 87, -1, words),
        Appended("größe", 0, 0, 7, ""),
    ]


DOCUMENTED = (struct.error, IndexError, UnicodeDecodeError)


def test_an_answer_that_is_cut_off_is_refused() -> None:
    frame = answer([(4, "no key")], "Rejected")
    for cut in range(len(frame) - 4):  # the throttle time at the end is not read
        with pytest.raises(DOCUMENTED):
            produce.parse_response(memoryview(frame[:cut]), 8)


@settings(max_examples=200)
@given(st.data(), st.sampled_from([7, 8]))
def test_a_damaged_answer_is_read_or_refused(data: st.DataObject, version: int) -> None:
    frame = bytearray(answer([(4, "no key")], "Rejected"))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        answers = produce.parse_response(memoryview(frame), version)
    except DOCUMENTED:
        return
    assert len(answers) < len(frame)
