from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ccr_tui.filtering import FilterError, parse
from ccr_tui.screens.lag.filtering import OF_PARTITIONS, name_of
from tests.tui.scripted import small_partitions


def found(text: str) -> list[str]:
    wanted = parse(text, OF_PARTITIONS)
    return [name_of(p) for p in small_partitions() if wanted is None or wanted.matches(p)]


ALL = ["orders.eu/0", "orders.eu/1", "orders.eu/2", "orders.us/0", "payments/0", "payments/1"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ALL),
        ("!", ALL),
        ("re:", ALL),
        ("  ", ALL),
        ("orders.us", ["orders.us/0"]),
        ("ORDERS.US", ["orders.us/0"]),
        ("eu/1", ["orders.eu/1"]),
        ("!orders", ["payments/0", "payments/1"]),
        ("re:^p.*/1$", ["payments/1"]),
        ("!re:^p", ["orders.eu/0", "orders.eu/1", "orders.eu/2", "orders.us/0"]),
        ("stopped", ["orders.eu/1"]),
        ("waiting", ["payments/0"]),
        ("growing", ["orders.eu/2"]),
        ("in step", ["orders.eu/0", "payments/1"]),
        ("in", []),
        ("nothing.like.it", []),
    ],
)
def test_filter(text: str, names: list[str]) -> None:
    assert found(text) == names


def test_a_regex_without_end_finds_nothing_says_so_and_holds_nobody_up() -> None:
    wanted = parse("re:(p|p)+b", OF_PARTITIONS)
    assert wanted is not None
    slow = replace(small_partitions()[0], topic="b" + "p" * 60)
    began = time.process_time()
    assert not any(wanted.matches(replace(slow, partition=n)) for n in range(1000))
    assert time.process_time() - began < 0.5
    assert "takes too long on bppp" in wanted.trouble


def test_a_bad_regex_says_where() -> None:
    with pytest.raises(FilterError, match="unterminated character set at position 3"):
        parse("re:ab[c", OF_PARTITIONS)
