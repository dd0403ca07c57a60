"""The board: rows change when their partition does, and cost nothing while it rests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.api.snapshots import PartitionSnapshot, PartitionState, Reason, Trend
from engine.replication import board as board_module
from engine.replication.board import Board
from engine.replication.partition import MirrorPartition, Progress
from tests.unit.recording_listener import RecordingListener

KEY = ("orders", 0)
NOW = 1_800_000_000.0


class Clock:
    """Time that only the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self) -> float:
        return NOW + self.seconds

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(board_module, "time", clock)
    return clock


def ticked(board: Board, clock: Clock, times: int = 1) -> PartitionSnapshot:
    for _ in range(times):
        clock.seconds += 1.0
        board.tick()
    (row,) = board.page(0).partitions
    return row


def in_step(board: Board) -> MirrorPartition:
    """A partition that is mirrored to its end."""
    partition = MirrorPartition(KEY, "orders", RecordingListener())
    partition.positioned = True
    partition.acked = Progress(10, 7, 7)
    partition.set_state(PartitionState.RUNNING)
    partition.observe_end(10, NOW)
    board.add(partition)
    return partition


def stop(partition: MirrorPartition) -> None:
    partition.stop("too large", "ccr retry")


def pause(partition: MirrorPartition) -> None:
    partition.set_state(PartitionState.PAUSED)


def mirror_one(partition: MirrorPartition) -> None:
    partition.observe_end(11, NOW)
    partition.acked.source += 1
    partition.acked.target += 1
    partition.measures.records_total += 1
    partition.measures.bytes_total += 1_000_000


def grow(partition: MirrorPartition) -> None:
    partition.observe_end(12, NOW)


def restart(partition: MirrorPartition) -> None:
    partition.restart(10, 20)


def give_reason(partition: MirrorPartition) -> None:
    partition.reason = Reason("why", "", NOW)


def meet_a_stranger(partition: MirrorPartition) -> None:
    partition.history.foreign += 3


def skip(partition: MirrorPartition) -> None:
    partition.history.skipped_records += 5


@pytest.mark.parametrize(
    "change", [stop, pause, mirror_one, grow, restart, give_reason, meet_a_stranger, skip]
)
def test_what_happens_to_a_resting_partition_shows_at_the_next_tick(
    change: Callable[[MirrorPartition], None], clock: Clock
) -> None:
    board = Board("flow")
    partition = in_step(board)
    resting = ticked(board, clock, 30)
    assert (resting.trend, resting.lag_records, resting.version) == (Trend.IN_STEP, 0, 1)
    change(partition)
    changed = ticked(board, clock)
    assert changed.version == board.version
    assert (changed.state, changed.reason) == (partition.state, partition.reason)
    assert (changed.mirrored_to, changed.target_end, changed.source_end) == (
        partition.acked.source,
        partition.acked.target,
        partition.measures.source_end,
    )
    assert changed.lag_records == partition.lag_records
    assert changed.foreign_records == partition.history.foreign
    assert changed.skipped_records == partition.history.skipped_records


def test_rates_fall_to_nothing_and_then_the_row_rests(clock: Clock) -> None:
    board = Board("flow")
    partition = in_step(board)
    ticked(board, clock, 2)
    mirror_one(partition)
    moved = ticked(board, clock)
    assert moved.records_per_second == pytest.approx(0.3)
    assert moved.bytes_per_second == pytest.approx(300_000)
    settled = ticked(board, clock, 120)
    assert (settled.records_per_second, settled.bytes_per_second) == (0.0, 0.0)
    assert board.page(settled.version).partitions == ()


def test_a_resting_partition_is_not_worked_on(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board("flow")
    partition = in_step(board)
    ticked(board, clock, 2)
    worked: list[float] = []
    monkeypatch.setattr(partition, "tick", lambda now, elapsed: worked.append(now))
    ticked(board, clock, 5)
    assert worked == []
    grow(partition)
    ticked(board, clock)
    assert worked


def test_lag_goes_on_ageing(clock: Clock) -> None:
    board = Board("flow")
    partition = in_step(board)
    ticked(board, clock, 2)
    grow(partition)
    first = ticked(board, clock).lag_seconds
    later = ticked(board, clock, 7)
    assert first is not None
    assert later.lag_seconds == pytest.approx(first + 7)
    assert later.trend == Trend.STALLED


def test_a_version_of_another_engines_life_gets_everything(clock: Clock) -> None:
    board = Board("flow")
    in_step(board)
    row = ticked(board, clock)
    assert board.page(board.version).partitions == ()
    assert board.page(board.version + 1_000).partitions == (row,)
