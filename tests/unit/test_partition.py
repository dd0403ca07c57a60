"""One partition's states: what it does at each answer, and what it tells."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from engine.api.snapshots import PartitionState
from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.codes import Code
from engine.kafka.fetch import Aborted, Diverging, PartitionData
from engine.replication.already_there import AlreadyThere
from engine.replication.partition import (
    MOST_RETRY_PAUSE_S,
    TRUST_S,
    MirrorPartition,
    Progress,
)
from engine.replication.pump import Append
from engine.replication.splitting import split
from engine.replication.troubles import POISON as POISON_CODES
from engine.replication.troubles import OutOfRange, Refused, Truncated, Unreadable, remedy
from tests.unit import source_log as log
from tests.unit.recording_listener import RecordingListener
from tests.unit.source_log import Rec

PRODUCER = (99, 0)
NO_LIMIT = 2**40
Answering = Callable[[MirrorPartition, Append], None]


def batch(offset: int, codec: int = 0) -> bytes:
    """Build a batch of ten records that is not merged with others."""
    return log.batch_of(log.dense(offset, [(offset, b"k", b"v" * 500, ())] * 10), codec=codec)


def aborted_tail(offset: int) -> list[bytes]:
    """An aborted transaction: three records, its marker."""
    rows = log.dense(offset, [(1, b"k", b"v", ())] * 3)
    data = log.batch_of(rows, producer=(5, 0, 0), attributes=log.TRANSACTIONAL)
    return [data, log.marker(offset + 3, 5, log.ABORT)]


class Case:
    """A partition that begins at source offset 100, target offset 1,000, sequence 7."""

    def __init__(self, there: AlreadyThere | None = None) -> None:
        self.listener = RecordingListener()
        self.partition = MirrorPartition(("orders", 3), "mirror", self.listener)
        self.partition.acked = Progress(100, 1_000, 7)
        self.partition.positioned = True
        self.partition.begin(PRODUCER, there or AlreadyThere(proven=True), 256 * 1024)

    def fetched(
        self, *batches: bytes, aborted: tuple[Aborted, ...] = (), end: int = 10_000
    ) -> None:
        """Hand a partition's record set over, as the fetcher does."""
        view = log.joined(batches)
        data = PartitionData("orders", 3, 0, end, end, 0, aborted, 0, len(view))
        self.partition.observe(data, committed=True, now=50.0)
        self.partition.take(view, data, committed=True)

    def sent(self, count: int) -> list[Append]:
        """Send appends."""
        return [self.partition.next_append() for _ in range(count)]

    def holds_nothing(self) -> bool:
        """Whether all bytes were given back."""
        return self.partition.held == self.listener.held == 0 and self.partition.idle


def test_acknowledgements_in_order_move_all_three_numbers_and_the_map() -> None:
    case = Case()
    case.fetched(batch(100), batch(110))
    p = case.partition
    assert (p.position, p.acked) == (120, Progress(100, 1_000, 7))
    first, second = case.sent(2)
    assert case.listener.held == p.held == len(first.payload) + len(second.payload)
    p.appended(first, 1_000)
    assert p.acked == Progress(110, 1_010, 17, 100)
    p.appended(second, 1_010)
    assert p.acked == Progress(120, 1_020, 27, 110)
    assert list(p.offset_map.runs()) == [(100, 1_000, 20)]
    assert (p.measures.records_total, p.measures.bytes_total) == (
        20,
        len(first.payload) + len(second.payload),
    )
    assert case.holds_nothing()
    assert case.listener.acknowledged == 2


def test_what_follows_without_records_is_dealt_with_when_the_last_append_is() -> None:
    """Aborted records and markers behind an append: next time begins after them."""
    for arrives_later in (False, True):
        case = Case()
        tail, aborted = aborted_tail(110), (Aborted(110, 5),)
        if arrives_later:
            case.fetched(batch(100))
            (append,) = case.sent(1)
            case.fetched(*tail, aborted=aborted)
        else:
            case.fetched(batch(100), *tail, aborted=aborted)
            (append,) = case.sent(1)
        assert case.partition.acked.source == 100
        case.partition.appended(append, 1_000)
        assert case.partition.acked == Progress(114, 1_010, 17, 100)


