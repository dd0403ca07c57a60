"""A group that moves to a target with other writers misses nothing; what it re-reads is known.

The model: clusters that mirror one partition to each other, each record first written on one.
"""

from __future__ import annotations

import random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.replication.both_ways.lower_bound import Bound, Leg, OriginLegs, lower_bound, over_ours
from engine.replication.offset_map import OffsetMap

Id = tuple[str, int] | None  # where it was first written, which it is; None: a marker


class Flow:
    """From one log to another: takes what was first written on its source."""

    def __init__(self, clusters: Clusters, source: str, target: str) -> None:
        self.source, self.target = source, target
        self._from, self._to = clusters.logs[source], clusters.logs[target]
        self.position = 0
        self.end = 0
        self.offset_map = OffsetMap()

    def take(self, count: int) -> None:
        """Mirror some."""
        for record in self._from[self.position : self.position + count]:
            if record is not None and record[0] == self.source:
                self.offset_map.append(self.position, len(self._to), 1)
                self._to.append(record)
                self.end = len(self._to)
            self.position += 1

    def leg(self, *, settled: bool) -> Leg:
        """Tell how far it came; settled, nothing more is on its way to the target."""
        return Leg(self.offset_map, self.position, len(self._to) if settled else self.end)


class Clusters:
    """The logs and all flows between them."""

    def __init__(self, names: str) -> None:
        self.logs: dict[str, list[Id]] = {name: [] for name in names}
        self.flows = {(s, t): Flow(self, s, t) for s in names for t in names if s != t}
        self._written = 0

    def write(self, cluster: str, count: int) -> None:
        """Write to one."""
        for _ in range(count):
            self._written += 1
            self.logs[cluster].append((cluster, self._written))

    def mark(self, cluster: str) -> None:
        """End a transaction: an offset without a record."""
        self.logs[cluster].append(None)

    def settle(self) -> None:
        """Let every flow come to the end, again and again, until nothing moves."""
        for _ in range(3):
            for flow in self.flows.values():
                flow.take(10**6)

    def origins(self, *, settled: bool) -> list[OriginLegs]:
        """Return the ways from each origin to S and to T."""
        legs = {pair: flow.leg(settled=settled) for pair, flow in self.flows.items()}
        return [OriginLegs(legs.get((o, "S")), legs.get((o, "T"))) for o in self.logs]

    def brute(self, commit: int, bound: int) -> tuple[int, int]:
        """Return the first offset on T that was not read, and the read ones from `bound` on."""
        read = set(self.logs["S"][:commit]) - {None}
        target = self.logs["T"]
        unread = [n for n, each in enumerate(target) if each is not None and each not in read]
        again = sum(each in read for each in target[bound:])
        return min(unread, default=len(target)), again


def run(names: str, happens: list[tuple[str, int, int]]) -> Clusters:
    """Let things happen."""
    clusters = Clusters(names)
    flows = list(clusters.flows.values())
    for what, which, count in happens:
        if what == "write":
            clusters.write(names[which % len(names)], count)
        elif what == "mark":
            clusters.mark(names[which % len(names)])
        else:
            flows[which % len(flows)].take(count)
    return clusters


happenings = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "take", "take", "take", "mark"]),
        st.integers(0, 5),
        st.integers(1, 6),
    ),
    max_size=60,
)
commits = st.integers(0, 400)


@settings(max_examples=200)
@given(st.sampled_from(["ST", "STZ"]), happenings, commits)
def test_nothing_unread_is_passed_and_what_is_read_again_is_known(
    names: str, happens: list[tuple[str, int, int]], commit: int
) -> None:
    clusters = run(names, happens)
    commit = min(commit, len(clusters.logs["S"]))
    found = lower_bound(commit, len(clusters.logs["T"]), clusters.origins(settled=False))
    first_unread, again = clusters.brute(commit, found.offset)
    assert 0 <= found.offset <= first_unread
    assert found.again == again


