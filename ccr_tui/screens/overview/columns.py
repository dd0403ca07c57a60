"""The columns of the overview's two tables."""

from __future__ import annotations

from dataclasses import dataclass

from ccr_tui import formats
from ccr_tui.screens.tones import FLOW_TONES, SEVERITY_TONES
from ccr_tui.state import EventRow
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from engine.api.snapshots import FlowSnapshot

_SPARK = 16


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A flow and the age of what is known of it, as text."""

    flow: FlowSnapshot
    age: str
    age_tone: Tone
    gap_in: str = ""
    """How soon retention overtakes it, where that is within a day."""


def flow_columns(symbols: Symbols) -> tuple[Column[FlowRow], ...]:
    """Return the flow table's columns."""

    def state(row: FlowRow) -> Cell:
        return symbols.state(row.flow.state), FLOW_TONES[row.flow.state]

    def route(row: FlowRow) -> Cell:
        return f"{row.flow.source} {symbols.arrow} {row.flow.target}", Tone.PLAIN

    def stuck(row: FlowRow) -> Cell:
        if row.gap_in:
            return f"{symbols.warning}{row.gap_in}", Tone.BAD
        stopped, waiting = row.flow.partitions_stopped, row.flow.partitions_waiting
        if stopped:
            return f"{symbols.stuck}{stopped:,}", Tone.BAD
        return (
            (f"{symbols.states['waiting']}{waiting:,}", Tone.WARN) if waiting else ("0", Tone.DIM)
        )

    def spark(row: FlowRow) -> Cell:
        values = [point.records_per_second for point in row.flow.history]
        return formats.sparkline(values, _SPARK, symbols.ramp), Tone.PLAIN

    return (
        Column("name", "FLOW", lambda row: (row.flow.name, Tone.STRONG), 12, 0, grow=2, most=32),
        Column("state", "STATE", state, 10, 1),
        Column("route", "ROUTE", route, 13, 7, grow=1, most=40),
        Column("stuck", "STUCK", stuck, 5, 4, right=True),
        Column("lag", "LAG", _lag, 8, 2, right=True),
        Column("behind", "BEHIND", _behind, 6, 3, right=True),
        Column("records", "REC/S", _records, 6, 5, right=True),
        Column("bytes", "BYTES/S", _bytes, 9, 6, right=True),
        Column("spark", "RECORDS/S 2 MIN", spark, _SPARK, 8),
        Column("age", "AGE", lambda row: (row.age, row.age_tone), 4, 9, right=True),
        Column("owner", "OWNER", _owner, 14, 10, grow=1, most=30),
    )


def _lag(row: FlowRow) -> Cell:
    return formats.count(row.flow.lag_records, 8), Tone.PLAIN


def _behind(row: FlowRow) -> Cell:
    return formats.seconds(row.flow.lag_seconds), Tone.PLAIN


def _records(row: FlowRow) -> Cell:
    return formats.rate(row.flow.records_per_second), Tone.PLAIN


def _bytes(row: FlowRow) -> Cell:
    return formats.size(row.flow.bytes_per_second), Tone.PLAIN


def _owner(row: FlowRow) -> Cell:
    if row.flow.owner is None:
        return "nobody", Tone.WARN
    return (
        ("this engine", Tone.PLAIN) if row.flow.owned_here else (row.flow.owner.host, Tone.STRONG)
    )


def event_columns() -> tuple[Column[EventRow], ...]:
    """Return the event table's columns."""
    return (
        Column("time", "TIME", lambda row: (formats.clock(row.event.at), Tone.DIM), 8, 2),
        Column("severity", "SEVERITY", _severity, 8, 0),
        Column("subject", "SUBJECT", _subject, 15, 1, grow=1, most=34),
        Column("text", "WHAT HAPPENED", _text, 20, 0, grow=3),
        Column("next", "NEXT STEP", _next, 30, 3, grow=2),
    )


def _severity(row: EventRow) -> Cell:
    return row.event.severity.value, SEVERITY_TONES[row.event.severity]


def _subject(row: EventRow) -> Cell:
    return formats.one_line(row.event.subject), Tone.STRONG


def _text(row: EventRow) -> Cell:
    return formats.one_line(row.event.text), Tone.PLAIN


def _next(row: EventRow) -> Cell:
    return formats.one_line(row.event.next_step), Tone.PLAIN
