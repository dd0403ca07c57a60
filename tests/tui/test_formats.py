from __future__ import annotations

import pytest

from ccr_tui import formats
from ccr_tui.symbols import ASCII, UNICODE


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (None, 9, "?"),
        (0, 9, "0"),
        (1204, 9, "1,204"),
        (9_999_999, 9, "9,999,999"),
        (12_345_678, 9, "12.3M"),
        (999_999_999, 9, "1.0G"),
        (1_000_000, 8, "1.0M"),
        (2**62, 9, "4,612P"),
    ],
)
def test_count(value: int | None, width: int, text: str) -> None:
    assert formats.count(value, width) == text
    assert len(text) <= width


def test_offsets_are_never_rounded() -> None:
    assert formats.offset(9_007_199_254_740_993) == "9,007,199,254,740,993"
    assert formats.offset(None) == "?"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3.21, "3.2"),
        (9.96, "10"),
        (9_876.0, "9,876"),
        (9_999.6, "10.0k"),
        (48_123.0, "48.1k"),
        (1e6, "1.0M"),
    ],
)
def test_rate(value: float, text: str) -> None:
    assert formats.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 B"),
        (1023.0, "1023 B"),
        (1024.0, "1.0 KiB"),
        (12.9e6, "12.3 MiB"),
        (2.0**40, "1.0 TiB"),
    ],
)
def test_size(value: float, text: str) -> None:
    assert formats.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "?"),
        (0.0, "0s"),
        (-1.0, "0s"),
        (0.04, "0s"),
        (0.4, "0.4s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.6, "1m00s"),
        (192.0, "3m12s"),
        (3 * 3600 + 725, "3h12m"),
        (2 * 86400 + 3 * 3600, "2d03h"),
        (412 * 86400, "412d"),
    ],
)
def test_seconds_fit_into_six_cells(value: float | None, text: str) -> None:
    assert formats.seconds(value) == text
    assert len(text) <= 6


def test_age_is_whole_seconds() -> None:
    assert formats.age(1.9) == "1s"
    assert formats.age(None) == "?"


def test_text_from_brokers_cannot_reach_the_terminal_as_control() -> None:
    assert formats.one_line("a\x1b[31mb\r\nc\u202ed") == r"a\x1b[31mb c\u202ed"


def test_sparkline_scales_from_zero_and_keeps_spikes() -> None:
    assert formats.sparkline([], 8, UNICODE.ramp) == ""
    assert formats.sparkline([0, 0], 8, UNICODE.ramp) == "▁▁"
    assert formats.sparkline([0, 50, 100], 8, UNICODE.ramp) == "▁▅█"
    spike = [0.0] * 119
    spike.insert(60, 1000.0)
    drawn = formats.sparkline(spike, 12, UNICODE.ramp)
    assert len(drawn) == 12
    assert drawn.count("█") == 1


def test_anything_above_nothing_is_drawn_above_nothing() -> None:
    assert formats.sparkline([1, 1_000_000], 4, ASCII.ramp) == ".#"
