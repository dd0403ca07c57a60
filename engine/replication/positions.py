"""Where each partition begins: its checkpoint, or the flow's start policy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.api.snapshots import PartitionState
from engine.config.flow_section import FlowConfig, Offsets, StartAt, StartOffset, StartTimestamp
from engine.kafka import fetch
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.fetch import TopicPartition
from engine.kafka.metadata import ClusterMetadata
from engine.replication.partition import MirrorPartition, Progress
from engine.replication.state_records import FlowRecord


def load_checkpoint(partition: MirrorPartition, record: FlowRecord) -> bool:
    """Take a partition's position and map from the state topic; return whether it was there."""
    checkpoint = record.checkpoints.get(partition.key)
    if checkpoint is None:
        return False
    progress = checkpoint.progress
    partition.acked = Progress(
        progress.source, progress.target, progress.sequence, progress.newest_ms
    )
    partition.offset_map = record.offset_map(partition.key)
    history = checkpoint.history
    partition.history = replace(history, skipped=list(history.skipped))
    partition.positioned = True
    if checkpoint.stopped is not None:
        partition.set_state(PartitionState.STOPPED, checkpoint.stopped)
    return True


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a partition begins by the start policy, and where its two logs stand."""

    source: int  # offset to begin with
    source_low: int  # start of the source's log
    target_low: int  # start of the target's log; 0 where nobody asks
    target: int  # end of the target's log


class StartPolicy:
    """Looks up where partitions begin that were never mirrored before."""

    def __init__(self, config: FlowConfig, source: Cluster, target: Cluster) -> None:
        self._start = config.start
        self._isolation = (
            fetch.READ_COMMITTED if config.isolation == "read_committed" else fetch.READ_UNCOMMITTED
        )
        self._identical = config.offsets == Offsets.IDENTICAL
        self._source = source
        self._target = target

    async def find(
        self,
        partitions: list[MirrorPartition],
        source: ClusterMetadata,
        target: ClusterMetadata,
        *,
        first_time: bool,
    ) -> dict[MirrorPartition, Beginning]:
        """Return where partitions begin; those are left out that have no leader just now.

        `first_time` as in `starts`.
        """
        keys = [partition.key for partition in partitions]
        begin, low = await self.starts(keys, source, first_time=first_time)
        mirrors = [partition.target_key for partition in partitions]
        ends = await self._target.list_offsets(dict.fromkeys(mirrors, LATEST), target)
        starts = dict.fromkeys(mirrors, 0)
        if self._identical:
            starts = await self._target.list_offsets(dict.fromkeys(mirrors, EARLIEST), target)
        return {
            partition: Beginning(
                begin[partition.key], low[partition.key], starts[mirror], ends[mirror]
            )
            for partition, mirror in zip(partitions, mirrors, strict=True)
            if partition.key in begin and mirror in starts.keys() & ends.keys()
        }

    async def starts(
        self, keys: list[TopicPartition], source: ClusterMetadata, *, first_time: bool
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """Return where partitions are begun with, and where their logs begin.

        Both for those that have a leader just now. `first_time` is the flow's very first look: only
        then does `latest` mean the source's end. A partition that appears later is new, and begins
        at its beginning, or its first records would be lost.
        """
        low = await self._source.list_offsets(dict.fromkeys(keys, EARLIEST), source)
        high = await self._source.list_offsets(
            dict.fromkeys(keys, LATEST), source, isolation=self._isolation
        )
        begin = await self._begin(keys, source, low, high, first_time=first_time)
        both = begin.keys() & low.keys()
        return {key: begin[key] for key in both}, {key: low[key] for key in both}

    async def _begin(
        self,
        keys: list[TopicPartition],
        source: ClusterMetadata,
        low: dict[TopicPartition, int],
        high: dict[TopicPartition, int],
        *,
        first_time: bool,
    ) -> dict[TopicPartition, int]:
        match self._start:
            case StartOffset(offset=offset):
                return {key: min(max(offset, low[key]), high[key]) for key in low.keys() & high}
            case StartTimestamp(timestamp=timestamp):
                wanted = dict.fromkeys(keys, int(timestamp.timestamp() * 1000))
                found = await self._source.list_offsets(wanted, source)
                return {
                    key: found[key] if found[key] >= 0 else high[key] for key in found.keys() & high
                }
            case StartAt.LATEST if first_time:
                return high
            case _:
                return low
