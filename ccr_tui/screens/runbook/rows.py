"""The steps of a plan or of a run as rows, and what is told of one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ccr_tui import formats
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from ccr_tui.widgets.table.view import LineTable
from engine.api.runbook_snapshots import Step, StepState

STATE_TONES = {
    StepState.PENDING: Tone.DIM,
    StepState.RUNNING: Tone.STRONG,
    StepState.DONE: Tone.GOOD,
    StepState.FAILED: Tone.BAD,
    StepState.UNDOING: Tone.WARN,
    StepState.UNDONE: Tone.DIM,
}
_MARKS = {
    StepState.PENDING: "standby",
    StepState.RUNNING: "starting",
    StepState.DONE: "running",
    StepState.FAILED: "stopped",
    StepState.UNDOING: "waiting",
    StepState.UNDONE: "paused",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One step, at its place."""

    number: int
    step: Step
    planned: bool  # a plan's: it has no state yet


def table(symbols: Symbols) -> LineTable[Row]:
    """Make the table of steps, in their order."""
    return LineTable(
        _columns(symbols),
        key=lambda row: row.step.name.value,
        tie=lambda row: row.number,
        order=Order("number", descending=False),
        symbols=symbols,
        rests_on_top=True,
        id="steps",
    )


def _columns(symbols: Symbols) -> tuple[Column[Row], ...]:

    def state(row: Row) -> Cell:
        if row.planned:
            return ("no way back" if row.step.crosses else ""), Tone.WARN
        step = row.step
        return f"{symbols.states[_MARKS[step.state]]} {step.state}", STATE_TONES[step.state]

    return (
        Column(
            "number",
            "#",
            lambda row: (str(row.number), Tone.DIM),
            2,
            1,
            right=True,
            sort=lambda row: row.number,
        ),
        Column("step", "STEP", _title, 30, 0, grow=3),
        Column("state", "STATE", state, 11, 2),
        Column("took", "TOOK", _took, 6, 4, right=True),
        Column("seen", "SEEN, OR WAITED FOR", _seen, 34, 6, grow=2),
    )


def _title(row: Row) -> Cell:
    return row.step.title, Tone.STRONG if row.step.crosses else Tone.PLAIN


def _took(row: Row) -> Cell:
    step = row.step
    if row.planned or not step.began:
        return "", Tone.DIM
    return formats.seconds((step.ended or time.time()) - step.began), Tone.PLAIN


def _seen(row: Row) -> Cell:
    step = row.step
    if row.planned:
        return (f"undo: {step.undo}" if step.undo else ""), Tone.DIM
    if step.reason is not None:
        return formats.one_line(step.reason.text), Tone.BAD
    if step.waits_for:
        return f"waits for {formats.one_line(step.waits_for)}", Tone.WARN
    return (formats.one_line(step.evidence[-1]) if step.evidence else ""), Tone.PLAIN


def described(row: Row) -> tuple[str, list[Fact]]:
    """Tell all of a step."""
    step = row.step
    facts: list[Fact] = []
    if step.reason is not None:
        facts.append([("Failed ", Tone.DIM), (step.reason.text, Tone.BAD)])
        if step.reason.next_step:
            facts.append([("Do     ", Tone.DIM), (step.reason.next_step, Tone.STRONG)])
    if step.waits_for and not row.planned:
        facts.append([("Waits  ", Tone.DIM), (f"for {step.waits_for}", Tone.WARN)])
    facts += [[("Seen   ", Tone.DIM), (text, Tone.PLAIN)] for text in step.evidence]
    if step.crosses:
        facts.append([("Then   ", Tone.DIM), ("there is no way back, only forward", Tone.WARN)])
    undo = step.undo or "nothing: it changes nothing"
    facts.append([("Undo   ", Tone.DIM), ("not possible" if step.crosses else undo, Tone.PLAIN)])
    limit = formats.seconds(step.timeout_seconds)
    facts.append([("Within ", Tone.DIM), (f"{limit} at most", Tone.PLAIN)])
    return f"{row.number} {formats.one_line(step.title)}", facts
