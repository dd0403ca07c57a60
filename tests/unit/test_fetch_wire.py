"""Fetch requests, answers and sessions, against aiokafka's structs and a broker's session cache."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest
from aiokafka.protocol.api import RequestHeader_v1, RequestHeader_v2
from aiokafka.protocol.fetch import FetchRequest_v11, FetchResponse_v11
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kafka import fetch, wire
from engine.kafka.fetch import Aborted, FetchSession, Position, TopicPartition

keys = st.tuples(st.sampled_from(["orders", "größe", "x" * 249]), st.integers(0, 5))
int64 = st.integers(0, 2**63 - 1)


@given(
    st.dictionaries(keys, int64, max_size=8),
    st.lists(keys, unique=True, max_size=6),
    st.tuples(st.integers(0, 2**31 - 1), st.integers(-1, 2**31 - 1)),
    st.sampled_from([fetch.READ_COMMITTED, fetch.READ_UNCOMMITTED]),
)
def test_a_request_is_what_aiokafka_reads(
    offsets: dict[TopicPartition, int],
    forgotten: list[TopicPartition],
    session: tuple[int, int],
    isolation: int,
) -> None:
    body = fetch.request_body(
        {key: Position(offset) for key, offset in offsets.items()},
        forgotten,
        session=session,
        isolation=isolation,
        max_wait_ms=500,
        max_bytes=8_000_000,
        partition_max_bytes=1_000_000,
    )
    request = FetchRequest_v11.decode(body)
    assert request.encode() == body
    assert (request.replica_id, request.max_wait_time, request.min_bytes) == (-1, 500, 1)
    assert (request.max_bytes, request.isolation_level) == (8_000_000, isolation)
    assert (request.session_id, request.session_epoch) == session
    assert request.rack_id == ""
    asked = {
        (topic, partition): (epoch, offset, log_start, size)
        for topic, partitions in request.topics
        for partition, epoch, offset, log_start, size in partitions
    }
    assert asked == {key: (-1, offset, -1, 1_000_000) for key, offset in offsets.items()}
    assert len(request.topics) == len({topic for topic, _ in offsets})
    assert sorted((t, p) for t, ps in request.forgotten_topics_data for p in ps) == sorted(
        forgotten
    )


@given(st.integers(0, 100), st.integers(0, 12), st.integers(0, 2**31 - 1))
def test_a_request_header_is_aiokafkas(api_key: int, version: int, correlation: int) -> None:
    class Asked:
        API_KEY = api_key
        API_VERSION = version

    flexible = version >= {0: 9, 1: 12}.get(api_key, 13)
    header = RequestHeader_v2 if flexible else RequestHeader_v1
    expected = header(Asked, correlation, wire.CLIENT_ID).encode()
    assert wire.request_header(api_key, version, correlation) == expected


partitions = st.tuples(
    st.integers(0, 2**31 - 1),
    st.integers(-1, 100),
    int64,
    st.integers(-1, 2**63 - 1),
    int64,
    st.one_of(st.none(), st.lists(st.tuples(int64, int64), max_size=4)),
    st.integers(-1, 9),
    st.one_of(st.none(), st.binary(max_size=40)),
)
topics = st.lists(st.tuples(st.text(max_size=4), st.lists(partitions, max_size=4)), max_size=4)
Topics = list[tuple[str, list[tuple]]]  # type: ignore[type-arg]


def frame_of(error: int, session: int, answered: Topics) -> bytearray:
    """Build a response frame, correlation id first."""
    return bytearray(
        struct.pack(">i", 9) + FetchResponse_v11(100, error, session, answered).encode()
    )


@settings(max_examples=50)
@given(st.integers(-1, 100), st.integers(0, 2**31 - 1), topics)
def test_what_aiokafka_writes_is_found_where_it_stands(
    error: int, session: int, answered: Topics
) -> None:
    frame = frame_of(error, session, answered)
    response = fetch.parse_response(memoryview(frame))
    assert (response.error, response.session_id) == (error, session)
    expected = [(topic, *fields) for topic, rows in answered for fields in rows]
    assert len(response.partitions) == len(expected)
    for found, (topic, partition, code, high, stable, log_start, aborted, _, records) in zip(
        response.partitions, expected, strict=True
    ):
        assert (found.topic, found.partition, found.error) == (topic, partition, code)
        assert found.high_watermark == high
        assert (found.last_stable_offset, found.log_start_offset) == (stable, log_start)
        assert found.aborted == tuple(Aborted(first, pid) for pid, first in aborted or ())
        assert frame[found.start : found.end] == (records or b"")


DOCUMENTED = (struct.error, IndexError, UnicodeDecodeError)
EXAMPLE: Topics = [
    ("orders", [(0, 0, 9, 9, 0, [(5, 3), (6, 4)], -1, b"records"), (1, 0, 9, 9, 0, None, -1, b"")]),
    ("größe", [(0, 6, -1, -1, -1, None, -1, None)]),
]


def test_a_frame_that_is_cut_off_anywhere_is_refused() -> None:
    frame = frame_of(0, 7, EXAMPLE)
    fetch.parse_response(memoryview(frame))
    for cut in range(len(frame)):
        with pytest.raises(DOCUMENTED):
            fetch.parse_response(memoryview(frame[:cut]))


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_frame_is_read_or_refused_and_never_reached_beyond(data: st.DataObject) -> None:
    frame = frame_of(0, 7, EXAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        response = fetch.parse_response(memoryview(frame))
    except DOCUMENTED:
        return
    assert all(0 <= p.start <= p.end <= len(frame) for p in response.partitions)


# Sessions


class BrokersSession:
    """What a broker keeps of a client's fetch session (KIP-227, `FetchSession.scala`)."""

    def __init__(self) -> None:
        self.session_id = 0
        self.epoch = 0
        self.partitions: dict[TopicPartition, Position] = {}
        self._made = 0

    def fetch(
        self,
        tell: dict[TopicPartition, Position],
        forget: list[TopicPartition],
        session: tuple[int, int],
    ) -> tuple[int, int]:
        """Take a request in; return (error, session id)."""
        session_id, epoch = session
        if epoch == 0:
            self._made += 1
            self.session_id, self.epoch = self._made, 1
            self.partitions = dict(tell)
            return 0, self.session_id
        if session_id != self.session_id or not session_id:
            return fetch.SESSION_NOT_FOUND, 0
        if epoch != self.epoch:
            return fetch.BAD_SESSION_EPOCH, 0
        self.epoch += 1
        for key in forget:
            assert key in self.partitions, "only what the session holds is forgotten"
            del self.partitions[key]
        self.partitions.update(tell)
        return 0, self.session_id


