"""The flow is done with the records that never arrived: re-injected, or left out for good.

Both are said by the flow's own checkpoints, so they hold for every engine, whatever its host: a
re-injected record is mirrored, a record that was kept aside or discarded stands in a range that was
skipped. Either way the flow's position is behind them, and groups are translated over them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from engine.api.snapshots import PartitionState, SkippedRange
from engine.errors import ConnectError, KafkaError, RefusedError
from engine.kafka.fetch import TopicPartition
from engine.kafka.metadata import TopicMetadata
from engine.replication.partition import MirrorPartition
from engine.replication.state_records import FlowRecord, Identity
from engine.replication.topics.agreed import AgreedConfigs
from engine.replication.topics.mirrors import Mirrors
from engine.runbook.divergence.boundary import Boundaries, Brought
from engine.runbook.divergence.carrier import Carrier
from engine.runbook.divergence.logs import Logs, look
from engine.runbook.divergence.model import (
    Divergence,
    Exported,
    Mode,
    PartitionDivergence,
    Remember,
    SettledPartition,
    Settlement,
    Sides,
    Standing,
)

REASONS = {
    Mode.REINJECT: "not re-injected by failback",
    Mode.KEEP_ASIDE: "kept aside by failback",
    Mode.DISCARD: "discarded by failback",
}


async def settle(
    sides: Sides,
    record: FlowRecord,
    remember: Remember,
    divergence: Divergence,
    mode: Mode,
    exported: Exported | None = None,
) -> Settlement:
    """Settle all that was found; call it again, in the same mode, until nothing of it failed.

    `record` and `remember` are the flow's (`Flow.record`, `Flow.remember`): this engine owns it.
    Mode.KEEP_ASIDE wants `exported` with all of the records; who discards has asked before. One
    partition's trouble is in its `reason` and holds up no other. Partitions of which it could not
    be told are left alone, and are no failure here.

    Raises RefusedError, ConnectError and KafkaError (nothing was changed then), SupersededError.
    """
    if mode is Mode.KEEP_ASIDE and (exported.records if exported else 0) < divergence.records:
        raise RefusedError(
            "keeping aside what never arrived of flow", sides.flow,
            f"{divergence.records} records were found, "
            f"{exported.records if exported else 0} are exported",
            "Export them first",
        )  # fmt: skip
    if record.identity is None:
        raise RefusedError("settling flow", sides.flow, "it has never run: it has no state")
    found = {each.key: each for each in divergence.partitions}
    told = {key: each for key, each in found.items() if each.standing is not Standing.UNTOLD}
    await _make_mirrors(sides, record, remember, told)
    gone = {each.topic for each in told.values() if each.standing is Standing.REBUILT}
    logs = await look(sides, record, gone)
    settler = _Settler(sides, record, record.identity, remember, logs, mode)
    try:
        return Settlement(mode, tuple(await settler.run(told)))
    finally:
        settler.close()


async def _make_mirrors(
    sides: Sides,
    record: FlowRecord,
    remember: Remember,
    told: Mapping[TopicPartition, PartitionDivergence],
) -> None:
    """Topics that came on the source after the flow's last look have no mirror yet."""
    new = {key[0] for key in told.keys() - record.checkpoints.keys()}
    if not new:
        return
    source = await sides.source.metadata(new)
    names = {each.topic: each.target_topic for each in told.values() if each.topic in new}
    target = await sides.target.metadata(names.values())
    lacking = {
        name: topic
        for name, topic in source.topics.items()
        if len(topic.partitions) > _partitions(target.topics.get(names[name]))
    }
    if not lacking:
        return
    mirrors = Mirrors(sides.flow, sides.config, sides.source, sides.target)
    refused = await mirrors.ensure(lacking, names, target, AgreedConfigs(record, remember))
    for error in refused.values():
        raise error


def _partitions(topic: TopicMetadata | None) -> int:
    return len(topic.partitions) if topic else 0


