"""10,000 partitions: what is not in sight or says the same costs nothing."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ccr_tui.widgets.table import columns as table_columns
from ccr_tui.widgets.table import view
from ccr_tui.widgets.table.lines import changed_span
from ccr_tui.widgets.table.view import LineTable
from engine.api.snapshots import PartitionSnapshot
from tests.tui.driving import console, open_lag, screen_lines, settle, until
from tests.tui.scripted import T0, ScriptedEngine, big_partitions, make_flow

FIRST_ROW = 4
"""Screen line of the table's first row: header, two titles, head."""


@contextlib.contextmanager
def counted_lines(
    monkeypatch: pytest.MonkeyPatch, table: LineTable[object]
) -> Iterator[Counter[int]]:
    """Count which lines of the table are drawn."""
    drawn: Counter[int] = Counter()
    original = LineTable.render_line

    def render_line(self: LineTable[object], y: int) -> object:
        if self is table:
            drawn[y] += 1
        return original(self, y)

    with monkeypatch.context() as patch:
        patch.setattr(LineTable, "render_line", render_line)
        yield drawn


def big_engine() -> ScriptedEngine:
    return ScriptedEngine([make_flow(partitions=10_000)], big_partitions(10_000))


def moved(engine: ScriptedEngine, topic: str, partition: int, lag: int) -> PartitionSnapshot:
    return replace(engine.partitions[topic, partition], lag_records=lag)


async def test_only_lines_in_sight_that_say_something_else_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = big_engine()
    async with console(engine) as (app, pilot):
        screen = await open_lag(app, pilot)
        table = screen.table
        assert len(table.book.shown) == 10_000
        in_sight = table.size.height
        assert in_sight > 5
        # Three lines in sight that change, two that are told of but say the same, 155 elsewhere.
        changes = [moved(engine, "topic-0000", n, 700 + n) for n in (1, 2, 5)]
        changes += [
            replace(engine.partitions["topic-0000", n], observed_at=T0 + 1, target_end=5)
            for n in (0, 3)
        ]
        changes += [moved(engine, f"topic-{n:04}", 0, 9) for n in range(20, 175)]
        with counted_lines(monkeypatch, table) as drawn:
            engine.change(changes)
            await until(lambda: table.book.rows["topic-0174", 0].lag_records == 9)
            await settle(pilot)
            assert drawn == {1: 1, 2: 1, 5: 1}
        lines = screen_lines(app)[FIRST_ROW : FIRST_ROW + in_sight]
        lags = [line.split()[5 if "in step" in line else 4] for line in lines]
        assert lags == [{1: "701", 2: "702", 5: "705"}.get(n, "0") for n in range(in_sight)]


async def test_a_change_far_away_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = big_engine()
    async with console(engine) as (app, pilot):
        table = (await open_lag(app, pilot)).table
        with counted_lines(monkeypatch, table) as drawn:
            engine.change([moved(engine, "topic-0199", 49, 3)])
            await until(lambda: table.book.rows["topic-0199", 49].lag_records == 3)
            await settle(pilot)
        assert drawn == {}


async def test_only_the_cells_that_changed_are_sent_to_the_terminal() -> None:
    engine = big_engine()
    async with console(engine) as (app, pilot):
        table = (await open_lag(app, pilot)).table
        old = table._line(1)
        engine.change([moved(engine, "topic-0000", 1, 7)])
        await until(lambda: table.book.rows["topic-0000", 1].lag_records == 7)
        new = table._line(1)
        places = {place.column.id: place for place in table.placed}
        lag, eta = places["lag"], places["eta"]  # `now` before, not known now
        assert changed_span(table.placed, old, new, 80) == (lag.x, eta.x + eta.width)


async def test_moving_the_cursor_draws_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = big_engine()
    async with console(engine) as (app, pilot):
        table = (await open_lag(app, pilot)).table
        with counted_lines(monkeypatch, table) as drawn:
            await pilot.press("down")
            await settle(pilot)
        assert drawn == {0: 1, 1: 1}


async def test_cells_are_formatted_for_lines_in_sight_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = big_engine()
    async with console(engine) as (app, pilot):
        table = (await open_lag(app, pilot)).table
        formatted: list[PartitionSnapshot] = []
        original = table.placed[0].column.cell

        def cell(row: PartitionSnapshot) -> table_columns.Cell:
            formatted.append(row)
            return original(row)

        first = table.placed[0]
        table.placed = (replace(first, column=replace(first.column, cell=cell)), *table.placed[1:])
        engine.change(moved(engine, f"topic-{n:04}", 7, 1) for n in range(160))
        await until(lambda: table.book.rows["topic-0159", 7].lag_records == 1)
        await settle(pilot)
        assert [(row.topic, row.partition) for row in formatted] == [("topic-0000", 7)]


async def test_sorting_and_filtering_10_000_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "ORDER_EVERY", 0.0)
    engine = big_engine()
    async with console(engine) as (app, pilot):
        table = (await open_lag(app, pilot)).table
        await pilot.press("s")
        engine.change([moved(engine, "topic-0123", 45, 1_000_000)])
        await until(lambda: table.book.shown[0] == ("topic-0123", 45))
        await settle(pilot)
        assert screen_lines(app)[FIRST_ROW].split()[:2] == ["▸topic-0123", "45"]
        await pilot.press("slash", *"re:012./7$", "enter")
        await until(lambda: len(table.book.shown) == 10)
        assert all(key[1] == 7 for key in table.book.shown)
