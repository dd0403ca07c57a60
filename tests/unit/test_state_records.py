"""What the state topic holds: written, compacted, read again; and what else may stand in it."""

from __future__ import annotations

from collections.abc import Iterable
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.api.snapshots import PartitionState, SkipKind, Skips
from engine.kafka import records as r
from engine.replication.checkpoints import CheckpointWriter
from engine.replication.offset_map import OffsetMap
from engine.replication.partition import MirrorPartition, Progress
from engine.replication.positions import load_checkpoint
from engine.replication.state_log import same_records
from engine.replication.state_records import (
    RUNS_INLINE,
    Entry,
    FlowRecord,
    Identity,
    OwnerRecord,
    decode_value,
    encode_value,
    identity_entry,
    owner_entry,
    state_topic,
)
from tests.unit import source_log as log
from tests.unit.recording_listener import RecordingListener

KEY = ("orders.eu-1", 12)
OWNER = OwnerRecord("abc123", "host-1", "boot:4026_1/77@123456", 3, False, 0.0)


def partition(key: tuple[str, int] = KEY) -> MirrorPartition:
    """Build a partition with a position."""
    made = MirrorPartition(key, key[0], RecordingListener())
    made.positioned = True
    return made


def written(topic: dict[str, bytes | None], entries: Iterable[Entry]) -> None:
    """Write to a compacted topic: the newest value of each key remains."""
    for key, value in entries:
        topic.pop(key, None)
        topic[key] = encode_value(value)


def read(topic: dict[str, bytes | None]) -> FlowRecord:
    """Read a topic from its beginning."""
    record = FlowRecord()
    for key, value in topic.items():
        record.fold(key, decode_value(value), 5_000)
    return record


def again(topic: dict[str, bytes | None], key: tuple[str, int] = KEY) -> MirrorPartition:
    """Load a partition as the next engine does."""
    made = MirrorPartition(key, key[0], RecordingListener())
    assert load_checkpoint(made, read(topic))
    return made


int64 = st.integers(0, 2**62)


@given(int64, int64, st.integers(0, 2**31 - 1), int64)
def test_progress_comes_back_as_it_was(source: int, target: int, sequence: int, ms: int) -> None:
    before = partition()
    before.acked = Progress(source, target, sequence, ms)
    topic: dict[str, bytes | None] = {}
    written(topic, CheckpointWriter().encode([before]).entries)
    after = again(topic)
    assert after.acked == before.acked
    assert after.positioned
    assert after.state == PartitionState.STARTING


def test_a_loaded_partition_has_progress_of_its_own() -> None:
    """The folded record stays as it was written while the partition goes on."""
    before = partition()
    before.acked = Progress(10, 20, 30, 40)
    topic: dict[str, bytes | None] = {}
    written(topic, CheckpointWriter().encode([before]).entries)
    record = read(topic)
    first = partition()
    load_checkpoint(first, record)
    first.acked.source = 99
    assert record.checkpoints[KEY].progress.source == 10


def test_without_a_checkpoint_nothing_is_loaded() -> None:
    made = MirrorPartition(KEY, KEY[0], RecordingListener())
    assert not load_checkpoint(made, FlowRecord())
    assert (made.positioned, made.acked) == (False, Progress(0, 0, 0))


def test_a_partition_without_a_position_is_not_written() -> None:
    made = partition()
    made.positioned = False
    assert CheckpointWriter().encode([made]).entries == []


def test_why_a_partition_stopped_comes_back_and_goes_when_it_runs_again() -> None:
    made, writer = partition(), CheckpointWriter()
    topic: dict[str, bytes | None] = {}
    made.stop("the target refused: „größe“", "Raise max.message.bytes")
    written(topic, writer.encode([made]).entries)
    after = again(topic)
    assert (after.state, after.reason) == (PartitionState.STOPPED, made.reason)
    made.set_state(PartitionState.STARTING)
    written(topic, writer.encode([made]).entries)
    assert again(topic).state == PartitionState.STARTING


def test_what_accepting_would_leave_out_comes_back() -> None:
    made = partition()
    skips = Skips(SkipKind.GAP, 7, 9)
    made.stop("retention overtook", "ccr retry --accept", acceptable=True, skips=skips)
    topic: dict[str, bytes | None] = {}
    written(topic, CheckpointWriter().encode([made]).entries)
    after = again(topic)
    assert after.reason == made.reason
    assert after.reason is not None
    assert after.reason.skips == skips


