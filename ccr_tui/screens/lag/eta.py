"""When a partition is in step again, if source and flow go on as they do now."""

from __future__ import annotations

import math

from ccr_tui import formats
from engine.api.snapshots import PartitionSnapshot, PartitionState, Trend

NEVER = math.inf
HARDLY = 0.05
"""Records a second: less is not draining."""
YOUNG = 2.0
"""Seconds: so young is the lag of what is mirrored as fast as it comes."""
_MOVES = (PartitionState.RUNNING, PartitionState.STANDBY)


def eta(partition: PartitionSnapshot) -> float | None:
    """Return seconds until it is in step: 0.0 is now, NEVER is never, None is not known."""
    lag, change = partition.lag_records, partition.lag_records_per_second
    if lag == 0:
        return 0.0
    if partition.state in (PartitionState.STOPPED, PartitionState.PAUSED):
        return NEVER
    if lag is None or partition.state not in _MOVES or change is None:
        return None
    if change < -HARDLY:
        return lag / -change
    return 0.0 if _as_it_comes(partition) else NEVER


def _as_it_comes(partition: PartitionSnapshot) -> bool:
    seconds = partition.lag_seconds
    behind = partition.trend in (Trend.GROWING, Trend.STALLED)
    return seconds is not None and seconds < YOUNG and not behind


def eta_text(value: float | None) -> str:
    """Write it: now, 3m12s, never, ?."""
    if value is None:
        return formats.UNKNOWN
    if value == NEVER:
        return "never"
    return formats.seconds(value) if value >= 0.5 else "now"
