"""Partitions added up by topic: change by change it is what adding up everything says."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccr_tui.screens.lag.eta import NEVER, eta, eta_text
from ccr_tui.screens.lag.tally import FlowTally, Hot, TopicRow
from engine.api.retention_snapshots import Overtaking
from engine.api.snapshots import PartitionSnapshot, PartitionState, Trend
from tests.tui.scripted import T0, make_partition, small_partitions


def topic(tally: FlowTally, name: str) -> TopicRow:
    return tally.topics[name].row()


def drains(partition: int, lag: int, change: float | None, **more: object) -> PartitionSnapshot:
    return make_partition(
        "t", partition, lag_records=lag, lag_seconds=lag / 10, trend=Trend.DRAINING,
        lag_records_per_second=change, **more,
    )  # fmt: skip


def test_a_topic_says_its_worst_first_and_adds_up() -> None:
    tally = FlowTally()
    tally.update(small_partitions())
    row = topic(tally, "orders.eu")
    assert row.words == (("stopped", 1), ("growing", 1), ("in step", 1))
    assert (row.partitions, row.stopped) == (3, 1)
    assert (row.lag_records, row.lag_seconds) == (3204, 312.0)
    assert row.records_per_second == 240.0
    assert row.hot == Hot(1, 2000 / 3204, "lag")
    assert row.eta == NEVER  # the stopped one
    assert tally.stuck == {("orders.eu", 1), ("payments", 0)}
    assert topic(tally, "orders.us").hot is None  # it has no other partition


@pytest.mark.parametrize(
    ("partition", "when", "text"),
    [
        (drains(0, 0, None), 0.0, "now"),
        (drains(0, 100, -10.0), 10.0, "10s"),
        (drains(0, 100, None), None, "?"),
        (drains(0, 100, 5.0), NEVER, "never"),
        (drains(0, 100, 0.0), NEVER, "never"),
        (drains(0, 10, 0.0), 0.0, "now"),  # a second behind, mirrored as it comes
        (drains(0, 10, 3.0, state=PartitionState.PAUSED), NEVER, "never"),
        (drains(0, 10, -3.0, state=PartitionState.WAITING), None, "?"),
    ],
)
def test_when_a_partition_is_in_step(
    partition: PartitionSnapshot, when: float | None, text: str
) -> None:
    assert eta(partition) == when
    assert eta_text(eta(partition)) == text


def test_a_topic_is_in_step_when_its_last_partition_is() -> None:
    tally = FlowTally()
    tally.update([drains(0, 100, -10.0), drains(1, 100, -5.0)])
    assert topic(tally, "t").eta == 20.0
    tally.update([drains(1, 100, None)])
    assert topic(tally, "t").eta is None
    tally.update([drains(0, 100, 0.0)])
    assert topic(tally, "t").eta == NEVER


def test_without_lag_the_one_that_takes_most_of_the_rate_is_hot() -> None:
    tally = FlowTally()
    rates = (900.0, 50.0, 50.0)
    tally.update(make_partition("t", n, records_per_second=rate) for n, rate in enumerate(rates))
    assert topic(tally, "t").hot == Hot(0, 0.9, "rate")
    tally.update([make_partition("t", 0, records_per_second=50.0)])
    assert topic(tally, "t").hot is None


def test_the_first_to_be_overtaken_counts() -> None:
    early, late = (Overtaking(T0 + seconds, "retention.ms") for seconds in (60.0, 200_000.0))
    tally = FlowTally()
    tally.update([drains(0, 5, 1.0, overtaken=late), drains(1, 5, 1.0, overtaken=early)])
    row = topic(tally, "t")
    assert (row.overtaken, row.overtaken_partition, row.overtaken_soon) == (early, 1, True)
    tally.update([drains(1, 0, None)])
    row = topic(tally, "t")
    assert (row.overtaken, row.overtaken_partition, row.overtaken_soon) == (late, 0, False)


def test_topics_go_with_their_last_partition() -> None:
    tally = FlowTally()
    tally.update(small_partitions())
    assert tally.update([], [("orders.us", 0), ("payments", 0)])[1] == ["orders.us"]
    assert topic(tally, "payments").partitions == 1
    assert tally.stuck == {("orders.eu", 1)}


lags = st.none() | st.integers(0, 50)
changes = st.tuples(
    st.integers(0, 5),
    st.none()
    | st.builds(
        lambda lag, seconds, rate, change, state, trend: {
            "lag_records": lag,
            "lag_seconds": seconds,
            "records_per_second": rate,
            "lag_records_per_second": change,
            "state": state,
            "trend": trend,
        },
        lags,
        st.none() | st.integers(0, 50).map(float),
        st.integers(0, 9).map(float),
        st.none() | st.integers(-9, 9).map(float),
        st.sampled_from(PartitionState),
        st.sampled_from(Trend),
    ),
)


@given(st.lists(changes, max_size=40))
def test_change_by_change_it_is_as_if_added_up_anew(steps: list[tuple[int, dict | None]]) -> None:  # type: ignore[type-arg]
    tally, there = FlowTally(), dict[int, PartitionSnapshot]()
    for number, change in steps:
        if change is None:
            there.pop(number, None)
            tally.update([], [("t", number)])
        else:
            there[number] = make_partition("t", number, **change)
            tally.update([there[number]])
        anew = FlowTally()
        anew.update(there.values())
        assert tally.stuck == anew.stuck
        assert tally.topics.keys() == anew.topics.keys()
        if there:
            assert comparable(topic(tally, "t")) == comparable(topic(anew, "t"))
            ages = [row.lag_seconds for row in there.values() if row.lag_seconds is not None]
            assert topic(tally, "t").lag_seconds == max(ages, default=None)


def comparable(row: TopicRow) -> TopicRow:
    """Any of several that are equally hot or equally bad may be named."""
    words = tuple(sorted(row.words))
    hot = replace(row.hot, partition=0) if row.hot else None
    assert row.eta is None or row.eta == math.inf or row.eta >= 0
    return replace(row, words=words, hot=hot, overtaken_partition=0)
