from __future__ import annotations

from ccr_tui.pace import Backoff, Pace


def test_a_quick_engine_is_asked_at_the_fastest_pace() -> None:
    pace = Pace()
    pace.observe(asking=0.002, late=0.001)
    assert pace.interval == 0.5


def test_a_slow_engine_is_left_alone_four_fifths_of_the_time() -> None:
    pace = Pace()
    pace.observe(asking=0.4, late=0.0)
    assert pace.interval == 0.4 / 0.2


def test_a_slow_terminal_counts_as_cost_and_is_forgotten_slowly() -> None:
    pace = Pace()
    pace.observe(asking=0.0, late=2.0)
    assert pace.interval == 3.0
    intervals = []
    for _ in range(20):
        pace.observe(asking=0.0, late=0.0)
        intervals.append(pace.interval)
    assert intervals[0] == 3.0
    assert intervals[-1] == 0.5
    assert intervals == sorted(intervals, reverse=True)


def test_backoff_doubles_is_bounded_and_starts_again() -> None:
    backoff = Backoff(first=0.5, most=3.0)
    assert [backoff.failed() for _ in range(4)] == [0.5, 1.0, 2.0, 3.0]
    backoff.succeeded()
    assert backoff.failed() == 0.5
