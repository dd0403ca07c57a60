"""A partition under every order of fetches, answers, losses and new beginnings: exactly once.

The source is a generated log, the target a model of a broker. Whatever happens, the target holds a
prefix of what a consumer sees at the source, each record once, in order; and when it is left in
peace, all of it.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.api.snapshots import PartitionState
from engine.kafka import batch as b
from engine.kafka.codes import Code
from engine.replication.both_ways.marks import Inbound
from engine.replication.partition import MirrorPartition, Progress
from engine.replication.pump import Append
from tests.unit import source_log as log
from tests.unit import source_model
from tests.unit.recording_listener import RecordingListener
from tests.unit.source_log import Rec
from tests.unit.source_model import Step
from tests.unit.target_model import TargetPartition

PRODUCER = (99, 0)
NO_LIMIT = 2**40
MAX_UNANSWERED = 5
Answer = tuple[Append, int, int]  # the append, error, base offset


class Mirror:
    """One source partition, its mirror, and the connection between them."""

    def __init__(
        self, steps: list[Step], sequence: int, merge_limit: int, inbound: Inbound | None
    ) -> None:
        self.source = source_model.build(steps)
        self.inbound = inbound
        self.expected, self.brought = self._who_wrote_what()
        self.end = max([0, *(v.next_offset for v in self.source.visible(committed=True))])
        self.first_sequence = sequence
        self.merge_limit = merge_limit
        self.target = TargetPartition(sequence)
        self.listener = RecordingListener()
        self.partition = MirrorPartition(("orders", 3), "mirror", self.listener)
        self.partition.acked = Progress(0, 0, sequence)
        self.partition.positioned = True
        self.wire: list[Append] = []  # sent, not at the broker yet
        self.answers: list[Answer] = []  # given by the broker, not arrived yet
        self.resync(0)

    def _who_wrote_what(self) -> tuple[list[Rec], int]:
        """Return what has to be mirrored, and how many records other flows brought."""
        brought = {
            record.offset
            for batch in self.source.visible(committed=True)
            if batch.producer in (self.inbound or ())
            for record in log.read(batch.data)
        }
        seen = self.source.expected(0, committed=True)
        return (
            [record for record in seen if record.offset not in brought],
            sum(record.offset in brought for record in seen),
        )

    # what can happen; each takes a number that says how much of it

    def fetch(self, amount: int) -> None:
        p = self.partition
        if p.wants_data(NO_LIMIT) and p.position < self.end:
            cut, far = 65 * (amount % 2), amount % 3 == 0
            view, data = self.source.fetch(
                p.position, 1 + amount // 3, cut, committed=True, far=far
            )
            p.observe(data, committed=True, now=1.0)
            p.take(view, data, committed=True)

    def send(self, amount: int) -> None:
        room = MAX_UNANSWERED - len(self.wire) - len(self.answers)
        for _ in range(min(1 + amount, len(self.partition.queue), room)):
            self.wire.append(self.partition.next_append())

    def arrive(self, amount: int) -> None:
        for append in self.wire[: 1 + amount]:
            self.answers.append((append, *self.target.append(append)))
        del self.wire[: 1 + amount]

    def refuse(self, amount: int) -> None:
        error = [Code.NOT_LEADER_OR_FOLLOWER, Code.NOT_ENOUGH_REPLICAS][amount % 2]
        if self.wire:
            self.answers.append((self.wire.pop(0), error, -1))

    def answer(self, amount: int) -> None:
        for answer in self.answers[: 1 + amount // 2]:
            self.tell(answer)
        del self.answers[: 1 + amount // 2]

    def answer_out_of_turn(self, amount: int) -> None:
        """The partition's leader moved: two connections answer for it."""
        if len(self.answers) > 1:
            self.tell(self.answers.pop(1 + amount % (len(self.answers) - 1)))

    def cut(self, amount: int) -> None:
        """The connection ends; the broker got some of what was sent last."""
        if amount % 3:
            self.arrive(amount // 3)
        lost = [append for append, _, _ in self.answers] + self.wire
        self.answers, self.wire = [], []
        for append in lost:
            self.partition.lost(append, "connection lost")

    def stranger(self, amount: int) -> None:
        self.target.stranger_appends(1 + amount)

    def halt(self, amount: int) -> None:
        """What is on the way stays on the way, and may still arrive, much later."""
        self.partition.halt([PartitionState.PAUSED, PartitionState.STANDBY][amount % 2])

    def source_refuses(self, _amount: int) -> None:
        self.partition.source_refused("NOT_LEADER_OR_FOLLOWER")

    def resync(self, _amount: int) -> None:
        acked = self.partition.acked
        if not self.partition.active:
            counted = (acked.sequence - self.first_sequence) % 2**31
            there = self.target.beyond(counted, acked.target)
            self.partition.begin(PRODUCER, there, self.merge_limit, self.inbound)

    def tell(self, answer: Answer) -> None:
        append, error, offset = answer
        if error == Code.NONE:
            self.partition.appended(append, offset)
        else:
            self.partition.refused(append, error, "")

    # what must hold

    def the_target_holds_a_prefix(self) -> None:
        ours = self.target.ours()
        assert ours == [record.content() for record in self.expected[: len(ours)]]

    def bytes_held_are_accounted_for(self) -> None:
        p = self.partition
        held = sum(len(append.payload) for append in [*p.queue, *p._outbox.in_flight])
        assert p.held == self.listener.held == held

    def the_map_and_what_was_acknowledged_are_true(self) -> None:
        p = self.partition
        counted = b.sequence_distance(self.first_sequence, p.acked.sequence)
        pairs = [(s + n, t + n) for s, t, count in p.offset_map.runs() for n in range(count)]
        assert [source for source, _ in pairs] == [r.offset for r in self.expected[:counted]]
        assert [self.target.rows[target].number for _, target in pairs] == list(range(counted))
        assert p.acked.target == (pairs[-1][1] + 1 if pairs else 0)
        after = self.expected[counted].offset if counted < len(self.expected) else self.end
        assert (pairs[-1][0] if pairs else -1) < p.acked.source <= after

    def it_is_never_stuck(self) -> None:
        """Either it takes data, or an answer is due that will bring it on, or a resync is."""
        p = self.partition
        due = {id(append) for append in self.wire} | {id(answer[0]) for answer in self.answers}
        assert {id(append) for append in p._outbox.in_flight} <= due
        if p.active and not p.wants_data(NO_LIMIT):
            assert p._outbox.in_flight
        if not p.active:
            waits = p.state == PartitionState.WAITING
            assert p.idle
            assert self.listener.resyncs or not waits
        assert p.state != PartitionState.STOPPED

    def check(self) -> None:
        """Check all of them."""
        self.the_target_holds_a_prefix()
        self.bytes_held_are_accounted_for()
        self.the_map_and_what_was_acknowledged_are_true()
        self.it_is_never_stuck()

    def left_in_peace(self) -> None:
        """Nothing fails any more: go on to the end."""
        p = self.partition
        for _ in range(500):
            if p.acked.source >= self.end and p.idle and p.wants_data(NO_LIMIT):
                break
            for act in (self.resync, self.fetch, self.send, self.arrive, self.answer):
                act(9)
            self.check()
        assert self.target.ours() == [record.content() for record in self.expected]
        assert p.acked.source == self.end
        assert p.acked.sequence == self.target.sequence
        assert p.held == 0
        assert p.history.left_out == self.brought


WEIGHTS: dict[Callable[[Mirror, int], None], int] = {
    Mirror.fetch: 8,
    Mirror.send: 8,
    Mirror.arrive: 6,
    Mirror.answer: 6,
    Mirror.resync: 4,
    Mirror.answer_out_of_turn: 2,
    Mirror.refuse: 1,
    Mirror.cut: 1,
    Mirror.halt: 1,
    Mirror.stranger: 1,
    Mirror.source_refuses: 1,
}
acts = st.lists(
    st.tuples(
        st.sampled_from([act for act, weight in WEIGHTS.items() for _ in range(weight)]),
        st.integers(0, 9),
    ),
    min_size=30,
    max_size=60,
)


@settings(max_examples=80)
@given(
    source_model.steps(),
    acts,
    st.sampled_from([0, 2**31 - 30]),
    st.sampled_from([64, 300, 256 * 1024]),
    st.sampled_from([None, {1}, {1, 2}]),
)
def test_whatever_happens_each_record_arrives_once(
    steps: list[Step],
    happens: list[tuple[Callable[[Mirror, int], None], int]],
    sequence: int,
    merge_limit: int,
    flows: set[int] | None,
) -> None:
    inbound = None if flows is None else dict.fromkeys(flows, 0)
    mirror = Mirror(steps, sequence, merge_limit, inbound)
    for act, amount in happens:
        act(mirror, amount)
        mirror.check()
    mirror.left_in_peace()
