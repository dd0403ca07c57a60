"""The plot: what is drawn where, in braille and in ASCII, with axes that say what they mean."""

from __future__ import annotations

import time
from typing import ClassVar

import pytest
from textual.app import App, ComposeResult

from ccr_tui import formats
from ccr_tui.symbols import ASCII, UNICODE, Symbols
from ccr_tui.widgets.plot.canvas import area
from ccr_tui.widgets.plot.series import Series, nice_top
from ccr_tui.widgets.plot.view import Plot

NOW = 1_763_800_000.0


def series(values: list[float | None], step: float = 5.0, title: str = "Lag, records") -> Series:
    at = [NOW - step * (len(values) - 1 - n) for n in range(len(values))]
    return Series(title, at, values, lambda value: formats.count(round(value), 7))


def test_braille_fills_from_the_bottom_two_columns_a_cell() -> None:
    lines = area([0.0, 1.0, 4.0, 8.0], 2, 8.0, ascii_only=False)
    # 0 and 1 of 8: a dot each; 4 is half of both rows, 8 is all
    assert lines == [" ⢸", "⣀⣿"]


def test_ascii_has_two_levels_a_cell_and_unknown_is_blank() -> None:
    assert area([0.0, 1.0, None, 3.0, 4.0], 2, 4.0, ascii_only=True) == ["   .#", ".. ##"]


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (0.7, 0.8), (1, 1), (1.1, 1.5), (4.5, 5), (45_000, 50_000), (81, 100)]
)
def test_an_axis_ends_with_a_round_number(most: float, top: float) -> None:
    assert nice_top(most) == pytest.approx(top)


def test_a_spike_is_kept_and_rare_points_leave_no_holes() -> None:
    assert max(v or 0 for v in series([1.0] * 300 + [99.0] + [1.0] * 300).columns(40)) == 99.0
    columns = series([3.0] * 13, step=25.0).columns(60)
    assert None not in columns[-55:]
    missing = series([1.0] * 20 + [None] * 20 + [1.0] * 20).columns(60)
    assert missing.count(None) >= 15


def test_what_is_shown_grows_to_an_hour() -> None:
    assert [series([1.0] * n).span for n in (1, 61, 100, 300, 720)] == [300, 300, 900, 1800, 3600]


class OnePlot(App[None]):
    CSS: ClassVar[str] = "Plot { width: 1fr; height: 1fr; }"

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self.plot = Plot(symbols)

    def compose(self) -> ComposeResult:
        yield self.plot


async def drawn(
    shown: Series | None, size: tuple[int, int] = (60, 10), symbols: Symbols = UNICODE
) -> list[str]:
    app = OnePlot(symbols)
    async with app.run_test(size=size) as pilot:
        app.plot.show(shown)
        await pilot.pause()
        return app.plot.text.split("\n")


async def test_title_least_most_and_axes_with_times() -> None:
    values: list[float | None] = [100.0] * 360 + [45_000.0] + [0.0] * 359
    lines = await drawn(series(values))
    start, middle, end = (
        time.strftime("%H:%M", time.localtime(NOW - back)) for back in (3600, 1800, 0)
    )
    peak = time.strftime("%H:%M", time.localtime(NOW - 359 * 5))
    assert lines[0] == f"Lag, records: now 0, min 0, max 45,000 at {peak}"
    assert lines[1].startswith(" 50,000┤")
    assert lines[4].startswith(" 25,000┤")
    assert lines[7].startswith("      0┤⣀")
    assert lines[8] == "       └" + "─" * 51
    assert lines[9].split() == [start, middle, end]
    assert len(lines[9]) <= 60


async def test_in_ascii_there_is_nothing_else() -> None:
    lines = await drawn(series([5.0] * 720), symbols=ASCII)
    assert all(line.isascii() for line in lines)
    assert lines[1][8:].strip("#") == ""
    assert "#" in lines[1]


async def test_where_it_is_narrow_the_range_alone_is_said() -> None:
    lines = await drawn(series([7.0] * 10), (40, 8))
    assert lines[0].startswith("Lag, records: 7 to 7 (at ")
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize("size", [(10, 10), (40, 3), (1, 1)])
async def test_too_small_for_a_plot_is_blank(size: tuple[int, int]) -> None:
    assert await drawn(series([7.0] * 10), size) == [""]


async def test_nothing_known_is_said() -> None:
    assert await drawn(None) == [""]
    assert (await drawn(series([None, None])))[0] == "Lag, records: nothing known yet"
