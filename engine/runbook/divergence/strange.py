"""Which offsets of a target no flow's map has: others' records stand there."""

from __future__ import annotations

from engine.replication.offset_map import OffsetMap


def first_strange(offset_map: OffsetMap, start: int, end: int, *, others: bool) -> int:
    """Return the first target offset from `start` on that is not in a run; at most `end`.

    `others`: whether anybody else was ever seen to write between the flow's records. Only then may
    there be such offsets among folded runs, and the first of them may be one too early.
    """
    reached = start
    for index, (_, target, length) in enumerate(offset_map.runs()):
        if target + length <= reached:
            continue
        among_folded = 0 < index <= offset_map.coarse
        if target > reached and (others or not among_folded):
            break
        reached = target + length
    return min(reached, end)
