"""Lag in seconds, rates, trends: with a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.snapshots import Trend
from engine.replication.lag import (
    MAX_SAMPLES,
    STALLED_AFTER_TICKS,
    Drift,
    LagClock,
    Rate,
    TrendMeter,
)

NOW = 1_000_000.0


def test_in_step_is_zero_and_the_first_unmirrored_record_starts_the_clock() -> None:
    clock = LagClock()
    clock.observe(100, 100, NOW)
    assert clock.seconds(100, 100, NOW, 0) == 0.0
    clock.observe(101, 100, NOW + 10)
    clock.observe(150, 100, NOW + 14)
    assert clock.seconds(150, 100, NOW + 15, 0) == 5.0
    assert clock.seconds(150, 100, NOW + 20, 0) == 10.0


def test_what_was_mirrored_does_not_age() -> None:
    clock = LagClock()
    clock.observe(100, 100, NOW)
    for second in range(1, 8):
        clock.observe(100 + 10 * second, 100, NOW + second)
    clock.observe(170, 145, NOW + 8)
    assert clock.seconds(170, 145, NOW + 8, 0) == 8 - 5
    clock.observe(170, 150, NOW + 8)
    assert clock.seconds(170, 150, NOW + 8, 0) == 8 - 6
    assert clock.seconds(170, 170, NOW + 8, 0) == 0.0


def test_a_quiet_hour_does_not_make_a_new_record_old() -> None:
    clock = LagClock()
    clock.observe(100, 90, NOW)
    clock.observe(100, 100, NOW + 1)
    clock.observe(100, 100, NOW + 3_600)
    clock.observe(105, 100, NOW + 3_601)
    assert clock.seconds(105, 100, NOW + 3_602, 0) == 1.0


def test_a_backlog_from_before_the_first_look_is_as_old_as_the_newest_mirrored_record() -> None:
    """An upper bound: what comes next is younger than that."""
    clock = LagClock()
    clock.observe(1_000, 10, NOW)
    assert clock.seconds(1_000, 10, NOW, 0) is None, "nothing mirrored yet: nothing tells"
    newest_ms = int((NOW - 7_200) * 1_000)
    assert clock.seconds(1_000, 500, NOW, newest_ms) == 7_200
    clock.observe(1_200, 500, NOW + 5)
    assert clock.seconds(1_200, 999, NOW + 6, newest_ms) == 7_206
    clock.observe(1_200, 1_000, NOW + 7)
    assert clock.seconds(1_200, 1_000, NOW + 7, newest_ms) == 2.0, "the backlog is done"


def test_a_timestamp_in_the_future_is_no_negative_age() -> None:
    clock = LagClock()
    clock.observe(1_000, 10, NOW)
    assert clock.seconds(1_000, 20, NOW, int((NOW + 60) * 1_000)) == 0.0


steps = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), min_size=1, max_size=200)


@given(steps)
def test_the_age_is_right_but_for_what_coarsening_costs(moves: list[tuple[int, int]]) -> None:
    """Each second some records come and some are mirrored, from in step on.

    Never older than true, and exact as long as the backlog is no longer than the samples kept.
    """
    clock = LagClock()
    seen: list[float] = []  # of each offset: when the source's end was first beyond it
    mirrored = 0
    clock.observe(0, 0, NOW)
    for second, (comes, goes) in enumerate(moves, 1):
        now = NOW + second
        seen += [now] * comes
        clock.observe(len(seen), mirrored, now)
        mirrored = min(len(seen), mirrored + goes)
        age = clock.seconds(len(seen), mirrored, now, 0)
        true = now - seen[mirrored] if mirrored < len(seen) else 0.0
        assert age is not None
        assert 0.0 <= age <= true
        if len(set(seen[mirrored:])) < MAX_SAMPLES // 2 and second < MAX_SAMPLES:
            assert age == true
    assert len(clock._samples) <= MAX_SAMPLES


def test_a_long_backlog_keeps_its_oldest_sample() -> None:
    clock = LagClock()
    clock.observe(0, 0, NOW)
    for second in range(1, 500):
        clock.observe(10 * second, 0, NOW + second)
    assert len(clock._samples) <= MAX_SAMPLES
    assert clock.seconds(4_990, 0, NOW + 500, 0) == 499.0


def test_a_rate_follows_in_a_few_seconds_and_ends_at_zero() -> None:
    rate = Rate()
    for second in range(1, 16):
        rate.tick(100 * second, 5_000 * second, 1.0)
    assert rate.records_per_second == pytest.approx(100, rel=0.01)
    assert rate.bytes_per_second == pytest.approx(5_000, rel=0.01)
    for _ in range(60):
        rate.tick(1_500, 75_000, 1.0)
    assert rate.records_per_second == 0
    assert rate.bytes_per_second == 0


def test_a_rate_counts_by_the_time_that_passed() -> None:
    slow, fast = Rate(), Rate()
    slow.tick(1_000, 0, 4.0)
    fast.tick(250, 0, 1.0)
    assert slow.records_per_second == fast.records_per_second > 0


def test_counters_that_begin_anew_are_no_negative_rate() -> None:
    rate = Rate()
    rate.tick(10_000, 10_000, 1.0)
    before = rate.records_per_second
    rate.tick(50, 50, 1.0)
    assert 0 < rate.records_per_second < before


def trend(lags: list[int], moved: bool = True) -> Trend:
    """Feed a meter; return the last word."""
    meter = TrendMeter()
    return [meter.tick(lag, moved) for lag in lags][-1]


@pytest.mark.parametrize(
    ("lags", "moved", "word"),
    [
        ([0], False, Trend.IN_STEP),
        ([5], True, Trend.UNKNOWN),
        ([5, 9], True, Trend.GROWING),
        ([9, 5], True, Trend.DRAINING),
        ([50, 90, 80, 70, 60], True, Trend.GROWING),
        ([50, 90, 80, 70, 60, 50], True, Trend.DRAINING),
        ([9] * (STALLED_AFTER_TICKS - 2) + [10], False, Trend.GROWING),
        ([9] * STALLED_AFTER_TICKS, False, Trend.STALLED),
        ([9, 10, 11, 12, 13, 14], False, Trend.STALLED),
        ([9] * 8 + [0], False, Trend.IN_STEP),
        ([9] * 8 + [0, 5], False, Trend.GROWING),
    ],
)
def test_a_trend_is_the_word_for_the_last_seconds(
    lags: list[int], moved: bool, word: Trend
) -> None:
    assert trend(lags, moved) == word


def test_a_stalled_partition_that_moves_again_is_no_longer_stalled() -> None:
    meter = TrendMeter()
    assert [meter.tick(9, False) for _ in range(9)][-1] == Trend.STALLED
    assert meter.tick(8, True) == Trend.DRAINING


def test_drift_is_of_the_last_seconds_and_begins_anew_when_in_step() -> None:
    drift = Drift()
    assert [drift.tick(lag, 1.0) for lag in (100, 90, 80, 70, 60)] == [None] * 5
    assert drift.tick(50, 1.0) == -10.0
    for _ in range(30):
        last = drift.tick(50, 1.0)
    assert last == 0.0  # what was longer than 20 s ago counts no more
    assert drift.tick(0, 1.0) is None
    assert drift.tick(100, 1.0) is None