def test_what_goes_away_by_itself_is_not_kept() -> None:
    made = partition()
    made.wait("the source answered NOT_LEADER_OR_FOLLOWER")
    topic: dict[str, bytes | None] = {}
    written(topic, CheckpointWriter().encode([made]).entries)
    assert again(topic).reason is None


# Runs


def add_runs(made: MirrorPartition, count: int) -> None:
    """Append runs of two records with a gap after each, as markers make them."""
    last = made.offset_map.last_run() or (-1, 0, 0)
    source, target = last[0] + last[2] + 1, last[1] + last[2]
    for _ in range(count):
        made.offset_map.append(source, target, 2)
        source, target = source + 3, target + 2
    made.acked.source, made.acked.target = source, target


class Kept:
    """A state topic, and an engine that checkpoints to it and is replaced now and then."""

    def __init__(self) -> None:
        self.topic: dict[str, bytes | None] = {}
        self.made = partition()
        self.writer = CheckpointWriter()

    def add(self, count: int) -> None:
        """Mirror."""
        add_runs(self.made, count)

    def lengthen(self, count: int) -> None:
        """Mirror on without a gap: the newest run grows."""
        last = self.made.offset_map.last_run()
        if last is not None:
            self.made.offset_map.append(last[0] + last[2], last[1] + last[2], count)

    def checkpoint(self, _: int) -> None:
        """Write, and hear that it was written."""
        checkpoints = self.writer.encode([self.made])
        written(self.topic, checkpoints.entries)
        self.writer.written(checkpoints)

    def fail(self, lands: int) -> None:
        """Write, and hear nothing: some of the entries may stand there, in order."""
        written(self.topic, self.writer.encode([self.made]).entries[:lands])

    def replace(self, _: int) -> None:
        """Another engine takes over from what stands there."""
        if f"partition/{KEY[0]}/{KEY[1]}" in self.topic:
            record = read(self.topic)
            self.made = partition()
            load_checkpoint(self.made, record)
            self.writer = CheckpointWriter()
            self.writer.loaded(record)

    def runs(self) -> list[tuple[int, int, int]]:
        """Read the runs that stand there."""
        return list(read(self.topic).offset_map(KEY).runs())


acts = st.lists(
    st.one_of(
        st.tuples(st.just(Kept.add), st.sampled_from([1, 60, 128, 129, 300])),
        st.tuples(st.just(Kept.lengthen), st.integers(1, 5)),
        st.tuples(st.just(Kept.checkpoint), st.just(0)),
        st.tuples(st.just(Kept.fail), st.integers(0, 4)),
        st.tuples(st.just(Kept.replace), st.just(0)),
    ),
    max_size=15,
)


@settings(max_examples=60)
@given(acts)
def test_no_run_is_ever_lost_whatever_fails(happens: list[tuple[object, int]]) -> None:
    kept = Kept()
    for act, amount in happens:
        act(kept, amount)  # type: ignore[operator]
    kept.checkpoint(0)
    assert kept.runs() == list(kept.made.offset_map.runs())


folding_early = patch.multiple(
    "engine.replication.offset_map",
    EXACT_RUNS=2 * RUNS_INLINE,
    FOLD_RUNS=RUNS_INLINE,
    KEPT_OF_RUNS=16,
    COARSE_RUNS=20,
)


def begin_anew(kept: Kept, _: int) -> None:
    """The source topic was made anew: nothing before is known."""
    kept.made.restart(kept.made.acked.source, kept.made.acked.target)


def cut(kept: Kept, runs: int) -> None:
    """The target lost some of the newest."""
    if runs < len(kept.made.offset_map) - kept.made.offset_map.coarse:
        kept.made.offset_map.cut_last(2 * runs)