def test_without_anything_held_markers_count_at_once_and_are_checkpointed() -> None:
    case = Case()
    changes = case.listener.changes
    case.fetched(*aborted_tail(100), aborted=(Aborted(100, 5),))
    assert case.partition.acked == Progress(104, 1_000, 7)
    assert case.listener.changes > changes
    assert case.listener.work == 0


def test_strangers_records_are_told_and_the_map_stays_right() -> None:
    case = Case()
    case.fetched(batch(100), batch(110))
    first, second = case.sent(2)
    case.partition.appended(first, 1_000)
    case.partition.appended(second, 1_013)
    assert case.listener.strangers == [(1_010, 1_013)]
    assert list(case.partition.offset_map.runs()) == [(100, 1_000, 10), (110, 1_013, 10)]
    assert case.partition.acked.target == 1_023


def test_a_target_that_fell_back_stops_the_partition() -> None:
    case = Case()
    p = case.partition
    case.fetched(batch(100), batch(110))
    p.appended(case.sent(2)[0], 990)
    assert p.state == PartitionState.STOPPED
    assert p.reason is not None
    assert "appended at offset 990, before 1000: it lost records" in p.reason.text
    assert p.acked == Progress(100, 1_000, 7)
    assert case.holds_nothing()


def test_behind_another_connection_the_target_is_looked_at_before_the_next_append() -> None:
    case = Case()
    p = case.partition
    case.fetched(batch(100))
    p.distrust()
    p.appended(case.sent(1)[0], 1_000)
    p.distrust()
    case.fetched(batch(110))
    assert case.listener.resyncs == [True]
    assert p.idle
    p.begin(PRODUCER, AlreadyThere(proven=True), NO_LIMIT)
    case.fetched(batch(110))
    assert case.listener.resyncs == [True]
    assert len(p.queue) == 1


def test_until_the_target_knows_our_sequence_a_second_append_waits_for_the_first() -> None:
    """A broker without our sequence takes any: the second must not pass a refused first."""
    case = Case(AlreadyThere())
    p = case.partition
    case.fetched(batch(100), batch(110))
    assert p.sendable
    first = p.next_append()
    assert not p.sendable
    told = case.listener.work
    p.appended(first, 1_000)
    assert p.sendable
    assert case.listener.work == told + 1
    case.fetched(batch(120))
    p.next_append()
    assert p.sendable


def test_after_a_long_idle_time_the_target_is_looked_at_before_the_next_append(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case()
    p = case.partition
    case.fetched(batch(100))
    p.appended(case.sent(1)[0], 1_000)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + TRUST_S - 1)
    case.fetched(batch(110))
    assert case.listener.resyncs == []
    p.appended(case.sent(1)[0], 1_010)
    monkeypatch.setattr(time, "monotonic", lambda: now + 2 * TRUST_S)
    case.fetched(batch(120))
    assert case.listener.resyncs == [True]
    assert p.state == PartitionState.WAITING
    assert p.idle
    assert p.acked == Progress(120, 1_020, 27, 110)


# Failures


