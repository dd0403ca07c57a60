"""The columns of the table of topics."""

from __future__ import annotations

from ccr_tui import formats
from ccr_tui.screens.lag.columns import eta_cell, gap_cell, gap_order, gap_words
from ccr_tui.screens.lag.tally import TopicRow
from ccr_tui.screens.tones import TREND_TONES, WORD_RANKS, word_tone
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.columns import Cell, Column, Tone

_UNKNOWN_LAST = -1.0
_OVERTAKEN = 100.0
_WORDS = 2
"""Words in one cell: the worst says enough, the second how much else."""


def topic_columns(symbols: Symbols) -> tuple[Column[TopicRow], ...]:
    """Return the columns."""

    def state(row: TopicRow) -> Cell:
        return states(row, symbols)

    def trend(row: TopicRow) -> Cell:
        return symbols.trend(row.trend), TREND_TONES[row.trend]

    return (
        Column("topic", "TOPIC", _topic, 14, 0, grow=3, most=60, sort=lambda row: row.topic),
        Column("parts", "PARTS", _parts, 5, 6, right=True, sort=_by_parts, falling=True),
        Column("state", "STATUS", state, 22, 1, grow=1, most=34, sort=_concern, falling=True),
        Column("lag", "LAG", _lag, 8, 2, right=True, sort=_by_lag, falling=True),
        Column("behind", "BEHIND", _behind, 6, 3, right=True, sort=_by_behind, falling=True),
        Column("eta", "ETA", _eta, 6, 4, right=True, sort=_by_eta, falling=True),
        Column("records", "REC/S", _records, 6, 5, right=True, sort=_by_records, falling=True),
        Column("trend", "TREND", trend, 10, 8),
        Column("hot", "HOTTEST", _hot, 13, 9),
        Column("gap", "GAP AT", _gap, 6, 10, right=True, sort=_by_gap),
        Column("bytes", "BYTES/S", _bytes, 9, 11, right=True, sort=_by_bytes, falling=True),
    )


def states(row: TopicRow, symbols: Symbols) -> Cell:
    """Say what a topic's partitions do, worst first, with the tone of the worst."""
    worst, count = row.words[0]
    if row.overtaken_soon:
        return f"{gap_words(row.overtaken, symbols)}, {count:,} {worst}", Tone.BAD
    if len(row.words) == 1:
        return f"{symbols.word(worst)}", word_tone(worst)
    told = [f"{symbols.mark(worst)} {count:,} {worst}"]
    worth_saying = [pair for pair in row.words[1:] if WORD_RANKS[pair[0]] >= 1]
    told += [f"{number:,} {word}" for word, number in worth_saying[: _WORDS - 1]]
    return ", ".join(told), word_tone(worst)


def _concern(row: TopicRow) -> float:
    return (_OVERTAKEN if row.overtaken_soon else 0.0) + WORD_RANKS[row.words[0][0]]


def _topic(row: TopicRow) -> Cell:
    return row.topic, Tone.STRONG


def _parts(row: TopicRow) -> Cell:
    return f"{row.partitions:,}", Tone.DIM


def _lag(row: TopicRow) -> Cell:
    return formats.count(row.lag_records, 8), Tone.PLAIN if row.lag_records else Tone.DIM


def _behind(row: TopicRow) -> Cell:
    return formats.seconds(row.lag_seconds), Tone.PLAIN if row.lag_seconds else Tone.DIM


def _eta(row: TopicRow) -> Cell:
    return eta_cell(row.eta)


def _gap(row: TopicRow) -> Cell:
    return gap_cell(row.overtaken)


def _records(row: TopicRow) -> Cell:
    return formats.rate(row.records_per_second), Tone.PLAIN if row.records_per_second else Tone.DIM


def _bytes(row: TopicRow) -> Cell:
    return formats.size(row.bytes_per_second), Tone.PLAIN if row.bytes_per_second else Tone.DIM


def _hot(row: TopicRow) -> Cell:
    if row.hot is None:
        return "", Tone.DIM
    return f"p{row.hot.partition} {row.hot.share:.0%} {row.hot.of}", Tone.PLAIN


def _by_parts(row: TopicRow) -> float:
    return float(row.partitions)


def _by_lag(row: TopicRow) -> float:
    return _UNKNOWN_LAST if row.lag_records is None else float(row.lag_records)


def _by_behind(row: TopicRow) -> float:
    return _UNKNOWN_LAST if row.lag_seconds is None else row.lag_seconds


def _by_eta(row: TopicRow) -> float:
    return _UNKNOWN_LAST if row.eta is None else row.eta


def _by_gap(row: TopicRow) -> float:
    return gap_order(row.overtaken)


def _by_records(row: TopicRow) -> float:
    return row.records_per_second


def _by_bytes(row: TopicRow) -> float:
    return row.bytes_per_second