@settings(max_examples=120)
@example(  # a map that begins anew and has as many chunks again before it is written
    [(Kept.add, 300), (Kept.add, 128), (Kept.checkpoint, 0), (begin_anew, 0), (Kept.add, 300)]
)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just(Kept.add), st.sampled_from([60, 128, 300])),
            st.tuples(st.just(Kept.checkpoint), st.just(0)),
            st.tuples(st.just(Kept.fail), st.integers(0, 9)),
            st.tuples(st.just(Kept.replace), st.just(0)),
            st.tuples(st.just(begin_anew), st.just(0)),
            st.tuples(st.just(cut), st.integers(1, 200)),
        ),
        max_size=25,
    )
)
def test_a_folded_map_comes_back_as_it_was(happens: list[tuple[object, int]]) -> None:
    kept = Kept()
    with folding_early:
        for act, amount in happens:
            act(kept, amount)  # type: ignore[operator]
        kept.checkpoint(0)
        found = read(kept.topic).offset_map(KEY)
        assert list(found.runs()) == list(kept.made.offset_map.runs())
        assert (found.coarse, found.folded) == (
            kept.made.offset_map.coarse,
            kept.made.offset_map.folded,
        )


def test_what_was_folded_before_a_new_beginning_is_not_taken_for_its_own() -> None:
    """The engine is killed before it could delete it."""
    kept = Kept()
    with folding_early:
        kept.add(900)
        kept.checkpoint(0)
        begin_anew(kept, 0)
        kept.fail(1)
        kept.replace(0)
        assert (kept.runs(), kept.made.offset_map.folded) == ([], 0)
        kept.checkpoint(0)
        assert kept.topic[f"coarse/{KEY[0]}/{KEY[1]}"] is None


def test_a_cut_inside_what_was_folded_is_written() -> None:
    kept = Kept()
    with folding_early:
        kept.add(900)
        kept.checkpoint(0)
        source, _, _ = next(kept.made.offset_map.runs(2))
        kept.made.offset_map.cut_source(source + 1)
        kept.checkpoint(0)
        assert kept.runs() == list(kept.made.offset_map.runs())
        assert kept.runs()[-1][2] == 1


def test_what_is_kept_of_many_runs_is_bounded() -> None:
    kept = Kept()
    with folding_early:
        for _ in range(40):
            kept.add(100)
            kept.checkpoint(0)
    standing = [key for key, value in kept.topic.items() if value is not None]
    assert len(standing) <= 2 + 4
    assert sum(len(value or b"") for value in kept.topic.values()) < 30_000


def test_an_engine_killed_before_runs_were_sealed_leaves_what_is_never_past_the_right_place() -> (
    None
):
    """More runs than fit one append, and only the checkpoint that counts them stands."""
    kept = Kept()
    with folding_early:
        kept.add(10)
        kept.checkpoint(0)
        kept.add(1_000)
        entries = kept.writer.encode([kept.made]).entries
        written(kept.topic, [entry for entry in entries if not entry[0].startswith("coarse/")])
        found = read(kept.topic).offset_map(KEY)
    for source in range(0, 3_025, 7):
        run, inside = divmod(source, 3)
        answer = found.to_target(source)
        assert answer is not None
        assert answer <= 2 * run + inside
    assert found.exact_since == kept.made.offset_map.exact_since


def test_sealed_runs_are_written_once_and_the_rest_stays_small() -> None:
    kept = Kept()
    kept.add(5 * RUNS_INLINE + 7)
    first = kept.writer.encode([kept.made])
    assert [key for key, _ in first.entries] == [
        *(f"runs/orders.eu-1/12/{number}" for number in range(5)),
        "partition/orders.eu-1/12",
    ]
    assert len(first.entries[-1][1]["r"]) == 7  # type: ignore[index]
    kept.checkpoint(0)
    kept.add(1)
    assert [key for key, _ in kept.writer.encode([kept.made]).entries] == [
        "partition/orders.eu-1/12"
    ]


def test_the_run_that_may_still_grow_is_never_sealed() -> None:
    kept = Kept()
    kept.add(RUNS_INLINE)
    assert len(kept.writer.encode([kept.made]).entries) == 1
    kept.add(1)
    assert len(kept.writer.encode([kept.made]).entries) == 2


def test_partitions_of_like_named_topics_are_kept_apart() -> None:
    topics = [("orders", 1), ("orders", 11), ("orders.1", 1), ("orders-1", 1)]
    topic: dict[str, bytes | None] = {}
    writer = CheckpointWriter()
    for number, key in enumerate(topics):
        made = partition(key)
        add_runs(made, RUNS_INLINE + 1 + number)
        written(topic, writer.encode([made]).entries)
    for number, key in enumerate(topics):
        assert len(again(topic, key).offset_map) == RUNS_INLINE + 1 + number


# The rest


