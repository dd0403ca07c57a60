"""What state a flow is in, and why; and telling when that changes."""

from __future__ import annotations

import time
from dataclasses import replace

from engine.api.snapshots import FlowState, PartitionState, Reason, Severity
from engine.errors import CcrError
from engine.kafka.fetch import TopicPartition
from engine.replication.board import Board
from engine.replication.events import Events
from engine.replication.mirroring import Mirroring
from engine.replication.state_records import OwnerRecord

OWNER_SILENT_S = 10.0  # an owner that writes nothing for so long has ended

State = tuple[FlowState, Reason | None]


def state_here(mirroring: Mirroring, board: Board) -> State:
    """Return the state of a flow that this engine owns."""
    if mirroring.draining:
        return FlowState.DRAINING, None
    if mirroring.paused:
        return FlowState.PAUSED, Reason("paused by an operator", "Resume it when ready")
    if mirroring.troubles:
        return FlowState.WAITING, reason_of(mirroring.troubles[0])
    if not mirroring.refreshed_at:
        return FlowState.STARTING, Reason("looking at topics and checkpoints")
    waiting = [p for p in board.partitions.values() if p.state == PartitionState.WAITING]
    if waiting and not board.count_state(PartitionState.RUNNING):
        return FlowState.WAITING, waiting[0].reason
    stopped = board.count_state(PartitionState.STOPPED)
    if stopped:
        total = len(board.partitions)
        text = f"{stopped} of {total} partitions stopped"
        return FlowState.RUNNING, Reason(text, "See each one's reason, then ccr retry")
    if mirroring.selection_trouble is not None:
        return FlowState.RUNNING, reason_of(mirroring.selection_trouble)
    return FlowState.RUNNING, _throttle(mirroring.throttled)


def state_of_owner(owner: OwnerRecord | None, *, paused: bool) -> State:
    """Return the state of a flow that this engine only looks at, as its state topic says."""
    if owner is None:
        return FlowState.STOPPED, Reason("it has never run", "Start ccr --no-ui or the console")
    if owner.released:
        return FlowState.STOPPED, Reason(
            f"stopped on {owner.host}", "Start ccr --no-ui or the console", owner.at
        )
    silent = time.time() - owner.at
    if silent > OWNER_SILENT_S:
        text = f"engine {owner.engine_id} on {owner.host} has been silent for {silent:.0f} s"
        return FlowState.STOPPED, Reason(text, "Start ccr --no-ui or the console", owner.at)
    if paused:
        return FlowState.PAUSED, Reason("paused by an operator", "Resume it where it runs")
    return FlowState.RUNNING, None


def reason_of(error: CcrError) -> Reason:
    """Word an error that goes away by itself, or when its cause is removed."""
    subject = f"{error.operation} {error.object}".strip()
    return Reason(f"{subject}: {error.cause}", error.next_step or "It goes on by itself")


def _throttle(clusters: list[str]) -> Reason | None:
    if not clusters:
        return None
    return Reason(
        f"slowed down by a quota of cluster {' and '.join(clusters)}",
        "Raise producer_byte_rate or consumer_byte_rate there for ccr's client id or user",
    )


class Teller:
    """Emits an event when a flow's state changes, and when a partition stops."""

    def __init__(self, flow: str, events: Events) -> None:
        self._flow = flow
        self._events = events
        self._shown: tuple[FlowState, str] | None = None
        self._since = 0.0  # since when the state and reason are as they are
        self._stopped: set[TopicPartition] = set()

    def dated(self, reason: Reason | None) -> Reason | None:
        """Return a flow's reason with the time since which it is shown, if it has none."""
        if reason is None or reason.since:
            return reason
        return replace(reason, since=self._since)

    def tell(self, state: FlowState, reason: Reason | None, board: Board) -> None:
        """Emit what is new."""
        text = reason.text if reason else ""
        if self._shown != (state, text):
            self._shown, self._since = (state, text), time.time()
            self._events.emit(
                Severity.WARNING if state == FlowState.WAITING else Severity.INFO,
                self._flow,
                f"{state}{': ' if text else ''}{text}",
                reason.next_step if reason else "",
            )
        self._tell_stopped(board)

    def _tell_stopped(self, board: Board) -> None:
        stopped = {
            partition.key: partition
            for partition in board.partitions.values()
            if partition.state == PartitionState.STOPPED
        }
        for key in stopped.keys() - self._stopped:
            reason = stopped[key].reason
            if reason is not None:
                self._events.emit(
                    Severity.ERROR,
                    f"{self._flow}/{key[0]}/{key[1]}",
                    f"stopped: {reason.text}",
                    reason.next_step,
                )
        self._stopped = set(stopped)
