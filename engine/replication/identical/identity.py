"""Whether a mirror has its source's offsets, and if not, since where and why: from its runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.api.offsets_snapshots import OffsetsSnapshot, OffsetsState, OffsetsTotals
from engine.replication.partition import MirrorPartition
from engine.replication.troubles import Began, History

BEFORE = "it was mirrored before `offsets: identical` was set"
IDENTICAL = OffsetsSnapshot(OffsetsState.IDENTICAL)


def note_beginning(partition: MirrorPartition, *, identical: bool) -> None:
    """After a checkpoint was loaded: see to it that its beginning is known if, and only if, the
    flow is to have identical offsets.
    """
    history = partition.history
    if not identical:
        history.began = None
    elif history.began is None and partition.positioned:
        first = next(partition.offset_map.runs(), None)
        source, target = partition.acked.source, partition.acked.target
        if first is not None:
            source, target, _ = first
        history.began = Began(source, target, BEFORE)


def offsets_of(partition: MirrorPartition) -> OffsetsSnapshot | None:
    """Return a partition's state; None where the flow's offsets are translated."""
    if partition.aligning:
        return OffsetsSnapshot(OffsetsState.ALIGNING, because=partition.aligned_so_far)
    began = partition.history.began
    if began is None:
        return None
    if began.source != began.target:
        return OffsetsSnapshot(OffsetsState.DIFFERS, began.source, began.why or BEFORE)
    gap = _first_gap(partition, began)
    if gap is None:
        return IDENTICAL
    return OffsetsSnapshot(OffsetsState.DIFFERS, gap.source, _cause(gap, partition.history))


def topics_being_aligned(partitions: Iterable[MirrorPartition]) -> set[str]:
    """Return the mirror topics whose cleanup.policy and retention are not to be touched now."""
    return {partition.target_topic for partition in partitions if partition.aligning}


def totals(snapshots: Iterable[OffsetsSnapshot | None]) -> OffsetsTotals | None:
    """Count partitions by state; None where there is none to count."""
    states = [snapshot.state for snapshot in snapshots if snapshot is not None]
    if not states:
        return None
    return OffsetsTotals(*(states.count(state) for state in OffsetsState))


@dataclass(frozen=True, slots=True)
class _Gap:
    """Where the difference first changes: what ends before, what goes on behind."""

    source_before: int
    target_before: int
    source: int
    target: int


def _first_gap(partition: MirrorPartition, began: Began) -> _Gap | None:
    """Return the first change of the difference, which is 0 before it.

    Runs with a difference of 0 are one run, unless something is missing on both sides alike; so it
    is among the first runs, however many there are.
    """
    source, target = began.source, began.target
    for run_source, run_target, count in partition.offset_map.runs():
        if run_source != run_target:
            return _Gap(source, target, run_source, run_target)
        source, target = run_source + count, run_target + count
    acked = partition.acked
    if acked.source != acked.target:
        return _Gap(source, target, acked.source, acked.target)
    return None


def _cause(gap: _Gap, history: History) -> str:
    first, end = gap.source_before, gap.source
    strange = gap.target - gap.target_before
    if strange > 0:
        where = f"offsets {gap.target_before} to {gap.target - 1} of the mirror"
        if not history.foreign:
            return f"{where} hold records that the source lost after they were mirrored"
        return f"{where} were written by somebody else"
    for skipped in history.skipped:
        if skipped.first < end and first < skipped.end:
            return f"source offsets {skipped.first} to {skipped.end - 1} were {skipped.reason}"
    what = f"source offsets {first} to {end - 1}" if end - first > 1 else f"source offset {first}"
    if first <= history.dropped_at < end:
        return f"{what} had transaction markers or aborted records, which are not mirrored"
    if history.left_out:
        return f"{what} came into the source by another flow"
    return f"{what} had no record any more: compacted"
