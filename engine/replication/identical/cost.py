"""What aligning costs, told before it begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.replication.identical.fillers import BYTES_EACH

SECONDS_EACH = 0.35e-6
"""Of a filler, most of it the broker's own; measured on one core at 2.5 GHz (docs)."""
SECONDS_A_PARTITION = 0.1
"""Of transaction and deletion."""
AT_ONCE = 2
"""Partitions that are aligned at the same time: each keeps a core of its leader busy."""


@dataclass(frozen=True, slots=True)
class AlignmentCost:
    """Of one partition or several: what goes over the network and, until deleted, to the disks."""

    fillers: int  # offsets to be filled
    size_bytes: int
    seconds: float  # about


def alignment_cost(start: int) -> AlignmentCost:
    """Estimate what it takes to let an empty mirror partition begin at offset `start`."""
    if start <= 0:
        return AlignmentCost(0, 0, 0.0)
    return AlignmentCost(
        start, round(start * BYTES_EACH), SECONDS_A_PARTITION + start * SECONDS_EACH
    )


def total_cost(starts: Iterable[int]) -> AlignmentCost:
    """Estimate it for several partitions, AT_ONCE of them at a time."""
    costs = [alignment_cost(start) for start in starts]
    longest = max((cost.seconds for cost in costs), default=0.0)
    return AlignmentCost(
        sum(cost.fillers for cost in costs),
        sum(cost.size_bytes for cost in costs),
        max(longest, sum(cost.seconds for cost in costs) / AT_ONCE),
    )
