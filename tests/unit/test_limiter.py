"""The rate limits in a simulated time: what comes in any five seconds keeps to the rate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.replication import limiter as limiter_module
from engine.replication.limiter import LEAST_FETCH_BYTES, Limiter

MIB = 1024 * 1024
ANY = 8 * MIB


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(limiter_module, "time", found)
    return found


def fetched(
    clock: Clock, seconds: float, wait: Callable[[], float], fetch: Callable[[], int]
) -> list[tuple[float, int]]:
    """Fetch as a fetcher does, with a round trip of 2 ms: wait, ask, charge what came."""
    found = []
    until = clock.now + seconds
    while clock.now < until:
        pause = wait()
        if pause:
            clock.now += pause
            continue
        clock.now += 0.002
        found.append((clock.now, fetch()))
    return found


def most_in(rows: list[tuple[float, int]], seconds: float) -> int:
    """Return the most bytes that came within any window of so many seconds."""
    most = current = first = 0
    for at, size in rows:
        current += size
        while rows[first][0] <= at - seconds:
            current -= rows[first][1]
            first += 1
        most = max(most, current)
    return most


@pytest.mark.parametrize("rate", [100_000, 10 * MIB, 200 * MIB])
def test_a_flows_rate_holds_over_any_five_seconds(clock: Clock, rate: int) -> None:
    limiter = Limiter(rate)

    def fetch() -> int:
        size = limiter.fetch_bytes(ANY)
        limiter.took("orders", size)
        return size

    rows = fetched(clock, 30, limiter.flow_wait, fetch)
    assert most_in(rows, 5.0) <= 5 * rate * 1.05
    reached = sum(size for _, size in rows)
    assert reached >= 30 * min(rate, ANY / 0.002) * 0.95, "the rate is used, not only kept"


def test_a_batch_larger_than_the_rate_is_worked_off_before_the_next(clock: Clock) -> None:
    limiter = Limiter(1000)
    limiter.took("orders", 10_000)  # batches come whole, however large
    assert limiter.flow_wait() == pytest.approx(9.9, abs=0.01)
    clock.now += limiter.flow_wait()
    assert limiter.flow_wait() == 0.0


def test_what_was_not_used_for_long_is_not_made_up_for(clock: Clock) -> None:
    limiter = Limiter(MIB)
    clock.now += 3600
    assert limiter.flow_wait() == 0.0
    limiter.took("orders", MIB)
    assert limiter.flow_wait() > 0.85, "an idle hour gives a tenth of a second's burst, no more"


def test_one_topics_limit_holds_up_no_other_and_not_the_flow(clock: Clock) -> None:
    limiter = Limiter(None, {r"logs\..*": 1000})
    limiter.took("logs.web", 50_000)
    assert limiter.topic_wait("logs.web") > 49
    assert limiter.topic_wait("logs.db") == 0.0, "each topic has the rate for itself"
    assert limiter.topic_wait("orders") == 0.0
    assert limiter.flow_wait() == 0.0


def test_the_first_rule_that_matches_a_whole_name_counts(clock: Clock) -> None:
    limiter = Limiter(None, {"logs": 10, r"logs\.web": 1000, r"logs\..*": 100})
    shares = {
        topic: limiter.partition_bytes(topic, 1, ANY * 10) for topic in ("logs", "logs.web", "x")
    }
    limiter.took("logs.web", 1100)
    assert limiter.topic_wait("logs.web") == pytest.approx(1.0, abs=0.01)
    limiter.took("logs.db", 110)
    assert limiter.topic_wait("logs.db") == pytest.approx(1.0, abs=0.02)
    assert shares["x"] == ANY * 10


def test_a_new_rule_goes_before_the_others_and_none_lifts_one(clock: Clock) -> None:
    limiter = Limiter(None, {r"logs\..*": 100})
    assert limiter.limit_topics(r"logs\.web", None)
    assert list(limiter.topic_rates.items()) == [(r"logs\.web", None), (r"logs\..*", 100)]
    limiter.took("logs.web", 10_000)
    assert limiter.topic_wait("logs.web") == 0.0
    assert not limiter.limit_topics(r"logs\.web", None), "it stands there already"
    assert limiter.limit_topics(r"logs\..*", 200)
    assert list(limiter.topic_rates.items()) == [(r"logs\..*", 200), (r"logs\.web", None)]


def test_lifting_the_only_rule_leaves_no_limit(clock: Clock) -> None:
    limiter = Limiter(None, {"logs": 100})
    seen = [limiter.limits, limiter.limit_topics("logs", None), limiter.limits]
    assert seen == [True, True, False]
    assert not limiter.limit_topics("logs", None), "there is none any more"


def test_a_changed_rate_counts_at_once(clock: Clock) -> None:
    limiter = Limiter(1000)
    limiter.took("orders", 100_000)
    assert limiter.flow_wait() > 99
    limiter.bytes_per_second = None
    assert limiter.flow_wait() == 0.0
    assert not limiter.limits
    limiter.bytes_per_second = 5000
    assert (limiter.bytes_per_second, limiter.flow_wait()) == (5000, 0.0)


@given(
    rate=st.integers(1, 2**34),
    partitions=st.integers(1, 5000),
    sharers=st.integers(1, 50),
    most=st.integers(LEAST_FETCH_BYTES, ANY),
)
def test_what_is_asked_for_is_a_share_between_the_least_and_the_most(
    rate: int, partitions: int, sharers: int, most: int
) -> None:
    limiter = Limiter(rate, {".*": rate})
    limiter.sharers = sharers
    for asked, parts in (
        (limiter.fetch_bytes(most), 1),
        (limiter.partition_bytes("orders", partitions, most), partitions),
    ):
        assert LEAST_FETCH_BYTES <= asked <= most
        assert asked == LEAST_FETCH_BYTES or asked * sharers * parts <= rate * 0.1
