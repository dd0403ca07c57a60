"""The runs of a flow that are on record, as rows, and the report of one."""

from __future__ import annotations

import time

from ccr_tui import formats
from ccr_tui.screens.runbook.told import RUN_TONES
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.columns import Column, Tone
from ccr_tui.widgets.table.view import LineTable
from engine.api.runbook_snapshots import Run
from engine.service import run_report


def table(symbols: Symbols) -> LineTable[Run]:
    """Make the table of runs, newest first."""
    return LineTable(
        _columns(),
        key=lambda run: run.id,
        tie=lambda run: run.id,
        order=Order("began", descending=True),
        symbols=symbols,
        rests_on_top=True,
        id="runs",
    )


def _columns() -> tuple[Column[Run], ...]:
    return (
        Column(
            "began",
            "BEGAN",
            lambda run: (formats.timestamp(run.began)[:16], Tone.PLAIN),
            16,
            0,
            sort=lambda run: run.began,
            falling=True,
        ),
        Column("kind", "RUNBOOK", lambda run: (run.kind.value, Tone.STRONG), 9, 1),
        Column("state", "STATE", lambda run: (run.state.value, RUN_TONES[run.state]), 8, 2),
        Column(
            "took",
            "TOOK",
            lambda run: (formats.seconds((run.ended or time.time()) - run.began), Tone.PLAIN),
            6,
            3,
            right=True,
            sort=lambda run: (run.ended or time.time()) - run.began,
        ),
        Column("by", "ASKED FOR BY", lambda run: (formats.one_line(run.by), Tone.PLAIN), 16, 4),
        Column(
            "how",
            "HOW IT WENT",
            lambda run: (formats.one_line(run_report.sentence(run)), Tone.PLAIN),
            20,
            5,
            grow=1,
        ),
    )


def described(run: Run) -> tuple[str, list[Fact]]:
    """Say in short how a run went."""
    return f"{run.kind} {run.id}", [
        [("Went   ", Tone.DIM), (run_report.sentence(run), RUN_TONES[run.state])],
        [("By     ", Tone.DIM), (f"{formats.one_line(run.by)}, on {run.host}", Tone.PLAIN)],
    ]


def report(run: Run) -> list[Fact]:
    """Return the report of a run, a line a fact."""
    return [
        [(line or " ", Tone.STRONG if line.startswith(("#", "**")) else Tone.PLAIN)]
        for line in run_report.markdown(run).splitlines()
    ]