class _Settler:
    """One run over all partitions."""

    def __init__(
        self,
        sides: Sides,
        record: FlowRecord,
        identity: Identity,
        remember: Remember,
        logs: Logs,
        mode: Mode,
    ) -> None:
        self._logs = logs
        self._mode = mode
        self._boundaries = Boundaries(sides, record, logs)
        self._carrier = Carrier(sides, record, identity, remember)

    def close(self) -> None:
        """Let go of the connections."""
        self._boundaries.close()
        self._carrier.close()

    async def run(
        self, found: Mapping[TopicPartition, PartitionDivergence]
    ) -> list[SettledPartition]:
        known = set(self._logs.keys)
        settled = [
            SettledPartition(
                *key, each.records, reason="the old primary has no such topic any more"
            )
            for key, each in found.items()
            if key not in known
        ]
        brought = await self._boundaries.bring(key for key in found if key in known)
        nothing_left = {each for each in brought if _is_done(each, found[each.partition.key])}
        if nothing_left:
            await self._carrier.keep(each.partition for each in nothing_left)
        for each in brought:
            partition = found[each.partition.key]
            reason = ""
            try:
                if each not in nothing_left:
                    await self._one(each, partition)
            except (ConnectError, KafkaError) as error:
                reason = str(error)
            settled.append(self._result(each.partition, partition, reason))
        return settled

    async def _one(self, each: Brought, found: PartitionDivergence) -> None:
        partition = each.partition
        _require_as_found(each, found)
        if each.gone:
            low = partition.acked.source
            lost = SkippedRange(low - each.gone, low, time.time(), "lost by retention")
            partition.history.skip(lost)
        await self._carrier.keep([partition])
        if self._mode is Mode.REINJECT:
            await self._carrier.carry(partition, each.listener, found.end)
            return
        first = partition.acked.source
        if first < found.end:
            reason = REASONS[self._mode]
            partition.history.skip(SkippedRange(first, found.end, time.time(), reason))
            partition.acked.source = found.end
            partition.history.source_epoch = -1  # of records before those
            partition.set_state(PartitionState.STARTING)  # what it stopped for is passed over
        await self._carrier.keep([partition])

    def _result(
        self, partition: MirrorPartition, found: PartitionDivergence, reason: str
    ) -> SettledPartition:
        ranges = tuple(
            _clipped(run, found.first, found.end)
            for run in partition.offset_map.reaching(found.first, found.end)
        )
        reinjected = sum(count for _, _, count in ranges)
        done = not reason and partition.acked.source >= found.end
        skipped = [
            (row.first, row.end)
            for row in partition.history.skipped
            if row.reason in REASONS.values() and found.first <= row.first < row.end <= found.end
        ]
        return SettledPartition(
            found.topic,
            found.partition,
            found.records,
            reinjected,
            ranges,
            skipped[-1] if skipped else None,
            found.records - reinjected if done and not skipped else 0,
            reason,
        )


def _is_done(each: Brought, found: PartitionDivergence) -> bool:
    """Whether the flow's position is behind all that was found."""
    same = each.told and not each.gone and each.standing is not Standing.REBUILT
    return same and each.partition.acked.source >= found.end


def _require_as_found(each: Brought, found: PartitionDivergence) -> None:
    """Raise KafkaError when a partition is not what the divergence says of it."""
    acked = each.partition.acked.source
    made_anew = each.standing is Standing.REBUILT and found.standing is not Standing.REBUILT
    if not each.told or made_anew:
        why = each.reason
    elif acked < found.first:
        why = f"it parts at source offset {acked} now, not at {found.first}"
    else:
        return
    raise KafkaError(
        "settling", f"{found.topic}/{found.partition}", why, "Look for the divergence again",
        retriable=each.retriable,
    )  # fmt: skip


def _clipped(run: tuple[int, int, int], first: int, end: int) -> tuple[int, int, int]:
    source, target, count = run
    before = max(0, first - source)
    return source + before, target + before, min(count, end - source) - before
