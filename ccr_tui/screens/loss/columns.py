"""The columns of what would be lost: by topic, and by partition."""

from __future__ import annotations

from ccr_tui import formats
from ccr_tui.screens.tones import PARTITION_TONES
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from engine.api.loss_snapshots import PartitionLoss, TopicLoss


def topic_columns() -> tuple[Column[TopicLoss], ...]:
    """Return the columns of the list of topics."""
    return (
        Column(
            "topic",
            "TOPIC",
            lambda row: (formats.one_line(row.topic), Tone.STRONG),
            16,
            0,
            grow=3,
            most=60,
            sort=lambda row: row.topic,
        ),
        Column("lost", "LOST", _lost, 11, 0, right=True, sort=_by_lost, falling=True),
        Column("oldest", "OLDEST", _oldest, 7, 1, right=True, sort=_by_age, falling=True),
        Column("bytes", "BYTES", _bytes, 10, 2, right=True, sort=_by_bytes, falling=True),
        Column(
            "partitions", "PART", lambda row: (f"{row.partitions:,}", Tone.PLAIN), 5, 3, right=True
        ),
        Column("halted", "HALTED", _halted, 6, 4, right=True),
    )


def partition_columns(symbols: Symbols) -> tuple[Column[PartitionLoss], ...]:
    """Return the columns of a topic's partitions."""

    def state(row: PartitionLoss) -> Cell:
        return symbols.state(row.state), PARTITION_TONES[row.state]

    return (
        Column(
            "partition", "PART", lambda row: (str(row.partition), Tone.STRONG), 5, 0, right=True
        ),
        Column("state", "STATE", state, 10, 1),
        Column(
            "lost",
            "LOST",
            lambda row: (formats.count(row.lost_records, 11), _tone(row.lost_records)),
            11,
            0,
            right=True,
            sort=lambda row: row.lost_records or 0,
            falling=True,
        ),
        Column(
            "oldest",
            "OLDEST",
            lambda row: (formats.seconds(row.lost_seconds), Tone.PLAIN),
            7,
            2,
            right=True,
        ),
        Column(
            "source_end",
            "SOURCE END",
            lambda row: (formats.offset(row.source_end), Tone.DIM),
            13,
            3,
            right=True,
        ),
        Column(
            "mirrored_to",
            "MIRRORED TO",
            lambda row: (formats.offset(row.mirrored_to), Tone.DIM),
            13,
            3,
            right=True,
        ),
    )


def _tone(lost: int | None) -> Tone:
    return Tone.BAD if lost else Tone.DIM


def _lost(row: TopicLoss) -> Cell:
    most = "<=" if row.at_most else ""
    return f"{most}{formats.count(row.lost_records, 10)}", _tone(row.lost_records)


def _by_lost(row: TopicLoss) -> float:
    return row.lost_records


def _oldest(row: TopicLoss) -> Cell:
    return formats.seconds(row.lost_seconds), Tone.PLAIN


def _by_age(row: TopicLoss) -> float:
    return -1.0 if row.lost_seconds is None else row.lost_seconds


def _bytes(row: TopicLoss) -> Cell:
    return size(row.lost_bytes), Tone.PLAIN


def _by_bytes(row: TopicLoss) -> float:
    return -1 if row.lost_bytes is None else row.lost_bytes


def _halted(row: TopicLoss) -> Cell:
    return f"{row.partitions_halted:,}", Tone.BAD if row.partitions_halted else Tone.DIM


def size(number: int | None) -> str:
    """Write an estimate of bytes."""
    return formats.UNKNOWN if number is None else f"~{formats.size(number)}"
