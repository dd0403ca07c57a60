"""What is done about a partition that cannot go on by itself: as the flow's policies say.

Every repair is written to the state topic before the partition goes on: after a crash, what was
sent behind a gap must not be taken for what was before it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import assert_never

from engine.api.snapshots import Severity, SkipKind, SkippedRange, Skips
from engine.config.flow_section import FlowConfig, OnGap, OnPoison, OnRecreate
from engine.errors import KafkaError
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.metadata import ClusterMetadata
from engine.replication.both_ways.provenance import Provenance
from engine.replication.events import Events
from engine.replication.partition import MirrorPartition
from engine.replication.quarantine import Quarantine, Quarantined
from engine.replication.resync import Lost
from engine.replication.splitting import only_record, split
from engine.replication.troubles import (
    OutOfRange,
    Refused,
    Trouble,
    Truncated,
    UnknownOrigin,
    Unreadable,
    remedy,
)

ACCEPT = "or accept it with ccr retry --accept"


class Repair:
    """Mends partitions of one flow, or stops them with the reason."""

    def __init__(
        self,
        name: str,
        config: FlowConfig,
        clusters: tuple[Cluster, Cluster],
        events: Events,
        persist: Callable[[Iterable[MirrorPartition]], Awaitable[None]],
        provenance: Provenance,
    ) -> None:
        self._name = name
        self._config = config
        self._source, self._target = clusters
        self._events = events
        self._persist = persist
        self._provenance = provenance
        self._quarantine = Quarantine(name, self._target)

    async def mend(
        self, partition: MirrorPartition, trouble: Trouble, source: ClusterMetadata
    ) -> bool:
        """Return whether the partition can go on; it was stopped otherwise.

        Raises ConnectError and KafkaError: then nothing has changed yet.
        """
        match trouble:
            case OutOfRange():
                return await self._out_of_range(partition, source)
            case Truncated(end=end):
                return await self._truncated(partition, end)
            case Unreadable():
                return await self._unreadable(partition, trouble)
            case Refused():
                return await self._refused(partition, trouble)
            case UnknownOrigin():
                return await self._provenance.learn(partition, trouble)
            case _:
                assert_never(trouble)

    # the source's history

    async def _out_of_range(self, partition: MirrorPartition, source: ClusterMetadata) -> bool:
        key, position = partition.key, partition.acked.source
        low = (await self._source.list_offsets({key: EARLIEST}, source)).get(key)
        high = (await self._source.list_offsets({key: LATEST}, source)).get(key)
        if low is None or high is None:
            raise KafkaError(
                "looking at", f"{key[0]}/{key[1]}", "it has no leader now", retriable=True
            )
        if position > high:
            return await self._truncated(partition, high)
        if position < low:
            return await self._gap(partition, low)
        partition.history.source_epoch = -1  # of a leader that this broker knows nothing of
        return True

    async def _gap(self, partition: MirrorPartition, start: int) -> bool:
        first = partition.acked.source
        what = (
            f"retention overtook replication: the source has lost offsets {first} to {start - 1}, "
            f"{start - first} in all"
        )
        if self._config.on_gap != OnGap.SKIP and not partition.accepts:
            next_step = f"Set on_gap: skip, {ACCEPT}; the target was not changed"
            self._stop(partition, what, next_step, Skips(SkipKind.GAP, first, start))
            return False
        partition.history.skip(SkippedRange(first, start, time.time(), "lost by retention"))
        partition.acked.source = start
        await self._persist([partition])
        self._tell(partition, f"{what}; going on from {start}")
        return True

    async def _truncated(self, partition: MirrorPartition, end: int) -> bool:
        position = partition.acked.source
        if end >= position:  # nothing that was mirrored
            partition.history.source_epoch = -1
            return True
        first_lost = partition.offset_map.to_target(end)
        where = f" (target offsets {first_lost} to {partition.acked.target - 1})"
        what = (
            f"the source lost offsets {end} to {position - 1}, which were mirrored already"
            f"{where if first_lost is not None else ''}: an unclean leader election, or a cut log"
        )
        if not partition.accepts:
            self._stop(
                partition,
                what,
                f"ccr retry --accept goes on from offset {end} and keeps those records in the "
                "mirror, before the source's new ones",
            )
            return False
        partition.offset_map.cut_source(end)
        partition.acked.source = end
        partition.history.source_epoch = -1
        await self._persist([partition])
        self._tell(partition, f"{what}; going on from {end}")
        return True

    async def recreated(self, partition: MirrorPartition, source: ClusterMetadata) -> bool:
        """The source topic was deleted and created anew; return whether it goes on."""
        what = f"topic {partition.topic} was deleted on the source and created anew"
        if self._config.on_recreate != OnRecreate.RESTART and not partition.accepts:
            self._stop(
                partition,
                what,
                f"Set on_recreate: restart, {ACCEPT}: the new topic's records then go after the "
                "old ones in the mirror",
            )
            return False
        start = await self._start_of(partition, source)
        partition.restart(start, partition.acked.target)
        partition.history.source_id = source.topic_id(partition.topic)
        await self._persist([partition])
        self._tell(partition, f"{what}; mirroring the new one from offset {start}")
        return True

    async def _start_of(self, partition: MirrorPartition, source: ClusterMetadata) -> int:
        found = await self._source.list_offsets({partition.key: EARLIEST}, source)
        if partition.key not in found:
            raise KafkaError("looking at", partition.topic, "it has no leader now", retriable=True)
        return found[partition.key]

    # the target's history

    async def target_lost(self, partition: MirrorPartition, lost: Lost) -> bool:
        """The target lost records that it had acknowledged: send them again, from the map."""
        offset_map = partition.offset_map
        if lost.records is not None:
            cut = offset_map.cut_last(lost.records)
        else:
            cut = offset_map.cut_target(lost.from_offset or 0)
        if cut is None:
            partition.stop(
                f"{partition.target_topic} lost records that it had acknowledged, and the offset "
                "map does not reach back to them",
                "Compare the mirror with its source; ccr retry tries again",
            )
            return False
        source, target, count = cut
        what = (
            f"the target lost {count} acknowledged records, from offset {target} of "
            f"{partition.target_topic} on; sending them again from source offset {source}"
        )
        partition.rewind(source, target, count)
        await self._persist([partition])
        self._tell(partition, what, Severity.ERROR)
        return True

    async def mirror_recreated(self, partition: MirrorPartition, target: ClusterMetadata) -> bool:
        """The mirror topic was deleted and is there anew; return whether it goes on."""
        first = next(partition.offset_map.runs(), None)
        start = first[0] if first else partition.acked.source
        what = f"the mirror topic {partition.target_topic} was deleted and created anew"
        if not partition.accepts:
            self._stop(
                partition, what, f"ccr retry --accept mirrors it again from source offset {start}"
            )
            return False
        key = partition.target_key
        ends = await self._target.list_offsets({key: LATEST}, target)
        if key not in ends:
            raise KafkaError("looking at", key[0], "it has no leader now", retriable=True)
        partition.restart(start, ends[key])
        partition.history.target_id = target.topic_id(partition.target_topic)
        await self._persist([partition])
        self._tell(partition, f"{what}; mirroring again from source offset {start}")
        return True

    # records

    async def _unreadable(self, partition: MirrorPartition, found: Unreadable) -> bool:
        if found.next_offset is None:
            partition.stop(
                f"{found.why}; where the log goes on behind it is not known",
                "Check the source broker's log and disk, then ccr retry",
            )
            return False
        if self._config.on_poison != OnPoison.QUARANTINE and not partition.accepts:
            self._stop(
                partition,
                found.why,
                f"Check the source broker's log and disk, then ccr retry; {ACCEPT}",
                Skips(SkipKind.POISON, found.first, found.next_offset),
            )
            return False
        await self._put_aside(
            partition,
            Quarantined(
                *partition.key, found.first, found.next_offset, found.why, batch=found.batch
            ),
            found.next_offset - found.first,
        )
        return True

    async def _refused(self, partition: MirrorPartition, refused: Refused) -> bool:
        if len(refused.offsets) > 1:
            partition.split = split(refused, partition.acked.source)
            return True
        what = f"the target refuses the record at source offset {refused.first}: {refused.why}"
        if self._config.on_poison != OnPoison.QUARANTINE and not partition.accepts:
            skips = Skips(SkipKind.POISON, refused.first, refused.next_offset)
            next_step = f"{remedy(refused.error)}, then ccr retry; {ACCEPT}"
            self._stop(partition, what, next_step, skips)
            return False
        record = only_record(refused)
        await self._put_aside(
            partition,
            Quarantined(
                *partition.key, refused.first, refused.next_offset, refused.why, record=record
            ),
            1,
        )
        return True

    async def _put_aside(
        self, partition: MirrorPartition, found: Quarantined, records: int
    ) -> None:
        offset = await self._quarantine.put(found)
        partition.history.quarantined += records
        partition.history.skip(SkippedRange(found.first, found.end, time.time(), "quarantined"))
        partition.acked.source = found.end
        await self._persist([partition])
        self._tell(
            partition,
            f"source offset {found.first} was put into {self._quarantine.topic} at offset "
            f"{offset}: {found.reason}",
            Severity.ERROR,
        )

    @staticmethod
    def _stop(
        partition: MirrorPartition, what: str, next_step: str, skips: Skips | None = None
    ) -> None:
        """Stop it for something that an operator can accept; `skips` is left out then."""
        partition.stop(what, next_step, acceptable=True, skips=skips)

    def _tell(
        self, partition: MirrorPartition, text: str, severity: Severity = Severity.WARNING
    ) -> None:
        subject = f"{self._name}/{partition.topic}/{partition.partition}"
        self._events.emit(severity, subject, text)
