"""Numbers as people read them."""

from __future__ import annotations

import pytest

from engine.service import wording


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "-"), (0, "0"), (0.2, "<1"), (1, "1"), (1.6, "2"), (12345.4, "12,345")],
)
def test_count(number: float | None, text: str) -> None:
    assert wording.count(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (150 * 1024, "150 KiB"),
        (52_428_800, "50.0 MiB"),
        (3 * 2**40, "3.0 TiB"),
    ],
)
def test_size(number: float | None, text: str) -> None:
    assert wording.size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-3.0, "0.0 s"),  # clocks differ
        (0.44, "0.4 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.9, "1 h 0 min"),
        (7630, "2 h 7 min"),
        (86400 * 4 + 3 * 3600, "4 d 3 h"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds) == text


def test_lag() -> None:
    assert wording.lag(None, None) == "lag not known"
    assert wording.lag(0, 0.0) == "in step"
    assert wording.lag(1200, 75.0) == "lag 1,200 records (1 min 15 s)"
