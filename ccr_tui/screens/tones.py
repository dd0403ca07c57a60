"""How serious a state is: the tone of its word, and its rank when the worst come first."""

from __future__ import annotations

from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.columns import Cell, Tone
from engine.api.retention_snapshots import SOON_S, Overtaking
from engine.api.snapshots import (
    FlowSnapshot,
    FlowState,
    PartitionSnapshot,
    PartitionState,
    Severity,
    Trend,
)

FLOW_TONES = {
    FlowState.STARTING: Tone.DIM,
    FlowState.RUNNING: Tone.GOOD,
    FlowState.WAITING: Tone.WARN,
    FlowState.PAUSED: Tone.WARN,
    FlowState.STANDBY: Tone.STRONG,
    FlowState.DRAINING: Tone.WARN,
    FlowState.STOPPED: Tone.BAD,
    FlowState.PROMOTED: Tone.STRONG,
}
PARTITION_TONES = {
    PartitionState.STARTING: Tone.DIM,
    PartitionState.RUNNING: Tone.GOOD,
    PartitionState.WAITING: Tone.WARN,
    PartitionState.PAUSED: Tone.WARN,
    PartitionState.STANDBY: Tone.DIM,
    PartitionState.STOPPED: Tone.BAD,
}
TREND_TONES = {
    Trend.IN_STEP: Tone.GOOD,
    Trend.DRAINING: Tone.PLAIN,
    Trend.GROWING: Tone.WARN,
    Trend.STALLED: Tone.BAD,
    Trend.UNKNOWN: Tone.DIM,
}
SEVERITY_TONES = {Severity.INFO: Tone.DIM, Severity.WARNING: Tone.WARN, Severity.ERROR: Tone.BAD}

_STATE_RANKS = {
    PartitionState.STOPPED: 6,
    PartitionState.WAITING: 5,
    PartitionState.STARTING: 2,
    PartitionState.PAUSED: 2,
    PartitionState.STANDBY: 2,
}
_FLOW_RANKS = {
    FlowState.STOPPED: 4,
    FlowState.WAITING: 3,
    FlowState.DRAINING: 1,
    FlowState.PAUSED: 1,
}
_TREND_RANKS = {Trend.STALLED: 4, Trend.GROWING: 3, Trend.UNKNOWN: 1}
_SOON_RANK = 7
STUCK_TRENDS = frozenset({Trend.STALLED})
WORD_RANKS = {
    **{trend.value: float(_TREND_RANKS.get(trend, 0)) for trend in Trend},
    Trend.DRAINING.value: 0.5,
    PartitionState.RUNNING.value: 0.0,
    **{state.value: float(rank) for state, rank in _STATE_RANKS.items()},
}
"""How much what partitions do needs someone to look; by the words of the status column."""


def state_word(partition: PartitionSnapshot) -> str:
    """Return what a partition does: its trend while it runs, else its state."""
    running = partition.state is PartitionState.RUNNING
    return partition.trend.value if running else partition.state.value


def word_tone(word: str) -> Tone:
    """Return how serious a word of `state_word` is."""
    for state, tone in PARTITION_TONES.items():
        if state.value == word:
            return tone
    return TREND_TONES[Trend(word)]


def status(partition: PartitionSnapshot, symbols: Symbols) -> Cell:
    """Return what a partition does: its trend while it runs, else its state."""
    if partition.state is PartitionState.RUNNING:
        return symbols.trend(partition.trend), TREND_TONES[partition.trend]
    return symbols.state(partition.state), PARTITION_TONES[partition.state]


def soon(found: Overtaking | None, now: float) -> bool:
    """Whether retention overtakes within a day; `now` is the engine's clock."""
    return found is not None and found.at < now + SOON_S


def concern(partition: PartitionSnapshot) -> int:
    """Return how much a partition needs someone to look at it; the most is the highest."""
    if soon(partition.overtaken, partition.observed_at):
        return _SOON_RANK
    if partition.state is PartitionState.RUNNING:
        return _TREND_RANKS.get(partition.trend, 0)
    return _STATE_RANKS[partition.state]


def flow_concern(flow: FlowSnapshot) -> int:
    """Return how much a flow needs someone to look at it; the most is the highest."""
    stuck = 2 if flow.partitions_stopped else 1 if flow.partitions_waiting else 0
    if flow.overtaken is not None and flow.overtaken.partitions:
        stuck = _SOON_RANK
    return max(stuck, _FLOW_RANKS.get(flow.state, 0))
