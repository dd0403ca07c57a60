"""The columns of the table of partitions."""

from __future__ import annotations

import math

from ccr_tui import formats
from ccr_tui.screens.lag.eta import NEVER, eta, eta_text
from ccr_tui.screens.tones import concern, soon, status
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from engine.api.retention_snapshots import Overtaking
from engine.api.snapshots import PartitionSnapshot

_LONG_UNKNOWN = -1.0
"""Where unknown lag stands when the highest come first: below 0, which is known to be good."""


def lag_columns(symbols: Symbols) -> tuple[Column[PartitionSnapshot], ...]:
    """Return the lag table's columns."""
    return (
        Column("topic", "TOPIC", _topic, 14, 0, grow=3, most=60, sort=lambda row: row.topic),
        Column("partition", "PART", _partition, 5, 0, right=True),
        Column(
            "state", "STATUS", lambda row: _status(row, symbols), 11, 1, sort=concern, falling=True
        ),
        Column("source_end", "SOURCE END", _source_end, 13, 7, right=True),
        Column("mirrored_to", "MIRRORED TO", _mirrored_to, 13, 7, right=True),
        Column("lag", "LAG", _lag, 9, 2, right=True, sort=_by_lag, falling=True),
        Column("behind", "BEHIND", _behind, 7, 3, right=True, sort=_by_behind, falling=True),
        Column("eta", "ETA", _eta, 6, 5, right=True, sort=_by_eta, falling=True),
        Column("records", "REC/S", _records, 6, 4, right=True, sort=_by_records, falling=True),
        Column("bytes", "BYTES/S", _bytes, 9, 6, right=True, sort=_by_bytes, falling=True),
        Column("gap", "GAP AT", _gap, 6, 8, right=True, sort=_by_gap),
        Column("reason", "REASON", _reason, 50, 9, grow=1),
    )


def _status(row: PartitionSnapshot, symbols: Symbols) -> Cell:
    if soon(row.overtaken, row.observed_at):
        return gap_words(row.overtaken, symbols), Tone.BAD
    return status(row, symbols)


def gap_words(found: Overtaking | None, symbols: Symbols) -> str:
    """Say at what time retention overtakes, in eleven cells."""
    return f"{symbols.warning} gap {formats.moment(found.at)}" if found else ""


def _topic(row: PartitionSnapshot) -> Cell:
    return row.topic, Tone.STRONG


def _partition(row: PartitionSnapshot) -> Cell:
    return str(row.partition), Tone.PLAIN


def _source_end(row: PartitionSnapshot) -> Cell:
    return formats.offset(row.source_end), Tone.DIM


def _mirrored_to(row: PartitionSnapshot) -> Cell:
    return formats.offset(row.mirrored_to), Tone.DIM


def _lag(row: PartitionSnapshot) -> Cell:
    return formats.count(row.lag_records), Tone.PLAIN if row.lag_records else Tone.DIM


def _behind(row: PartitionSnapshot) -> Cell:
    return formats.seconds(row.lag_seconds), Tone.PLAIN if row.lag_seconds else Tone.DIM


def _eta(row: PartitionSnapshot) -> Cell:
    return eta_cell(eta(row))


def eta_cell(value: float | None) -> Cell:
    """Write when lag is gone."""
    tone = Tone.WARN if value == NEVER else Tone.PLAIN if value else Tone.DIM
    return eta_text(value), tone


def _gap(row: PartitionSnapshot) -> Cell:
    return gap_cell(row.overtaken)


def gap_cell(found: Overtaking | None) -> Cell:
    """Write when retention overtakes."""
    return ("", Tone.DIM) if found is None else (formats.moment(found.at), Tone.BAD)


def gap_order(found: Overtaking | None) -> float:
    """Put the first to be overtaken first."""
    return math.inf if found is None else found.at


def _records(row: PartitionSnapshot) -> Cell:
    return formats.rate(row.records_per_second), Tone.PLAIN if row.records_per_second else Tone.DIM


def _bytes(row: PartitionSnapshot) -> Cell:
    return formats.size(row.bytes_per_second), Tone.PLAIN if row.bytes_per_second else Tone.DIM


def _reason(row: PartitionSnapshot) -> Cell:
    return (formats.one_line(row.reason.text), Tone.PLAIN) if row.reason else ("", Tone.PLAIN)


def _by_lag(row: PartitionSnapshot) -> float:
    return _LONG_UNKNOWN if row.lag_records is None else float(row.lag_records)


def _by_behind(row: PartitionSnapshot) -> float:
    return _LONG_UNKNOWN if row.lag_seconds is None else row.lag_seconds


def _by_eta(row: PartitionSnapshot) -> float:
    value = eta(row)
    return _LONG_UNKNOWN if value is None else value


def _by_gap(row: PartitionSnapshot) -> float:
    return gap_order(row.overtaken)


def _by_records(row: PartitionSnapshot) -> float:
    return row.records_per_second


def _by_bytes(row: PartitionSnapshot) -> float:
    return row.bytes_per_second