def folded(*entries: Entry, at_ms: int = 5_000) -> FlowRecord:
    """Fold entries in order."""
    record = FlowRecord()
    for key, value in entries:
        record.fold(key, decode_value(encode_value(value)), at_ms)
    return record


def test_the_first_identity_counts() -> None:
    """Two engines that begin at once agree on the one whose record stands first."""
    record = folded(identity_entry(Identity(7, 0)), identity_entry(Identity(8, 0)))
    assert record.identity == Identity(7, 0)


def test_the_newest_owner_counts_with_the_brokers_clock() -> None:
    released = OwnerRecord("def456", "host-2", "boot:1/9@1", 4, True, 0.0)
    record = folded(owner_entry(OWNER), owner_entry(released), at_ms=1_700_000_000_123)
    assert record.owner == OwnerRecord("def456", "host-2", "boot:1/9@1", 4, True, 1_700_000_000.123)
    shown = OWNER.to_owner()
    assert (shown.engine_id, shown.host, shown.pid, shown.generation) == ("abc123", "host-1", 77, 3)


def test_an_owner_whose_process_is_not_known_is_shown() -> None:
    assert OwnerRecord("abc", "host", "/77@", 1, False, 0.0).to_owner().pid == 77
    assert OwnerRecord("abc", "host", "", 1, False, 0.0).to_owner().pid == 0


def test_paused_and_resumed() -> None:
    pause: Entry = ("paused", {"paused": True, "at": 1.0})
    assert folded(pause).paused
    assert not folded(pause, ("paused", {"paused": False, "at": 2.0})).paused
    assert not folded(pause, ("paused", None)).paused


def test_a_tombstone_forgets_a_partition() -> None:
    topic: dict[str, bytes | None] = {}
    written(topic, CheckpointWriter().encode([partition()]).entries)
    written(topic, [("partition/orders.eu-1/12", None)])
    assert read(topic).checkpoints == {}


def test_what_a_newer_version_wrote_is_left_alone() -> None:
    record = folded(("weather", {"at": 1}), ("groups/payments", {"x": 1}), ("weather", None))
    assert record == FlowRecord()


@pytest.mark.parametrize("data", [b"[1]", b"7", b"null", b'"text"', b"{", b"\xff"])
def test_a_value_that_is_not_ours_is_told(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (json's own words, or ours)
        decode_value(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("partition/orders", {"s": 1}),
        ("partition/orders/0", {"s": 1}),
        ("partition/orders/0", {"s": 1, "t": 1, "q": 1, "m": 1, "c": 0, "r": [[1, 2]]}),
        ("partition/orders/0", {"s": 1, "t": 1, "q": 1, "m": 1, "c": 0, "r": 5}),
        ("partition/orders/0", {"s": 1, "t": 1, "q": 1, "m": 1, "c": 0, "r": [], "x": ["why"]}),
        ("runs/orders", {"r": []}),
        ("runs/orders/0/first", {"r": []}),
        ("identity", {}),
        ("owner", {"engine": "abc"}),
    ],
)
def test_a_record_that_is_not_as_it_should_be_is_told(key: str, value: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, IndexError)):
        FlowRecord().fold(key, value, 0)


def test_a_map_that_does_not_fit_together_is_told() -> None:
    with pytest.raises(ValueError, match="reaches back"):
        OffsetMap([(5, 5, 5), (6, 20, 1)])


def test_the_topic_is_named_after_the_flow() -> None:
    assert state_topic("east-to-west") == "ccr.east-to-west.internal"


@pytest.mark.parametrize("codec", log.CODECS)
def test_an_append_is_recognised_however_the_broker_stored_it(codec: int) -> None:
    """It puts in its own time, and compresses when compression.type says so."""
    rows = [(n, r.body(b"key %d" % n, b"value" * 30)) for n in range(3)]
    mine = r.encode([r.RawRecord(0, 7, 0, body) for _, body in rows], 0, (5, 0, 9))
    stored = [log.Rec(70 + n, 99, b"key %d" % n, b"value" * 30) for n in range(3)]
    view = log.batch_of(stored, codec=codec, attributes=log.LOG_APPEND_TIME)
    assert same_records(memoryview(view), memoryview(mine))
    others = log.batch_of([*stored[:2], stored[2]._replace(value=b"x")], codec=codec)
    assert not same_records(memoryview(others), memoryview(mine))
    assert not same_records(memoryview(log.batch_of(stored[:2])), memoryview(mine))