few_keys = st.sampled_from([("orders", 0), ("orders", 1), ("events", 0)])
changes = st.lists(
    st.one_of(
        st.tuples(st.just("want"), few_keys, st.integers(0, 3)),
        st.tuples(st.just("drop"), few_keys, st.just(0)),
        st.tuples(st.just("ask"), st.just(("", 0)), st.just(0)),
        st.tuples(st.just("evicted"), st.just(("", 0)), st.just(0)),
        st.tuples(st.just("reconnected"), st.just(("", 0)), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(changes)
def test_the_broker_always_fetches_what_is_wanted(
    happens: list[tuple[str, TopicPartition, int]],
) -> None:
    session, broker = FetchSession(), BrokersSession()
    wanted: dict[TopicPartition, Position] = {}
    for what, key, offset in [*happens, ("ask", ("", 0), 0), ("ask", ("", 0), 0)]:
        if what == "want":
            session.want(key, Position(offset))
            wanted[key] = Position(offset)
        elif what == "drop":
            session.drop(key)
            wanted.pop(key, None)
        elif what == "evicted":
            broker.session_id = 0
        elif what == "reconnected":
            session.reset()
        elif what == "ask":
            ask(session, broker)
            assert broker.partitions == wanted
        assert len(session) == len(wanted)
    tell, forget, _ = session.next_request()
    assert (tell, forget) == ({}, []), "nothing changed, so nothing is told"


def ask(session: FetchSession, broker: BrokersSession) -> None:
    """Fetch as the fetcher does: begin a new session when the broker forgot ours."""
    error, session_id = broker.fetch(*session.next_request())
    if error:
        assert error in (fetch.SESSION_NOT_FOUND, fetch.BAD_SESSION_EPOCH)
        session.reset()
        error, session_id = broker.fetch(*session.next_request())
        assert error == 0
    session.answered(session_id)


def test_ten_thousand_idle_partitions_are_an_empty_request() -> None:
    session = FetchSession()
    for number in range(10_000):
        session.want(("orders", number), Position(5))
    session.next_request()
    session.answered(1)
    session.want(("orders", 77), Position(6))
    assert session.next_request() == ({("orders", 77): Position(6)}, [], (1, 1))
    session.answered(1)
    assert session.next_request() == ({}, [], (1, 2))


def test_without_a_session_every_request_tells_everything() -> None:
    """A broker whose session cache is full answers with session id 0."""
    session = FetchSession()
    session.want(("orders", 0), Position(5))
    for _ in range(3):
        assert session.next_request() == ({("orders", 0): Position(5)}, [], (0, 0))
        session.answered(fetch.NO_SESSION)


def test_epochs_begin_again_at_one() -> None:
    session = FetchSession()
    session.next_request()
    session.answered(1)
    session._epoch = 2**31 - 1
    session.answered(1)
    assert epochs(session, 2) == [1, 2]


def epochs(session: FetchSession, count: int) -> Iterable[int]:
    """Ask so many times; return the epochs told."""
    told = []
    for _ in range(count):
        told.append(session.next_request()[2][1])
        session.answered(1)
    return told
