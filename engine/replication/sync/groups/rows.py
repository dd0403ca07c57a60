"""Groups' standings as they are shown."""

from __future__ import annotations

from collections.abc import Iterable

from engine.api.group_snapshots import GroupPartitionSnapshot, GroupSnapshot, GroupState
from engine.api.snapshots import OutOfStep, Reason
from engine.config.flow_section import FlowConfig, StartAt
from engine.errors import KafkaError
from engine.kafka.group_offsets_wire import Commit
from engine.replication.sync.groups.standing import GroupStanding, Standing
from engine.replication.sync.groups.translation import (
    Translator,
    again_from_start,
    not_on_target,
)

_EXPLAINED = {
    GroupState.ACTIVE: (
        "it has members on the target, so its offsets there are left alone",
        "Stop them there if it is to follow the source",
    ),
    GroupState.AHEAD: (
        "its offsets on the target are past what it has read on the source: left as they are",
        "Set groups.rewind to follow the source, if the group was reset there",
    ),
    GroupState.SHARE: (
        "a share group (KIP-932) has no committed offsets that could be translated",
        "Set its start on the target by share.auto.offset.reset; groups.exclude hides it here",
    ),
    GroupState.GONE: (
        "it is gone from the source; what was committed on the target is left",
        "Delete it there too when it is not wanted: kafka-consumer-groups --delete --group",
    ),
}


class Rows:
    """Words groups of one flow."""

    def __init__(self, config: FlowConfig) -> None:
        self._from_start = config.start == StartAt.EARLIEST
        self._rewind = config.groups.rewind
        self._commits = config.sync.groups

    def group(self, group: GroupStanding, translator: Translator) -> GroupSnapshot:
        """Return a group as it stands."""
        rows = tuple(self._partition(group, each, translator) for each in group.partitions)
        state = self._state(group, rows)
        return GroupSnapshot(
            group.name,
            _kind(group),
            state,
            _reason(state, group.error),
            group.source.state if group.source else "",
            group.target.state if group.target else "",
            _sum(row.again for row in rows),
            sum(row.ahead for row in rows),
            _sum(row.lost for row in rows),
            rows,
        )

    def _partition(
        self, group: GroupStanding, each: Standing, translator: Translator
    ) -> GroupPartitionSnapshot:
        partition, source, target = each.partition, each.source, each.target
        if source is None:
            return GroupPartitionSnapshot(
                partition.topic, partition.partition, partition.target_topic, None, "", None,
                target.offset if target else None, None, 0, None, "gone from the source",
            )  # fmt: skip
        again, ahead = _counts(each, source, translator)
        return GroupPartitionSnapshot(
            partition.topic,
            partition.partition,
            partition.target_topic,
            source.offset,
            source.metadata,
            each.place,
            target.offset if target else None,
            again,
            ahead,
            not_on_target(partition, source.offset, from_start=self._from_start),
            self._why(group, each, source, ahead),
        )

    def _why(self, group: GroupStanding, each: Standing, source: Commit, ahead: int) -> str:
        if each.refused is not None:
            return each.refused.cause
        if each.place is None:
            return "the partition is not mirrored yet"
        if ahead:
            return "past what it has read on the source"
        if each.target is None or each.target.offset < each.place:
            return self._why_behind(group)
        beyond = source.offset - each.partition.acked.source
        return f"it has read {beyond} offsets that are not mirrored yet" if beyond > 0 else ""

    def _why_behind(self, group: GroupStanding) -> str:
        if group.active:
            return "the group is active on the target"
        return "not carried over yet" if self._commits else "sync.groups is off"

    def _state(self, group: GroupStanding, rows: Iterable[GroupPartitionSnapshot]) -> GroupState:
        if group.error is not None:
            return GroupState.FAILED
        if group.is_share:
            return GroupState.SHARE
        if group.source is None:
            return GroupState.GONE
        if group.active:
            return GroupState.ACTIVE
        if any(row.ahead for row in rows) and not self._rewind:
            return GroupState.AHEAD
        behind = any(not each.in_step for each in group.partitions) and any(
            row.again is None or row.again or row.target_offset is None or row.ahead for row in rows
        )
        return GroupState.BEHIND if behind else GroupState.IN_STEP


def _counts(each: Standing, source: Commit, translator: Translator) -> tuple[int | None, int]:
    """Count what is read again and what is missed from where the target's commit is."""
    if each.place is None:
        return None, 0
    if each.target is None:
        return again_from_start(each.partition, source.offset), 0
    at = each.target.offset
    again = translator.again(each.partition, source.offset, at)
    if at <= each.place:
        return again, 0
    return again, translator.ahead(each.partition, source.offset, at)


def out_of_step(group: GroupSnapshot, standing: GroupStanding) -> OutOfStep | None:
    """Return what is left of a group that does not follow; None when it does."""
    refused = next((each.refused for each in standing.partitions if each.refused), None)
    error = standing.error or refused
    if error is not None and error.retriable:  # a broker starts: all its groups, told as one
        text = f"what some committed cannot be had or carried over just now: {error.cause}"
        return OutOfStep("groups", text, "It is tried again")
    if error is not None:
        return OutOfStep(f"group {group.name}", _text(error), error.next_step)
    if group.reason is not None:
        return OutOfStep(f"group {group.name}", group.reason.text, group.reason.next_step)
    return None


def _reason(state: GroupState, error: KafkaError | None) -> Reason | None:
    if error is not None:
        return Reason(_text(error), error.next_step)
    if state in _EXPLAINED:
        return Reason(*_EXPLAINED[state])
    return None


def _text(error: KafkaError) -> str:
    return f"{error.operation} {error.object}: {error.cause}"


def _kind(group: GroupStanding) -> str:
    if group.is_share:
        return "share"
    side = group.source or group.target
    return side.kind if side else ""


def _sum(counts: Iterable[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total
