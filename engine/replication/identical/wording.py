"""What is told of aligning."""

from __future__ import annotations

from collections.abc import Collection

from engine.replication.identical.alignment import Aligned
from engine.replication.identical.cost import AlignmentCost

WAITING = "waiting for its turn to be aligned with its source's offsets"
ALIGNING = "being aligned with its source's offsets"
TOGETHER = "waiting until the topic's other partitions are aligned with their source's offsets"


def announcement(cost: AlignmentCost, partitions: int, read: str) -> str:
    """Say before it begins what it costs and who may see it."""
    return (
        f"aligning {_count(partitions)} with the source's offsets: {cost.fillers:,} fillers, "
        f"{cost.size_bytes / 1e6:,.1f} MB, about {cost.seconds:,.0f} s; whoever reads uncommitted "
        f"data can see them until they are deleted ({read})"
    )


def progress(reached: int, goal: int) -> str:
    """Say how far a partition is."""
    return f"{reached:,} of {goal:,}"


def result(done: Collection[Aligned], seconds: float) -> str:
    """Say what it took."""
    filled = sum(each.filled for each in done)
    exposed = max(each.exposed_seconds for each in done)
    text = f"{_count(len(done))} begin{'s' * (len(done) == 1)} at the source's offset"
    text += f"{'s' * (len(done) != 1)} now: {filled:,} fillers in {seconds:.1f} s"
    text += f", none of which stood in a log for more than {exposed:.2f} s"
    if any(each.left_over for each in done):
        text += ", but for those that a former engine had left there"
    return text


def _count(partitions: int) -> str:
    return f"{partitions} partition{'s' * (partitions != 1)}"
