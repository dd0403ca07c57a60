"""Finding what stands on one side only. Reads both clusters and writes nothing anywhere."""

from __future__ import annotations

import time

from engine.errors import ConnectError, KafkaError
from engine.kafka.metadata import NO_TOPIC_ID
from engine.replication.state_records import FlowRecord
from engine.runbook.divergence.boundary import Boundaries, Brought
from engine.runbook.divergence.logs import Logs, look
from engine.runbook.divergence.model import Divergence, PartitionDivergence, Sides, Standing
from engine.runbook.divergence.records import Count, Keys, by_a_flow, count


async def find(sides: Sides, record: FlowRecord) -> Divergence:
    """Compare a promoted flow's target with its source, which has come back.

    `record` is what the flow's state topic says. Nobody may write to the source any more (a fence
    stands): what is appended behind the ends that are seen now is not in what is found. All of what
    never arrived, and of the target what was written since, is read once, to be counted.

    Raises ConnectError, KafkaError, TooSlowError, and RefusedError for a flow that never ran.
    """
    logs = await look(sides, record)
    boundaries = Boundaries(sides, record, logs)
    try:
        brought = await boundaries.bring(logs.keys)
        finder = _Finder(logs, boundaries)
        partitions = [await finder.partition(each) for each in brought]
    finally:
        boundaries.close()
    known, now = record.ends.source_id if record.ends else "", logs.source.cluster_id
    return Divergence(
        sides.flow,
        sides.source.name,
        sides.target.name,
        time.time(),
        bool(known and now and known != now),
        tuple(partitions),
    )


class _Finder:
    """Counts what the boundaries leave on each side."""

    def __init__(self, logs: Logs, boundaries: Boundaries) -> None:
        self._logs = logs
        self._boundaries = boundaries

    async def partition(self, each: Brought) -> PartitionDivergence:
        if each.told:
            try:
                theirs, ours = Keys(), Keys()
                missing = await self._source(each, theirs)
                own = await self._target(each, ours if missing.records else None)
            except (ConnectError, KafkaError) as error:
                each.untold(str(error), retriable=error.retriable)
        key, partition = each.partition.key, each.partition
        if not each.told:
            return PartitionDivergence(
                *key,
                partition.target_topic,
                Standing.UNTOLD,
                reason=each.reason,
                retriable=each.retriable,
            )
        standing = each.standing
        if standing is Standing.ARRIVED and missing.records:
            standing = Standing.DIVERGED
        source_id = self._logs.source.topic_id(partition.topic)
        return PartitionDivergence(
            *key,
            partition.target_topic,
            standing,
            first=partition.acked.source,
            end=max(partition.acked.source, self._boundaries.source_end(key)),
            records=missing.records,
            bytes=missing.bytes,
            left_out=missing.left_out,
            first_ms=missing.first_ms,
            last_ms=missing.last_ms,
            gone=each.gone,
            mirrored_to=each.mirrored_to,
            lost_from=each.lost_from,
            strangers_from=self._strangers_from(each),
            own_records=own.records,
            own_bytes=own.bytes,
            rewritten_keys=theirs.shared(ours),
            own_end=self._logs.targets[key].high or 0,
            source_id="" if source_id == NO_TOPIC_ID else source_id.hex,
            reason=each.reason,
        )

    @staticmethod
    def _strangers_from(each: Brought) -> int:
        offset_map = each.partition.offset_map
        begin = next((target for _, target, _ in offset_map.runs()), each.mirrored_to)
        others = each.partition.history.foreign > 0
        return offset_map.first_strange(begin, each.mirrored_to, others=others)

    async def _source(self, each: Brought, keys: Keys) -> Count:
        key = each.partition.key
        extent = each.partition.acked.source, self._boundaries.source_end(key)
        return await count(
            self._boundaries.readers[0],
            key,
            extent,
            self._boundaries.leaves_out,
            committed=self._boundaries.committed,
            keys=keys,
        )

    async def _target(self, each: Brought, keys: Keys | None) -> Count:
        log = self._logs.targets[each.partition.key]
        extent = max(each.mirrored_to, log.low or 0), log.high or 0
        return await count(
            self._boundaries.readers[1],
            each.partition.target_key,
            extent,
            by_a_flow,
            committed=self._boundaries.committed,
            keys=keys,
        )
