"""What a comparison says of a record, and what tells two records apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from engine.demo.classify import Kind
from engine.demo.comparison import Comparison, Example, what_happened
from engine.demo.reading import fingerprint, same


@dataclass(frozen=True)
class Rec:
    offset: int = 5
    timestamp: int = 1_700_000_000_000
    key: bytes | None = b"visitor-1"
    value: bytes | None = b"12 view /item/7"
    headers: Sequence[tuple[str, bytes | None]] = ()


BASE = Rec()
OTHERS = [
    replace(BASE, timestamp=1_700_000_000_001),
    replace(BASE, key=None),
    replace(BASE, key=b""),
    replace(BASE, key=b"visitor-2"),
    replace(BASE, value=None),
    replace(BASE, value=b""),
    replace(BASE, value=b"12 view /item/8"),
    replace(BASE, key=b"visitor-11", value=b"2 view /item/7"),
    replace(BASE, headers=(("a", b"1"),)),
    replace(BASE, headers=(("a", None),)),
    replace(BASE, headers=(("a", b""),)),
    replace(BASE, headers=(("a1", b""),)),
    replace(BASE, headers=(("a", b"1"), ("b", b"2"))),
    replace(BASE, headers=(("b", b"2"), ("a", b"1"))),
]


def test_the_offset_alone_makes_no_difference() -> None:
    moved = replace(BASE, offset=99)
    assert same(BASE, moved)
    assert fingerprint(BASE) == fingerprint(moved)


@pytest.mark.parametrize(("a", "b"), itertools.combinations([BASE, *OTHERS], 2))
def test_everything_else_does(a: Rec, b: Rec) -> None:
    assert not same(a, b)
    assert fingerprint(a) != fingerprint(b)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (replace(BASE, timestamp=3), "timestamp 1700000000000 became 3"),
        (replace(BASE, key=b"visitor-2"), "key 'visitor-1' became 'visitor-2'"),
        (replace(BASE, key=None), "key 'visitor-1' became null"),
        (replace(BASE, value=None), "value of 15 B became null"),
        (replace(BASE, value=b"12 vieW"), "value of 15 B became 7 B, different from byte 6 on"),
        (replace(BASE, value=b"12 view"), "value of 15 B became 7 B, different from byte 7 on"),
        (replace(BASE, headers=(("a", b"1"),)), "headers [] became [a (1 B)]"),
        (
            replace(BASE, value=b"", timestamp=3),
            "value of 15 B became 0 B, different from byte 0 on; timestamp 1700000000000 became 3",
        ),
    ],
)
def test_a_mismatch_names_all_that_differs_but_shows_no_value(target: Rec, said: str) -> None:
    assert what_happened(Kind.MISMATCHED, BASE, target) == said


def test_other_faults_name_the_record() -> None:
    lost = "key 'visitor-1', value of 15 B, is not in the target"
    assert what_happened(Kind.LOST, BASE, None) == lost
    foreign = "key 'visitor-1', value of 15 B, is not in the source"
    assert what_happened(Kind.MISMATCHED, None, BASE) == foreign
    assert "more often" in what_happened(Kind.DUPLICATED, BASE, BASE)
    assert "order" in what_happened(Kind.REORDERED, BASE, BASE)
    long = what_happened(Kind.LOST, replace(BASE, key=b"\xff" + b"k" * 100), None)
    assert long.startswith("key '\\xffkkk")
    assert "…" in long
    assert len(long) < 120


def test_an_example_says_where() -> None:
    example = Example(Kind.LOST, "orders", "east.orders", 3, 17, None, "why")
    assert str(example) == "lost orders→east.orders/3 (source offset 17, target offset none): why"
    assert str(replace(example, target_topic="orders")).startswith("lost orders/3 (")


def test_identical_needs_no_faults_and_as_many_records() -> None:
    result = Comparison(partitions=2, source_records=10, target_records=10)
    assert result.identical
    assert str(result) == (
        "10 source and 10 target records in 2 partitions: "
        "0 lost, 0 duplicated, 0 reordered, 0 mismatched"
    )
    for kind in Kind:
        faulty = Comparison(source_records=10, target_records=10)
        faulty.counts[kind] = 1
        assert not faulty.identical
    assert not Comparison(source_records=10, target_records=9).identical
