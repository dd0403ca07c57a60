"""What the lag screen meets, for the scripted engine: gaps, poison, retention, the last hour."""

from __future__ import annotations

import math
from dataclasses import replace

from engine.api.loss_snapshots import HistorySnapshot
from engine.api.retention_snapshots import FlowOvertaking, Overtaking
from engine.api.snapshots import PartitionSnapshot, PartitionState, Reason, SkipKind, Skips, Trend

STEP_S = 5.0


def hour(flow: str, topic: str | None, now: float, points: int = 720) -> HistorySnapshot:
    """An hour in which lag rises to a peak and drains."""
    at = tuple(now - STEP_S * (points - 1 - n) for n in range(points))
    lag = tuple(float(round(45_000 * math.sin(math.pi * n / points) ** 4)) for n in range(points))
    rate = tuple(20_000.0 + 9_000.0 * math.sin(n / 40) for n in range(points))
    unknown = (None,) * points
    oldest = tuple(value / 5_000 for value in lag)
    sizes = tuple(value * 250 for value in rate)
    return HistorySnapshot(flow, topic, STEP_S, at, lag, unknown, oldest, rate, sizes)


def gap(partition: PartitionSnapshot, first: int, end: int) -> PartitionSnapshot:
    """Stopped: the source has deleted a range."""
    what = (
        f"retention overtook replication: the source has lost offsets {first} to {end - 1}, "
        f"{end - first} in all"
    )
    return _stopped(partition, what, Skips(SkipKind.GAP, first, end))


def poison(partition: PartitionSnapshot, offset: int) -> PartitionSnapshot:
    """Stopped: the target refuses a record."""
    what = f"the target refuses the record at source offset {offset}: INVALID_TIMESTAMP"
    return _stopped(partition, what, Skips(SkipKind.POISON, offset, offset + 1))


def _stopped(partition: PartitionSnapshot, what: str, skips: Skips) -> PartitionSnapshot:
    next_step = "Remove the cause, then ccr retry; or accept it with ccr retry --accept"
    since = partition.observed_at - 60
    reason = Reason(what, next_step, since, retriable=False, acceptable=True, skips=skips)
    lag = (partition.source_end or 0) - skips.first
    return replace(
        partition,
        state=PartitionState.STOPPED,
        reason=reason,
        trend=Trend.STALLED,
        mirrored_to=skips.first,
        lag_records=lag,
        lag_seconds=61.0,
        records_per_second=0.0,
        bytes_per_second=0.0,
    )


def overtaken(
    partition: PartitionSnapshot, seconds: float, *, gone: int = 0
) -> tuple[PartitionSnapshot, FlowOvertaking]:
    """Retention overtakes it in so many seconds; returned with what the flow says then."""
    found = Overtaking(partition.observed_at + seconds, "retention.ms", gone)
    changed = replace(
        partition,
        overtaken=found,
        trend=Trend.GROWING,
        lag_records=9_000,
        lag_seconds=600.0,
        lag_records_per_second=25.0,
    )
    return changed, FlowOvertaking(partition.topic, partition.partition, found, 1)
