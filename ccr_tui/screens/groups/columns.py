"""The columns of consumer groups: one a group, and one a partition of a group."""

from __future__ import annotations

from ccr_tui import formats
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from engine.api.group_snapshots import GroupPartitionSnapshot, GroupSnapshot, GroupState

TONES = {
    GroupState.IN_STEP: Tone.GOOD,
    GroupState.BEHIND: Tone.WARN,
    GroupState.AHEAD: Tone.WARN,
    GroupState.ACTIVE: Tone.STRONG,
    GroupState.SHARE: Tone.DIM,
    GroupState.GONE: Tone.DIM,
    GroupState.FAILED: Tone.BAD,
}
_RANKS = {
    GroupState.FAILED: 6.0,
    GroupState.AHEAD: 5.0,
    GroupState.BEHIND: 4.0,
    GroupState.ACTIVE: 3.0,
    GroupState.SHARE: 2.0,
    GroupState.GONE: 1.0,
    GroupState.IN_STEP: 0.0,
}


def concern(row: GroupSnapshot) -> float:
    """Rank a group; the worst is the highest."""
    return _RANKS[row.state]


def group_columns() -> tuple[Column[GroupSnapshot], ...]:
    """Return the columns of the list of groups."""
    return (
        Column(
            "group",
            "GROUP",
            lambda row: (formats.one_line(row.name), Tone.STRONG),
            16,
            0,
            grow=3,
            most=50,
            sort=lambda row: row.name,
        ),
        Column(
            "state",
            "STATE",
            lambda row: (row.state.value, TONES[row.state]),
            16,
            0,
            sort=concern,
            falling=True,
        ),
        Column("again", "RE-READ", _again, 9, 1, right=True, sort=_by_again, falling=True),
        Column("ahead", "MISSED", _ahead, 8, 2, right=True, sort=_by_ahead, falling=True),
        Column("lost", "LOST", _lost, 9, 2, right=True, sort=_by_lost, falling=True),
        Column(
            "part", "PART", lambda row: (str(len(row.partitions)), Tone.PLAIN), 5, 3, right=True
        ),
        Column("kind", "KIND", lambda row: (row.kind or formats.UNKNOWN, Tone.PLAIN), 8, 5),
        Column("source", "ON SOURCE", lambda row: _member(row.source_state), 11, 6),
        Column("target", "ON TARGET", lambda row: _member(row.target_state), 11, 6),
        Column("why", "WHY", lambda row: (why(row), Tone.DIM), 30, 4, grow=3),
    )


def why(row: GroupSnapshot) -> str:
    """Say in a line why a group is out of step; empty when it is not."""
    if row.reason is not None:
        return formats.one_line(row.reason.text)
    said = sorted({each.why for each in row.partitions if each.why})
    more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
    return f"{formats.one_line(said[0])}{more}" if said else ""


def partition_columns() -> tuple[Column[GroupPartitionSnapshot], ...]:
    """Return the columns of a group's partitions."""
    return (
        Column(
            "topic",
            "TOPIC",
            lambda row: (formats.one_line(row.topic), Tone.STRONG),
            14,
            0,
            grow=3,
            most=50,
            sort=lambda row: row.topic,
        ),
        Column("partition", "PART", lambda row: (str(row.partition), Tone.PLAIN), 4, 0, right=True),
        Column("source", "SOURCE", lambda row: _offset(row.source_offset), 12, 2, right=True),
        Column("translated", "TRANSLATED", lambda row: _offset(row.translated), 12, 1, right=True),
        Column("target", "TARGET", lambda row: _offset(row.target_offset), 12, 1, right=True),
        Column(
            "again",
            "RE-READ",
            lambda row: _count(row.again),
            9,
            0,
            right=True,
            sort=lambda row: -1 if row.again is None else row.again,
            falling=True,
        ),
        Column(
            "lost",
            "LOST",
            lambda row: _count(row.lost, Tone.BAD),
            8,
            3,
            right=True,
            sort=lambda row: -1 if row.lost is None else row.lost,
            falling=True,
        ),
        Column("why", "WHY", lambda row: (formats.one_line(row.why), Tone.DIM), 30, 4, grow=2),
    )


def _member(state: str) -> Cell:
    return (state, Tone.PLAIN) if state else ("absent", Tone.DIM)


def _offset(offset: int | None) -> Cell:
    return formats.offset(offset), Tone.DIM if offset is None else Tone.PLAIN


def _count(number: int | None, tone: Tone = Tone.WARN) -> Cell:
    return formats.count(number, 9), tone if number else Tone.DIM


def _again(row: GroupSnapshot) -> Cell:
    return _count(row.again)


def _by_again(row: GroupSnapshot) -> float:
    return -1 if row.again is None else row.again


def _ahead(row: GroupSnapshot) -> Cell:
    return _count(row.ahead, Tone.BAD)


def _by_ahead(row: GroupSnapshot) -> float:
    return row.ahead


def _lost(row: GroupSnapshot) -> Cell:
    return _count(row.lost, Tone.BAD)


def _by_lost(row: GroupSnapshot) -> float:
    return -1 if row.lost is None else row.lost
