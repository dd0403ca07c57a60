from __future__ import annotations

from dataclasses import dataclass

import pytest
from rich.cells import cell_len

from ccr_tui.widgets.facts import wrapped
from ccr_tui.widgets.table.book import Order, RowBook
from ccr_tui.widgets.table.columns import Cell, Column, Tone, fit, set_width


@dataclass(frozen=True)
class Row:
    name: str
    size: int


def columns() -> tuple[Column[Row], ...]:
    def name(row: Row) -> Cell:
        return row.name, Tone.PLAIN

    return (
        Column("name", "NAME", name, 10, 0, grow=1, most=20, sort=lambda row: row.name),
        Column("size", "SIZE", name, 5, 2, sort=lambda row: row.size, falling=True),
        Column("note", "NOTE", name, 20, 1, grow=3),
    )


def ids(width: int) -> list[tuple[str, int, int]]:
    return [(place.column.id, place.x, place.width) for place in fit(columns(), width)]


@pytest.mark.parametrize(
    ("width", "placed"),
    [
        (4, [("name", 1, 10)]),
        (11, [("name", 1, 10)]),
        (31, [("name", 1, 20)]),
        (32, [("name", 1, 10), ("note", 12, 20)]),
        (38, [("name", 1, 10), ("size", 12, 5), ("note", 18, 20)]),
        (46, [("name", 1, 12), ("size", 14, 5), ("note", 20, 26)]),
        (200, [("name", 1, 20), ("size", 22, 5), ("note", 28, 172)]),
    ],
)
def test_columns_go_by_priority_and_share_what_is_left(
    width: int, placed: list[tuple[str, int, int]]
) -> None:
    assert ids(width) == placed


@pytest.mark.parametrize(
    ("text", "right", "result"),
    [
        ("abc", False, "abc  "),
        ("abc", True, "  abc"),
        ("abcdef", False, "abcd…"),
        ("日本", True, " 日本"),
        ("日本語", False, "日本…"),
    ],
)
def test_set_width_counts_cells(text: str, right: bool, result: str) -> None:
    assert set_width(text, 5, right=right, ellipsis="…") == result
    assert cell_len(result) == 5


def make_book(order: Order) -> RowBook[Row]:
    book = RowBook[Row](lambda row: row.name, columns(), order, tie=lambda row: row.name)
    book.update([Row("b", 2), Row("a", 2), Row("c", 9)])
    book.rearrange()
    return book


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (Order("size", descending=True), ["c", "a", "b"]),
        (Order("size", descending=False), ["a", "b", "c"]),
        (Order("name", descending=True), ["c", "b", "a"]),
        (Order("", descending=False), ["a", "b", "c"]),
    ],
)
def test_rows_are_sorted_and_equals_stay_in_the_order_of_the_tie(
    order: Order, names: list[str]
) -> None:
    assert make_book(order).shown == names


def test_values_change_without_the_order() -> None:
    book = make_book(Order("size", descending=True))
    assert book.update([Row("b", 100)]) == {"b"}
    assert book.shown == ["c", "a", "b"]
    assert not book.settled
    assert book.complete
    book.rearrange()
    assert book.shown == ["b", "c", "a"]
    assert book.position == {"b": 0, "c": 1, "a": 2}


def test_rows_that_come_and_go_make_the_order_incomplete() -> None:
    book = make_book(Order("size", descending=True))
    assert book.update([], removed=["a", "unknown"]) == {"a"}
    assert not book.complete
    book.rearrange()
    assert book.shown == ["c", "b"]


def test_the_filter_is_applied_when_rearranging() -> None:
    book = make_book(Order("size", descending=True))
    book.filter = lambda row: row.size < 5
    book.rearrange()
    assert book.shown == ["a", "b"]


def lines(fact: list[Cell], width: int) -> list[str]:
    return ["".join(text for text, _ in line) for line in wrapped(fact, width)]


def test_facts_wrap_right_of_their_label() -> None:
    fact = [("Why   ", Tone.DIM), ("the target refused a batch", Tone.BAD)]
    assert lines(fact, 22) == ["Why   the target ", "      refused a batch"]


def test_a_word_longer_than_the_line_is_cut_not_lost() -> None:
    fact = [("Why   ", Tone.DIM), ("x" * 30, Tone.BAD)]
    assert lines(fact, 16) == ["Why   " + "x" * 10, "      " + "x" * 10, "      " + "x" * 10]


@pytest.mark.parametrize("width", [1, 2, 5, 9, 17, 80])
def test_wrapping_loses_no_word_and_keeps_to_the_width(width: int) -> None:
    text = "日本語 und Offsets 1,002,113 while max.message.bytes of orders.eu is small"
    result = lines([("Next  ", Tone.DIM), (text, Tone.PLAIN)], width)
    assert "".join("".join(result).split()) == "Next" + "".join(text.split())
    assert all(cell_len(line.rstrip()) <= max(2, width) for line in result)


def test_an_empty_fact_is_an_empty_line() -> None:
    assert lines([("", Tone.PLAIN)], 20) == [""]
