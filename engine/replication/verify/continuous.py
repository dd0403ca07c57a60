"""The verifier that an engine runs beside the data path: slowly, round and round.

Each turn it compares a short range of one partition: by turns the newest that it has not seen, and
an old one at random. It has connections of its own, and reads no faster than its byte rate.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from engine.api.snapshots import PartitionState, Severity, VerificationSnapshot
from engine.config.flow_section import FlowConfig
from engine.errors import CcrError
from engine.kafka.batch import CorruptBatchError
from engine.kafka.cluster import EARLIEST, Cluster
from engine.replication.board import Board
from engine.replication.events import Events
from engine.replication.partition import MirrorPartition
from engine.replication.verify.findings import Mismatch, Tally
from engine.replication.verify.mirrored import Bounds, Mirrored, compare_range
from engine.replication.verify.policies import compacting
from engine.replication.verify.reading import Reader

log = logging.getLogger(__name__)

RANGE_BYTES = 128 * 1024  # of a range, on each side
RANGE_RECORDS = 2_000
REST_S = 1.0  # when there is nothing to compare
TROUBLE_REST_S = 5.0
POLICY_S = 60.0  # topics' configs are looked at anew after so long
TOLD_SPACING_S = 60.0  # between two events about one partition


@dataclass(slots=True)
class _Seen:
    """What was seen of one partition."""

    newest: int  # newly mirrored records before this source offset had their turn
    turns: int = 0
    told_at: float = float("-inf")  # monotonic
    policy_at: float = float("-inf")
    compacts: tuple[bool, bool] = (True, True)


@dataclass(slots=True)
class _Totals:
    ranges: int = 0
    records: int = 0
    bytes: int = 0
    wrong: int = 0
    at: float = 0.0
    last_wrong: str | None = None
    trouble: str | None = None
    partitions_wrong: set[tuple[str, int]] = field(default_factory=set)


class ContinuousVerifier:
    """Runs while its engine owns the flow."""

    def __init__(
        self,
        name: str,
        config: FlowConfig,
        clusters: tuple[Cluster, Cluster],
        board: Board,
        events: Events,
        producer_id: Callable[[], int],
    ) -> None:
        self._name = name
        self._rate = config.verify.bytes_per_second
        self._config = config
        self._clusters = clusters
        self._board = board
        self._events = events
        self._producer_id = producer_id
        self._seen: dict[tuple[str, int], _Seen] = {}
        self._totals = _Totals()
        self._readers = Reader(clusters[0], RANGE_BYTES), Reader(clusters[1], RANGE_BYTES)

    def snapshot(self) -> VerificationSnapshot | None:
        """Return what was found so far; None when it is off."""
        if self._rate is None:
            return None
        totals = self._totals
        return VerificationSnapshot(
            self._rate,
            totals.ranges,
            totals.records,
            totals.wrong,
            len(totals.partitions_wrong),
            totals.last_wrong,
            totals.trouble,
            totals.at,
        )

    async def run(self) -> None:
        """Compare until cancelled; a failure is shown, and tried again."""
        if self._rate is None:
            return
        try:
            while True:  # noqa: ASYNC110  (time passes, nobody tells)
                await asyncio.sleep(await self._round(self._rate))
        finally:
            for reader in self._readers:
                reader.close()

    async def _round(self, rate: int) -> float:
        """Give every partition its turn; return how long to rest, seconds."""
        read = 0
        for partition in list(self._board.partitions.values()):
            if partition.state != PartitionState.RUNNING or not partition.positioned:
                continue
            try:
                size = await self._turn(partition)
            except (CcrError, CorruptBatchError) as error:
                self._totals.trouble = str(error)
                return TROUBLE_REST_S
            except Exception as error:  # a defect of ours must not end the mirroring
                log.exception("verifying flow %s failed", self._name)
                self._totals.trouble = f"internal error: {type(error).__name__}: {error}"
                return TROUBLE_REST_S
            if size:
                self._totals.trouble = None
                await asyncio.sleep(size / rate)
            read += size
        return 0.0 if read else REST_S

    async def _turn(self, partition: MirrorPartition) -> int:
        """Compare one range; return how many bytes were read."""
        seen = self._seen.setdefault(partition.key, _Seen(partition.acked.source))
        seen.turns += 1
        if partition.acked.source <= seen.newest and seen.turns % 2:
            return 0  # nothing new; the old ones are the next turn's
        bounds = await self._bounds(partition)
        if bounds is None:
            return 0
        await self._look_at_policies(partition, seen)
        range_ = self._choose(partition, seen, bounds)
        if range_ is None:
            return 0
        tally, stable = await self._compare(partition, range_, bounds, seen)
        size = tally.bytes_read
        if tally.wrong and stable:  # once more: it may have been read while it moved
            tally, stable = await self._compare(partition, range_, bounds, seen)
            size += tally.bytes_read
        if stable:
            self._note(partition, seen, tally)
        return size

    async def _compare(
        self, partition: MirrorPartition, range_: tuple[int, int], bounds: Bounds, seen: _Seen
    ) -> tuple[Tally, bool]:
        """Compare a range; return the tally, and whether the map stayed as it was meanwhile."""
        mirrored = self._mirrored(partition)
        before = list(partition.offset_map.reaching(*range_))
        rules = replace(
            mirrored.rules(bounds),
            source_compacts=seen.compacts[0],
            target_compacts=seen.compacts[1],
        )
        tally = Tally()
        await compare_range(
            mirrored, self._readers, range_, mirrored.acked.target, rules, tally,
            max_bytes=RANGE_BYTES,
        )  # fmt: skip
        after = list(partition.offset_map.reaching(*range_))
        # The newest run may have grown; all before stays, unless the partition was set back.
        return tally, len(after) == len(before) and after[:-1] == before[:-1]

    def _mirrored(self, partition: MirrorPartition) -> Mirrored:
        return Mirrored.of(
            partition.key,
            partition.target_topic,
            partition.acked,
            partition.offset_map,
            partition.history,
            self._config,
            producer_id=self._producer_id(),
        )

    async def _bounds(self, partition: MirrorPartition) -> Bounds | None:
        starts = []
        for cluster, key in zip(self._clusters, (partition.key, partition.target_key), strict=True):
            metadata = await cluster.metadata([key[0]])
            starts.append((await cluster.list_offsets({key: EARLIEST}, metadata)).get(key))
        source, target = starts
        if source is None or target is None:
            return None
        return Bounds(source, target, partition.acked.target)

    async def _look_at_policies(self, partition: MirrorPartition, seen: _Seen) -> None:
        now = time.monotonic()
        if now - seen.policy_at < POLICY_S:
            return
        seen.policy_at = now
        names = partition.topic, partition.target_topic
        found = [
            (await compacting(cluster, [name])).get(name, True)
            for cluster, name in zip(self._clusters, names, strict=True)
        ]
        seen.compacts = found[0], found[1]

    def _choose(
        self, partition: MirrorPartition, seen: _Seen, bounds: Bounds
    ) -> tuple[int, int] | None:
        """Choose a range: what is new when there is any and it is its turn, else an old one."""
        end = partition.acked.source
        first = self._mirrored(partition).first_common(bounds)
        if seen.newest < end and seen.turns % 2:
            begin = max(seen.newest, first, end - RANGE_RECORDS)
            seen.newest = end
        elif first < end:
            begin = random.randrange(first, end)  # noqa: S311  (a sample)
        else:
            return None
        return (begin, min(begin + RANGE_RECORDS, end)) if begin < end else None

    def _note(self, partition: MirrorPartition, seen: _Seen, tally: Tally) -> None:
        totals = self._totals
        totals.ranges += 1
        totals.records += tally.compared
        totals.bytes += tally.bytes_read
        totals.at = time.time()
        if not tally.wrong:
            return
        totals.wrong += tally.wrong
        totals.partitions_wrong.add(partition.key)
        totals.last_wrong = _words(partition, tally.mismatches[0])
        now = time.monotonic()
        if now - seen.told_at < TOLD_SPACING_S:
            return
        seen.told_at = now
        self._events.emit(
            Severity.ERROR,
            f"{self._name}/{partition.topic}/{partition.partition}",
            f"the mirror is not what the source has: {totals.last_wrong}",
            f"Compare all of it: ccr verify {self._name} --full --topic {partition.topic}",
        )


def _words(partition: MirrorPartition, mismatch: Mismatch) -> str:
    place = "" if mismatch.target_offset is None else f", target offset {mismatch.target_offset}"
    return (
        f"{partition.topic}/{partition.partition} source offset {mismatch.source_offset}{place}: "
        + ", ".join(mismatch.differs)
    )
