"""Where a consumer group goes on, on a target that others write to as well.

Source and target hold records of several origins, each cluster in an order of its own. A group that
has read the source up to an offset has read a beginning of what each origin wrote. On the target it
goes on at the first of the places where what it has not read begins, origin by origin: it misses
nothing, and reads again what it has read of one origin behind that place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.replication.offset_map import OffsetMap


@dataclass(frozen=True, slots=True)
class Leg:
    """One partition of a flow: its map, and how far it came on both sides.

    Nothing that it has not mirrored yet will stand before `target_end`.
    """

    offset_map: OffsetMap
    source_end: int
    target_end: int


@dataclass(frozen=True, slots=True)
class OriginLegs:
    """How what was first written on one cluster came to the source and to the target.

    A leg is None where that cluster is the origin itself.
    """

    to_source: Leg | None
    to_target: Leg | None


@dataclass(frozen=True, slots=True)
class Bound:
    """A target offset, and how many records from it on the group has read already."""

    offset: int
    again: int


def over_ours(leg: Leg, ours: OffsetMap, end: int, *, others: bool) -> Leg:
    """Move a leg from the target to the source on over what our own flow put on the target.

    That flow will not bring it back, and where it lags, or rests as its mirrors were promoted, it
    has not told so yet. `end` is where our records end, `others` as in `OffsetMap.first_strange`.
    """
    reached = ours.first_strange(leg.source_end, end, others=others)
    return replace(leg, source_end=reached) if reached > leg.source_end else leg


def lower_bound(commit: int, target_end: int, origins: Sequence[OriginLegs]) -> Bound:
    """Translate what a group committed on the source; `target_end` is the end of the target's log.

    With exact maps the count is exact, among folded runs the most that there may be.
    """
    unread = [_first_unread(commit, legs.to_source) for legs in origins]
    places = [_place(first, legs.to_target) for first, legs in zip(unread, origins, strict=True)]
    offset = min([target_end, *places])
    again = sum(_read(offset, commit, legs) for legs in origins)
    return Bound(offset, again)


def _first_unread(commit: int, to_source: Leg | None, *, at_most: bool = False) -> int:
    """Return the origin's offset of its first record that the group has not read.

    Where that is not known exactly, one before it, or with `at_most` one behind it.
    """
    if to_source is None:
        return commit
    found = to_source.offset_map.to_source(commit, at_most=at_most)
    return to_source.source_end if found is None else found


def _place(first_unread: int, to_target: Leg | None) -> int:
    """Return where an origin's record, or the next one, stands on the target."""
    if to_target is None:
        return first_unread
    found = to_target.offset_map.to_target(first_unread)
    return to_target.target_end if found is None else found


def _read(offset: int, commit: int, legs: OriginLegs) -> int:
    """Count an origin's records on the target from `offset` on that the group has read."""
    begin, end = offset, _first_unread(commit, legs.to_source, at_most=True)
    if legs.to_target is not None:
        found = legs.to_target.offset_map.to_source(offset)
        if found is None:
            return 0
        begin, end = found, min(end, legs.to_target.source_end)
    counted = legs.to_source or legs.to_target
    return counted.offset_map.count(begin, end) if counted and begin < end else 0