FAILURES: dict[str, tuple[Answering, str, bool]] = {
    "lost": (lambda p, a: p.lost(a, "broker 1 went away"), "broker 1 went away", False),
    "leader moved": (
        lambda p, a: p.refused(a, Code.NOT_LEADER_OR_FOLLOWER, "elsewhere"),
        "the target answered NOT_LEADER_OR_FOLLOWER: elsewhere",
        False,
    ),
    "sequence": (
        lambda p, a: p.refused(a, Code.OUT_OF_ORDER_SEQUENCE_NUMBER, ""),
        "the target refused our sequence (OUT_OF_ORDER_SEQUENCE_NUMBER)",
        True,
    ),
    "no offset": (
        lambda p, a: p.appended(a, -1),
        "the target answered without an offset",
        False,
    ),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_after_a_failure_all_answers_are_awaited_then_the_target_is_looked_at(kind: str) -> None:
    answer, words, sequence_refused = FAILURES[kind]
    case = Case()
    case.fetched(*(batch(offset) for offset in range(100, 150, 10)))
    p = case.partition
    sent = case.sent(3)
    answer(p, sent[0])
    assert not p.queue
    assert not p.wants_data(NO_LIMIT)
    case.fetched(batch(150))
    assert p.idle is False
    assert not p.queue
    assert case.listener.resyncs == []
    p.appended(sent[1], 1_010)  # true, but what it says is found out by looking
    assert case.listener.resyncs == []
    p.refused(sent[2], Code.MESSAGE_TOO_LARGE, "")
    assert case.listener.resyncs == [sequence_refused]
    assert p.state == PartitionState.WAITING
    assert p.reason is not None
    assert (p.reason.text, p.reason.retriable) == (words, True)
    assert p.acked == Progress(100, 1_000, 7)
    assert (p.position, p.active) == (100, False)
    assert case.holds_nothing()


REFUSALS = {
    Code.TOPIC_AUTHORIZATION_FAILED: "Grant WRITE",
    Code.UNSUPPORTED_COMPRESSION_TYPE: "compression.type",
    Code.POLICY_VIOLATION: "Remove the cause",
    1_234: "Remove the cause",
}


@pytest.mark.parametrize("error", REFUSALS)
def test_what_does_not_go_away_by_itself_stops_the_partition_with_its_remedy(error: int) -> None:
    case = Case()
    case.fetched(batch(100), batch(110), batch(120), batch(130))
    p = case.partition
    sent = case.sent(3)
    p.appended(sent[0], 1_000)
    p.refused(sent[1], error, "because")
    assert p.state == PartitionState.STOPPED
    assert p.reason is not None
    assert "batch at source offset 110" in p.reason.text
    assert p.reason.text.endswith(": because")
    assert REFUSALS[error] in p.reason.next_step
    assert p.reason.retriable is False
    assert p.acked == Progress(110, 1_010, 17, 100)
    p.refused(sent[2], Code.OUT_OF_ORDER_SEQUENCE_NUMBER, "")  # what follows from the first
    assert p.state == PartitionState.STOPPED
    assert case.listener.resyncs == []
    assert case.holds_nothing()


def test_an_answer_out_of_turn_is_not_taken_for_the_oldest() -> None:
    """While its leader moves, a partition has appends on two connections."""
    case = Case()
    case.fetched(batch(100), batch(110))
    first, second = case.sent(2)
    case.partition.appended(second, 1_010)
    assert case.partition.acked == Progress(100, 1_000, 7)
    case.partition.appended(first, 1_000)
    assert case.listener.resyncs == [False]
    assert case.holds_nothing()


@pytest.mark.parametrize("kind", [*FAILURES, "acknowledged", "too large"])
def test_answers_of_a_former_life_change_nothing(kind: str) -> None:
    answers: dict[str, Answering] = {name: answer for name, (answer, _, _) in FAILURES.items()}
    answers["acknowledged"] = lambda p, a: p.appended(a, 1_000)
    answers["too large"] = lambda p, a: p.refused(a, Code.MESSAGE_TOO_LARGE, "")
    case = Case()
    p = case.partition
    case.fetched(batch(100), batch(110))
    old = case.sent(2)
    p.halt(PartitionState.PAUSED)
    assert case.holds_nothing()
    for append in old:
        answers[kind](p, append)
    assert (p.state, p.acked) == (PartitionState.PAUSED, Progress(100, 1_000, 7))
    p.begin(PRODUCER, None, NO_LIMIT)
    case.fetched(batch(100))
    (new,) = case.sent(1)
    for append in old:
        answers[kind](p, append)
    assert (p.state, p.held) == (PartitionState.RUNNING, len(new.payload))
    p.appended(new, 1_000)
    assert p.acked == Progress(110, 1_010, 17, 100)
    assert case.listener.resyncs == []
    assert case.holds_nothing()


def test_a_new_beginning_lets_go_of_what_was_held() -> None:
    case = Case()
    case.fetched(batch(100), batch(110), batch(120))
    case.sent(1)
    case.partition.begin(PRODUCER, None, NO_LIMIT)
    assert case.holds_nothing()
    assert case.partition.position == 100


# What the target holds already


def test_records_that_are_there_already_are_entered_not_sent() -> None:
    there = AlreadyThere([[1_000, 10], [1_020, 5]], None)
    case = Case(there)
    case.fetched(batch(100))
    p = case.partition
    assert p.acked == Progress(110, 1_010, 17)
    case.fetched(batch(110))
    assert p.acked == Progress(115, 1_025, 22)
    assert list(p.offset_map.runs()) == [(100, 1_000, 10), (110, 1_020, 5)]
    (append,) = case.sent(1)
    assert (append.count, append.sequence, not p.queue) == (5, 22, True)
    p.appended(append, 1_025)
    assert p.acked == Progress(120, 1_030, 27, 110)


def test_a_mirror_that_holds_something_else_stops() -> None:
    other = log.batch_of([Rec(0, 100, b"k", b"another")])
    last = r.decode(memoryview(other))[0]._replace(offset=1_004)
    case = Case(AlreadyThere([[1_000, 5]], last))
    case.fetched(batch(100))
    p = case.partition
    assert p.state == PartitionState.STOPPED
    assert p.reason is not None
    assert p.reason.text.startswith("the mirror diverged: the target's last record, at offset 1004")
    assert "mirror" in p.reason.next_step
    assert p.acked == Progress(100, 1_000, 7)


# The source


POISON: dict[str, tuple[bytes, str]] = {
    "corrupt": (batch(110)[:-1] + b"!", "cannot be read: CRC is"),
    "undecodable": (
        log.with_header(log.with_payload(batch(110, 4), b"nonsense"), last_offset_delta=60),
        "zstd records cannot be decoded",
    ),
}


@pytest.mark.parametrize("kind", POISON)
def test_a_batch_that_cannot_be_read_is_told_behind_all_that_came_before(kind: str) -> None:
    poison, words = POISON[kind]
    case = Case()
    p = case.partition
    case.fetched(batch(100), poison, batch(120))
    assert (p.position, p.state) == (110, PartitionState.RUNNING)
    case.fetched(poison, batch(120))
    assert p.state == PartitionState.RUNNING
    assert not p.wants_data(NO_LIMIT)
    assert not p.soon_wanted
    (append,) = case.sent(1)
    assert case.listener.troubles == []
    p.appended(append, 1_000)
    (found,) = case.listener.troubles
    assert isinstance(found, Unreadable)
    assert (found.first, found.next_offset, found.batch) == (110, 120, poison)
    assert words in found.why
    assert p.state == PartitionState.WAITING
    assert p.acked == Progress(110, 1_010, 17, 100)
    assert case.holds_nothing()


@pytest.mark.parametrize("error", POISON_CODES)
def test_a_batch_refused_for_what_it_holds_is_told_with_its_records(error: int) -> None:
    case = Case()
    p = case.partition
    case.fetched(batch(100), batch(115), batch(125))
    sent = case.sent(3)
    payload = bytes(sent[1].payload)
    p.appended(sent[0], 1_000)
    p.refused(sent[1], error, "because")
    assert case.listener.troubles == [], "first all that is in flight is answered"
    p.refused(sent[2], Code.OUT_OF_ORDER_SEQUENCE_NUMBER, "")
    (found,) = case.listener.troubles
    assert isinstance(found, Refused)
    assert (found.first, found.next_offset, found.error) == (115, 125, error)
    assert found.offsets == tuple(range(115, 125))
    assert found.why.endswith(": because")
    assert found.batch == payload
    assert "mirror topic" in remedy(error)
    assert case.listener.resyncs == []
    assert p.acked == Progress(110, 1_010, 17, 100)


def test_refused_again_and_again_it_waits_longer_and_says_so_until_it_gets_through() -> None:
    case = Case()
    p = case.partition
    pauses = []
    for _ in range(9):
        case.fetched(batch(100))
        p.refused(case.sent(1)[0], Code.NOT_ENOUGH_REPLICAS, "")
        before = time.monotonic()
        pauses.append(next(n for n in range(9) if p.due(before + 0.05 * 2**n)))
        p.begin(PRODUCER, AlreadyThere(proven=True), NO_LIMIT)
        assert p.state == PartitionState.WAITING, "no flicker: it has not got through yet"
        assert p.reason is not None
        assert p.reason.text == "the target answered NOT_ENOUGH_REPLICAS"
        assert p.soon_wanted
    assert pauses == sorted(pauses)
    assert pauses[0] == 0
    assert pauses[-1] > 3, "longer and longer"
    assert p.due(time.monotonic() + MOST_RETRY_PAUSE_S), "but not for ever"
    assert case.listener.resyncs == [False] * 9
    case.fetched(batch(100))
    p.appended(case.sent(1)[0], 1_000)
    assert (p.state, p.reason) == (PartitionState.RUNNING, None)
    assert p.due(time.monotonic())


def test_the_halves_of_a_refused_batch_go_on_where_it_stood() -> None:
    case = Case()
    p = case.partition
    case.fetched(batch(103, 4))
    p.refused(case.sent(1)[0], Code.MESSAGE_TOO_LARGE, "")
    (refused,) = case.listener.troubles
    assert isinstance(refused, Refused)
    p.split = split(refused, p.acked.source)
    p.begin(PRODUCER, AlreadyThere(proven=True), NO_LIMIT)
    assert p.position == 113
    halves = case.sent(2)
    assert [(half.sequence, half.count, half.next_source) for half in halves] == [
        (7, 5, 108),
        (12, 5, 113),
    ]
    assert [r.read_header(memoryview(half.payload)).codec for half in halves] == [4, 4]
    content = [row for half in halves for row in log.read(half.payload)]
    assert [row.content() for row in content] == [
        row.content() for row in log.read(bytearray(batch(103, 4)))
    ]
    p.appended(halves[0], 1_000)
    p.appended(halves[1], 1_005)
    assert list(p.offset_map.runs()) == [(103, 1_000, 10)]
    assert p.acked == Progress(113, 1_010, 17, 103)


def test_halves_are_forgotten_when_something_else_came_between() -> None:
    case = Case()
    p = case.partition
    case.fetched(batch(100))
    p.refused(case.sent(1)[0], Code.MESSAGE_TOO_LARGE, "")
    (refused,) = case.listener.troubles
    assert isinstance(refused, Refused)
    p.split = split(refused, p.acked.source)
    p.begin(PRODUCER, AlreadyThere([[1_000, 3]], proven=True), NO_LIMIT)
    assert (p.position, p.idle) == (100, True)


def test_a_source_with_another_history_is_told_once_all_held_is_mirrored() -> None:
    case = Case()
    p = case.partition
    case.fetched(batch(100))
    p.diverges(Diverging(3, 104))
    assert case.listener.troubles == []
    p.appended(case.sent(1)[0], 1_000)
    assert case.listener.troubles == [Truncated(104)]
    assert p.state == PartitionState.WAITING


def test_a_leader_epoch_that_left_no_records_is_no_divergence() -> None:
    case = Case()
    p = case.partition
    p.history.source_epoch = 5
    p.diverges(Diverging(3, 100))
    assert p.source_epoch == 3
    assert p.state == PartitionState.RUNNING
    assert p.wants_data(NO_LIMIT)


def test_a_failure_on_the_way_to_a_stop_is_recovered_from_first() -> None:
    case = Case()
    p = case.partition
    case.fetched(batch(100))
    case.fetched(POISON["corrupt"][0])
    p.lost(case.sent(1)[0], "broker 1 went away")
    assert p.state == PartitionState.WAITING
    assert case.listener.resyncs == [False]
    p.begin(PRODUCER, None, NO_LIMIT)
    assert p.wants_data(NO_LIMIT)


def test_an_offset_that_the_source_lost_is_asked_about_once_all_held_is_mirrored() -> None:
    case = Case()
    p = case.partition
    case.fetched(batch(100))
    p.out_of_range()
    assert case.listener.troubles == []
    assert not p.wants_data(NO_LIMIT)
    p.appended(case.sent(1)[0], 1_000)
    assert case.listener.troubles == [OutOfRange()]
    assert p.state == PartitionState.WAITING
    assert p.reason is not None
    assert p.reason.text == "the source does not have offset 110"
    assert case.holds_nothing()


def test_while_the_source_refuses_what_is_held_goes_on_and_an_answer_ends_it() -> None:
    case = Case()
    p = case.partition
    case.fetched(batch(100))
    p.source_refused("the source answered NOT_LEADER_OR_FOLLOWER")
    assert p.state == PartitionState.WAITING
    assert p.reason is not None
    since = p.reason.since
    p.source_refused("the source answered NOT_LEADER_OR_FOLLOWER")
    assert p.reason.since == since
    p.appended(case.sent(1)[0], 1_000)
    assert p.acked.source == 110
    assert p.wants_data(NO_LIMIT)
    case.fetched(batch(110))
    assert (p.state, p.reason) == (PartitionState.RUNNING, None)
    assert len(p.queue) == 1


def test_a_source_that_refuses_does_not_bring_a_stopped_partition_back() -> None:
    case = Case()
    p = case.partition
    p.stop("an operator has to look", "look")
    p.source_refused("NOT_LEADER_OR_FOLLOWER")
    case.fetched(batch(100))
    p.wait("something else")
    p.halt(PartitionState.STANDBY)
    assert p.state == PartitionState.STOPPED
    assert p.reason is not None
    assert p.reason.text == "an operator has to look"


def test_back_pressure_counts_what_is_queued_and_in_flight() -> None:
    case = Case()
    p = case.partition
    assert p.wants_data(1)
    case.fetched(batch(100))
    size = p.held
    assert not p.wants_data(size)
    assert p.wants_data(size + 1)
    (append,) = case.sent(1)
    assert not p.wants_data(size)
    p.appended(append, 1_000)
    assert p.wants_data(1)


@pytest.mark.parametrize(("committed", "end"), [(True, 150), (False, 170)])
def test_the_source_end_is_what_a_reader_of_that_isolation_sees(committed: bool, end: int) -> None:
    case = Case()
    p = case.partition
    assert p.lag_records is None
    p.observe(PartitionData("orders", 3, 0, 170, 150, 0, (), 0, 0), committed=committed, now=50.0)
    assert (p.measures.source_end, p.measures.observed_at, p.lag_records) == (end, 50.0, end - 100)
    p.positioned = False
    assert (p.lag_records, p.lag_seconds(60.0)) == (None, None)


@pytest.mark.parametrize(("sequence", "expected"), [(17, 7), (3, b.MAX_SEQUENCE - 7)])
def test_what_the_target_lost_is_numbered_again_as_it_was(sequence: int, expected: int) -> None:
    """Sequences wrap around behind 2^31 - 1."""
    case = Case()
    case.partition.acked = Progress(110, 1_010, sequence)
    case.partition.rewind(100, 1_000, 10)
    assert case.partition.acked == Progress(100, 1_000, expected)
    case.partition.begin(PRODUCER, AlreadyThere(proven=True), 256 * 1024)
    case.fetched(batch(100))
    (append,) = case.sent(1)
    assert append.sequence == expected
