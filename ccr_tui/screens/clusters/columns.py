"""The columns of the list of clusters."""

from __future__ import annotations

from ccr_tui import formats
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from engine.api.cluster_snapshots import ClusterListing, Reach

REACH_TONES = {Reach.REACHED: Tone.GOOD, Reach.AWAY: Tone.BAD, Reach.UNTRIED: Tone.DIM}
_MARKS = {Reach.REACHED: "running", Reach.AWAY: "stopped", Reach.UNTRIED: "starting"}
_CONCERN = {Reach.AWAY: 2.0, Reach.UNTRIED: 1.0, Reach.REACHED: 0.0}


def cluster_columns(symbols: Symbols) -> tuple[Column[ClusterListing], ...]:
    """Return the list's columns."""

    def state(row: ClusterListing) -> Cell:
        return f"{symbols.states[_MARKS[row.reach]]} {row.reach}", REACH_TONES[row.reach]

    return (
        Column(
            "name",
            "CLUSTER",
            lambda row: (row.name, Tone.STRONG),
            12,
            0,
            grow=2,
            most=40,
            sort=lambda row: row.name,
        ),
        Column("state", "STATE", state, 9, 1, sort=lambda row: _CONCERN[row.reach], falling=True),
        Column("kafka", "KAFKA", _kafka, 6, 4),
        Column("brokers", "BROKERS", _brokers, 7, 3, right=True),
        Column("latency", "LATENCY", _latency, 8, 5, right=True, sort=_by_latency, falling=True),
        Column("security", "SECURITY", _security, 14, 6, grow=1, most=24),
        Column("environment", "ENV", _environment, 13, 2),
        Column("flows", "FLOWS", _flows, 5, 7, right=True),
        Column("reason", "REASON", _reason, 40, 8, grow=3),
    )


def latency(seconds: float | None) -> str:
    """Write a round trip: 4.2 ms, 1.3 s."""
    if seconds is None:
        return formats.UNKNOWN
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def kafka(row: ClusterListing) -> str:
    """Write the release: at least that one."""
    known = row.kafka[:1].isdigit()
    return f"{row.kafka}+" if known else row.kafka or formats.UNKNOWN


def _kafka(row: ClusterListing) -> Cell:
    return kafka(row).replace("older than ", "<"), Tone.PLAIN if row.kafka else Tone.DIM


def _brokers(row: ClusterListing) -> Cell:
    return (f"{row.brokers:,}", Tone.PLAIN) if row.brokers else (formats.UNKNOWN, Tone.DIM)


def _latency(row: ClusterListing) -> Cell:
    return latency(row.latency), Tone.PLAIN if row.latency is not None else Tone.DIM


def _by_latency(row: ClusterListing) -> float:
    return -1.0 if row.latency is None else row.latency


def _security(row: ClusterListing) -> Cell:
    return f"{row.protocol} {row.mechanism}".rstrip(), Tone.PLAIN


def _environment(row: ClusterListing) -> Cell:
    mark = " RO" if row.read_only else ""
    tone = Tone.BAD if row.environment == "production" else Tone.PLAIN
    return f"{row.environment}{mark}", tone


def _flows(row: ClusterListing) -> Cell:
    return str(len({*row.source_of, *row.target_of})), Tone.PLAIN


def _reason(row: ClusterListing) -> Cell:
    return (formats.one_line(row.reason.text), Tone.PLAIN) if row.reason else ("", Tone.PLAIN)
