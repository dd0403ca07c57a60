from __future__ import annotations

import pytest

from ccr_tui.symbols import ASCII, UNICODE, Symbols, for_environment
from engine.api.snapshots import FlowState, PartitionState, Trend


@pytest.mark.parametrize(
    ("environment", "coerced", "symbols"),
    [
        ({"LANG": "de_DE.UTF-8"}, False, UNICODE),
        ({"LANG": "C.utf8"}, False, UNICODE),
        ({"LC_CTYPE": "UTF-8"}, False, UNICODE),
        ({"LC_CTYPE": "C.UTF-8"}, False, UNICODE),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True, ASCII),
        ({"LC_CTYPE": "C.UTF-8"}, True, ASCII),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, True, ASCII),
        ({"LANG": "en_US.ISO-8859-1"}, False, ASCII),
        ({}, False, ASCII),
    ],
)
def test_symbols_follow_the_locale(
    environment: dict[str, str], coerced: bool, symbols: Symbols
) -> None:
    assert for_environment(environment, coerced=coerced) is symbols


@pytest.mark.parametrize("symbols", [UNICODE, ASCII])
def test_every_state_has_mark_and_word(symbols: Symbols) -> None:
    for state in (*FlowState, *PartitionState):
        mark, word = symbols.state(state).split(" ", 1)
        assert len(mark) == 1
        assert word == state.value
    for trend in Trend:
        mark, word = symbols.trend(trend).split(" ", 1)
        assert len(mark) == 1
        assert word == trend.value


def test_ascii_is_ascii() -> None:
    marks = [*ASCII.states.values(), *ASCII.trends.values(), ASCII.arrow, ASCII.ramp, ASCII.rule]
    assert all(mark.isascii() for mark in marks)
