"""The columns of the lag table."""

from __future__ import annotations

from ccr_tui import formats
from ccr_tui.screens.tones import concern, status
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from engine.api.snapshots import PartitionSnapshot

_LONG_UNKNOWN = -1.0
"""Where unknown lag stands when the highest come first: below 0, which is known to be good."""


def lag_columns(symbols: Symbols) -> tuple[Column[PartitionSnapshot], ...]:
    """Return the lag table's columns."""
    return (
        Column("topic", "TOPIC", _topic, 14, 0, grow=3, most=60, sort=lambda row: row.topic),
        Column("partition", "PART", _partition, 5, 0, right=True),
        Column(
            "state", "STATUS", lambda row: status(row, symbols), 10, 1, sort=concern, falling=True
        ),
        Column("source_end", "SOURCE END", _source_end, 13, 6, right=True),
        Column("mirrored_to", "MIRRORED TO", _mirrored_to, 13, 7, right=True),
        Column("lag", "LAG", _lag, 9, 2, right=True, sort=_by_lag, falling=True),
        Column("behind", "BEHIND", _behind, 7, 3, right=True, sort=_by_behind, falling=True),
        Column("records", "REC/S", _records, 6, 4, right=True, sort=_by_records, falling=True),
        Column("bytes", "BYTES/S", _bytes, 9, 5, right=True, sort=_by_bytes, falling=True),
        Column("reason", "REASON", _reason, 50, 8, grow=1),
    )


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


def _by_records(row: PartitionSnapshot) -> float:
    return row.records_per_second


def _by_bytes(row: PartitionSnapshot) -> float:
    return row.bytes_per_second