@settings(max_examples=200)
@given(st.sampled_from(["ST", "STZ"]), happenings, commits)
def test_what_we_put_on_the_target_ourselves_is_not_waited_for(
    names: str, happens: list[tuple[str, int, int]], commit: int
) -> None:
    """The flow back may lag, or rest, behind it; never worse than without, never past a record."""
    clusters = run(names, happens)
    commit = min(commit, len(clusters.logs["S"]))
    end, origins = len(clusters.logs["T"]), clusters.origins(settled=False)
    ours = clusters.flows["S", "T"]
    nearer = [
        OriginLegs(over_ours(each.to_source, ours.offset_map, ours.end, others=True), None)
        if each.to_source is not None and each.to_target is None
        else each
        for each in origins
    ]
    found = lower_bound(commit, end, nearer)
    first_unread, again = clusters.brute(commit, found.offset)
    assert lower_bound(commit, end, origins).offset <= found.offset <= first_unread
    assert found.again == again


def test_while_the_flow_back_rests_a_group_is_followed_exactly() -> None:
    clusters = Clusters("ST")
    back, ours = clusters.flows["T", "S"], clusters.flows["S", "T"]
    clusters.write("T", 5)
    back.take(5)  # and rests from here on
    clusters.write("S", 100)
    ours.take(200)
    leg = over_ours(back.leg(settled=False), ours.offset_map, ours.end, others=False)
    origins = [OriginLegs(None, ours.leg(settled=True)), OriginLegs(leg, None)]
    assert lower_bound(65, 105, origins) == Bound(65, 0)


@settings(max_examples=200)
@given(st.sampled_from(["ST", "STZ"]), happenings, commits)
def test_in_step_it_is_the_very_first_unread_record(
    names: str, happens: list[tuple[str, int, int]], commit: int
) -> None:
    clusters = run(names, happens)
    clusters.settle()
    commit = min(commit, len(clusters.logs["S"]))
    found = lower_bound(commit, len(clusters.logs["T"]), clusters.origins(settled=True))
    first_unread, again = clusters.brute(commit, found.offset)
    target = clusters.logs["T"]
    assert all(record is None for record in target[found.offset : first_unread])
    assert found.again == again


def long_run(chance: random.Random) -> Clusters:
    """Let much happen on three clusters, some flows faster than others."""
    pace = [chance.randint(1, 6) for _ in range(6)]
    happens = []
    for _ in range(150):
        what, which = chance.choice(["write", "take", "take", "take"]), chance.randrange(6)
        happens.append((what, which, chance.randint(1, pace[which] if what == "take" else 4)))
    return run("STZ", happens)


@settings(max_examples=100)
@given(st.randoms(use_true_random=False), commits)
def test_with_flows_far_behind_each_other_the_count_is_exact(
    chance: random.Random, commit: int
) -> None:
    clusters = long_run(chance)
    commit = min(commit, len(clusters.logs["S"]))
    found = lower_bound(commit, len(clusters.logs["T"]), clusters.origins(settled=False))
    first_unread, again = clusters.brute(commit, found.offset)
    assert 0 <= found.offset <= first_unread
    assert found.again == again


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), commits)
def test_folded_maps_never_pass_an_unread_record(chance: random.Random, commit: int) -> None:
    small = {"EXACT_RUNS": 4, "FOLD_RUNS": 4, "KEPT_OF_RUNS": 4, "COARSE_RUNS": 2}
    with patch.multiple("engine.replication.offset_map", **small):
        clusters = long_run(chance)
    commit = min(commit, len(clusters.logs["S"]))
    found = lower_bound(commit, len(clusters.logs["T"]), clusters.origins(settled=False))
    first_unread, again = clusters.brute(commit, found.offset)
    assert 0 <= found.offset <= first_unread
    assert found.again >= again


@pytest.mark.parametrize(("commit", "expected"), [(0, 0), (4, 3), (9, 7), (10, 8), (11, 8)])
def test_one_way_it_is_the_exact_translation(commit: int, expected: int) -> None:
    ours = Leg(OffsetMap([(0, 0, 3), (5, 3, 5)]), 10, 8)
    assert lower_bound(commit, 9, [OriginLegs(None, ours)]) == Bound(expected, 0)
