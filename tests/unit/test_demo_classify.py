"""The oracle's rules: whatever happened to a sequence is found, counted exactly, and named."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.demo import classify as rules
from engine.demo.classify import Difference, Kind, classify


def counts(source: list[int], target: list[int]) -> tuple[int, int, int, int]:
    found = classify(source, target).counts
    lost, doubled = found[Kind.LOST], found[Kind.DUPLICATED]
    return lost, doubled, found[Kind.REORDERED], found[Kind.MISMATCHED]


def common_subsequence(a: list[int], b: list[int]) -> int:
    """The textbook table, to hold the fast algorithm against."""
    row = [0] * (len(b) + 1)
    for x in a:
        above = row[:]
        for j, y in enumerate(b):
            row[j + 1] = above[j] + 1 if x == y else max(above[j + 1], row[j])
    return row[-1]


def examples(source: list[int], target: list[int]) -> list[Difference]:
    return classify(source, target).examples


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_the_same_sequence_has_no_differences(sequence: list[int]) -> None:
    assert counts(sequence, list(sequence)) == (0, 0, 0, 0)
    assert examples(sequence, list(sequence)) == []


@given(st.lists(st.sampled_from("-m===2"), max_size=60), st.integers())
def test_deletes_mutations_and_copies_are_counted_exactly(acts: list[str], seed: int) -> None:
    """`-` loses a record, `m` alters it in place, `2` copies it to any later place."""
    chance = random.Random(seed)
    source = list(range(len(acts)))
    target: list[int] = []
    for record, act in zip(source, acts, strict=True):
        if act == "m":
            target.append(1_000 + record)
        elif act != "-":
            target.append(record)
    for record, act in zip(source, acts, strict=True):
        if act == "2":
            target.insert(chance.randint(target.index(record) + 1, len(target)), record)
    expected = (acts.count("-"), acts.count("2"), 0, acts.count("m"))
    assert counts(source, target) == expected


@given(st.integers(2, 60), st.sets(st.integers(0, 29)))
def test_every_swap_of_neighbours_is_one_reordered_record(size: int, swaps: set[int]) -> None:
    target = list(range(size))
    done = 0
    for at in (2 * swap for swap in swaps if 2 * swap + 1 < size):
        target[at], target[at + 1] = target[at + 1], target[at]
        done += 1
    assert counts(list(range(size)), target) == (0, 0, done, 0)


@given(st.permutations(range(12)))
def test_reordered_is_the_fewest_records_that_moved(target: list[int]) -> None:
    ends: list[int] = []  # patience sorting: the longest increasing run of what stayed
    for record in target:
        at = next((k for k, end in enumerate(ends) if end >= record), len(ends))
        ends[at : at + 1] = [record]
    assert counts(list(range(12)), target) == (0, 0, 12 - len(ends), 0)


@given(st.lists(st.integers(0, 6), max_size=24), st.lists(st.integers(0, 8), max_size=24))
def test_any_two_sequences_are_accounted_for(source: list[int], target: list[int]) -> None:
    """Repeated contents, foreign ones, everything at once: each count by its definition."""
    s, t = Counter(source), Counter(target)
    foreign = sum(n for content, n in t.items() if content not in s)
    missing = (s - t).total()
    surplus = sum(n for content, n in (t - s).items() if content in s)
    lost, duplicated, reordered, mismatched = counts(source, target)
    assert duplicated == surplus
    assert reordered == (s & t).total() - common_subsequence(source, target)
    # A mismatched record stands for a missing and a foreign one, or for a foreign one alone.
    assert max(missing, foreign) <= lost + mismatched <= missing + foreign
    assert mismatched >= foreign
    assert len(target) == len(source) - missing + surplus + foreign
    assert lost + (mismatched - foreign) <= missing


@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.integers(0, 3), max_size=30))
def test_examples_point_at_the_records_they_name(source: list[int], target: list[int]) -> None:
    found = classify(source, target, most_examples=1_000)
    assert Counter(example.kind for example in found.examples) == +found.counts
    for example in found.examples:
        i, j = example.source, example.target
        if example.kind is Kind.LOST:
            assert i is not None
            assert j is None
        elif example.kind is Kind.MISMATCHED:
            assert j is not None
            assert target[j] not in source
        else:
            assert i is not None
            assert j is not None
            assert source[i] == target[j]


def test_each_fault_is_named_with_its_place() -> None:
    source = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    target = [10, 11, 13, 13, 14, 16, 15, 99, 18, 19]
    assert set(examples(source, target)) == {
        Difference(Kind.LOST, 2, None),
        Difference(Kind.DUPLICATED, 3, 3),
        Difference(Kind.REORDERED, 6, 5),
        Difference(Kind.MISMATCHED, 7, 7),
    }


def test_a_batch_sent_twice_is_duplicated_whichever_copy_is_late() -> None:
    source = list(range(10))
    assert counts(source, [0, 1, 2, 3, 4, 3, 4, 5, 6, 7, 8, 9]) == (0, 2, 0, 0)
    assert counts(source, [*range(10), 3, 4]) == (0, 2, 0, 0)
    assert examples(source, [*range(10), 4])[0] == Difference(Kind.DUPLICATED, 4, 10)


def test_nothing_arrived_and_nothing_was_sent() -> None:
    assert counts([1, 2, 3], []) == (3, 0, 0, 0)
    assert counts([], [1, 2]) == (0, 0, 0, 2)
    assert examples([], [7]) == [Difference(Kind.MISMATCHED, None, 0)]


def test_altered_and_moved_is_told_apart_from_altered_in_place() -> None:
    assert counts([1, 2, 3, 4], [1, 9, 3, 4]) == (0, 0, 0, 1)
    assert counts([1, 2, 3, 4], [1, 3, 4, 9]) == (1, 0, 0, 1)


def test_examples_are_few_and_counts_whole() -> None:
    found = classify(list(range(100)), [], most_examples=3)
    assert found.counts[Kind.LOST] == 100
    assert [example.source for example in found.examples] == [0, 1, 2]


def test_contents_repeated_without_end_keep_exact_counts() -> None:
    """More repeats than are aligned freely: only `reordered` may be told too high."""
    repeats = 3 * rules.MOST_REPEATS
    source = [1, 2] * repeats
    lost, duplicated, _, mismatched = counts(source, [2, *[1, 2] * (repeats - 1)])
    assert (lost, duplicated, mismatched) == (1, 0, 0)
    lost, duplicated, _, mismatched = counts(source, [2, *source, 7])
    assert (lost, duplicated, mismatched) == (0, 1, 1)


def test_a_long_sequence_with_far_apart_faults_is_done_quickly() -> None:
    source = list(range(300_000))
    target = source[5:]
    target[200_000:200_000] = source[:3]
    target[250_000] = -1 % 2**64
    assert counts(source, target) == (2, 0, 3, 1)
