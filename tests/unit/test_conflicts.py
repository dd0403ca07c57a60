"""Keys written on two clusters within a window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.replication.both_ways.conflicts import SAMPLES, SHOWN_BYTES, Conflicts

ORDERS = ("orders", 3)
writes = st.lists(
    st.tuples(
        st.sampled_from([b"a", b"b"]),
        st.sampled_from(["east", "west", "north"]),
        st.integers(0, 60_000),
    ),
    max_size=30,
)


@given(writes)
def test_a_write_is_a_conflict_when_another_origins_last_one_is_near(
    happened: list[tuple[bytes, str, int]],
) -> None:
    found = Conflicts(10.0)
    last: dict[tuple[bytes, str], int] = {}
    expected = 0
    for offset, (key, origin, at) in enumerate(happened):
        near = any(
            abs(at - other_at) <= 10_000
            for (other_key, other), other_at in last.items()
            if other_key == key and other != origin
        )
        assert (found.note(ORDERS, key, origin, at, offset) is not None) == near
        expected += near
        last[key, origin] = at
    assert found.total == expected


def test_a_sample_says_which_writes_where_and_when() -> None:
    found = Conflicts(2.0)
    found.note(ORDERS, b"k" * 100, "east", 5_000, 10)
    found.note(("orders", 4), b"k" * 100, "west", 5_000, 11)  # another partition, another key
    sample = found.note(ORDERS, b"k" * 100, "west", 6_500, 12)
    assert sample is not None
    assert (sample.partition, sample.key) == (3, f"'{'k' * SHOWN_BYTES}'… (100 bytes)")
    assert (sample.before.origin, sample.before.offset, sample.before.at) == ("east", 10, 5.0)
    assert (sample.behind.origin, sample.behind.offset, sample.behind.at) == ("west", 12, 6.5)


def test_memory_is_bounded_and_the_keys_written_last_are_kept() -> None:
    found = Conflicts(1.0, keys=3)
    for number in range(10):
        found.note(ORDERS, b"%d" % number, "east", 0, number)
    found.note(ORDERS, b"7", "east", 0, 10)
    found.note(ORDERS, b"10", "east", 0, 11)
    assert len(found._last) == 3
    assert found.note(ORDERS, b"7", "west", 0, 12) is not None
    assert found.note(ORDERS, b"8", "west", 0, 13) is None


def test_the_newest_samples_of_the_topics_with_most_are_shown() -> None:
    found = Conflicts(1.0)
    for number in range(10):
        for origin in ("east", "west"):
            found.note(ORDERS, b"%d" % number, origin, 0, number)
    found.note(("calm", 0), b"k", "east", 0, 1)
    found.note(("calm", 0), b"k", "west", 0, 2)
    topics = found.topics()
    assert [(row.topic, row.conflicts) for row in topics] == [("orders", 10), ("calm", 1)]
    assert [sample.key for sample in topics[0].samples] == [
        f"'{n}'" for n in range(10 - SAMPLES, 10)
    ]
