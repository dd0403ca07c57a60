"""The board: a flow's partitions and totals as they are shown, run here or watched."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from engine.api.offsets_snapshots import OffsetsTotals
from engine.api.snapshots import (
    PartitionSnapshot,
    PartitionsPage,
    PartitionState,
    RatePoint,
    Trend,
)
from engine.kafka.fetch import TopicPartition
from engine.replication.identical.identity import offsets_of, totals
from engine.replication.lag import Rate
from engine.replication.partition import MirrorPartition

HISTORY = 120  # seconds


class Board:
    """Rows by (topic, partition), each with the version at which it last changed."""

    def __init__(self, flow: str) -> None:
        self.flow = flow
        self.partitions: dict[TopicPartition, MirrorPartition] = {}
        self.history: deque[RatePoint] = deque(maxlen=HISTORY)
        self.rate = Rate()
        self.version = 0
        self.records_total = 0
        self.bytes_total = 0
        self._rows: dict[TopicPartition, PartitionSnapshot] = {}
        self._removed: dict[TopicPartition, int] = {}
        self._ticked_at = time.monotonic()

    def add(self, partition: MirrorPartition) -> None:
        """Show a partition."""
        self.partitions[partition.key] = partition
        self._removed.pop(partition.key, None)

    def clear(self) -> None:
        """Forget all partitions (the role changes); rows stay until new ones replace them."""
        self.partitions.clear()

    def tick(self) -> None:
        """Bring rates, lag and rows up to date; called about once a second."""
        monotonic, now = time.monotonic(), time.time()
        elapsed = monotonic - self._ticked_at
        if elapsed < 0.2:
            return
        self._ticked_at = monotonic
        self.version += 1
        records = size = 0
        for partition in self.partitions.values():
            records += partition.measures.records_total
            size += partition.measures.bytes_total
            row = self._rows.get(partition.key)
            if row is None or not _at_rest(row, partition):
                partition.tick(now, elapsed)
                self._update_row(partition, now)
        for key in self._rows.keys() - self.partitions.keys():
            del self._rows[key]
            self._removed[key] = self.version
        self.records_total, self.bytes_total = records, size
        self.rate.tick(records, size, elapsed)
        self.history.append(
            RatePoint(
                now, self.rate.records_per_second, self.rate.bytes_per_second, self.lag_records or 0
            )
        )

    def _update_row(self, partition: MirrorPartition, now: float) -> None:
        before = self._rows.get(partition.key)
        row = _row(self.flow, partition, now, self.version)
        if before is None or _differs(before, row):
            self._rows[partition.key] = row

    @property
    def lag_records(self) -> int | None:
        """Sum over the partitions whose lag is known; None when none is."""
        lags = [lag for p in self.partitions.values() if (lag := p.lag_records) is not None]
        return sum(lags) if lags or not self.partitions else None

    def lag_seconds(self) -> float | None:
        """The worst partition's."""
        now = time.time()
        ages = [age for p in self.partitions.values() if (age := p.lag_seconds(now)) is not None]
        return max(ages) if ages else (0.0 if not self.partitions else None)

    def count(self, test: Callable[[MirrorPartition], bool]) -> int:
        """Count partitions."""
        return sum(map(test, self.partitions.values()))

    def count_state(self, state: PartitionState) -> int:
        """Count partitions in a state."""
        return self.count(lambda partition: partition.state == state)

    def offsets(self) -> OffsetsTotals | None:
        """Count partitions by how their offsets are to the source's; None: they are translated."""
        return totals([row.offsets for row in self._rows.values()])

    def page(self, since: int) -> PartitionsPage:
        """Return the rows that changed after version `since`."""
        if since > self.version:
            since = 0  # of another engine's life
        rows = tuple(row for row in self._rows.values() if row.version > since)
        removed = tuple(key for key, version in self._removed.items() if version > since)
        return PartitionsPage(self.flow, self.version, len(self._rows), rows, removed)


def _row(flow: str, p: MirrorPartition, now: float, version: int) -> PartitionSnapshot:
    known = p.positioned
    return PartitionSnapshot(
        flow,
        p.topic,
        p.partition,
        p.target_topic,
        p.state,
        p.reason,
        p.measures.source_end,
        p.acked.source if known else None,
        p.acked.target if known else None,
        p.lag_records,
        p.lag_seconds(now),
        round(p.measures.rate.records_per_second, 1),
        round(p.measures.rate.bytes_per_second, 1),
        p.measures.trend,
        p.measures.observed_at,
        version,
        tuple(p.history.skipped),
        p.history.skipped_records,
        p.history.quarantined,
        p.history.foreign,
        p.history.left_out,
        offsets_of(p),
        None if p.measures.drift is None else round(p.measures.drift, 1),
        p.measures.overtaken,
    )


def _at_rest(row: PartitionSnapshot, p: MirrorPartition) -> bool:
    """Whether a tick would change nothing: what makes thousands of idle partitions cheap."""
    acked = p.acked
    return (
        row.trend is Trend.IN_STEP
        and row.mirrored_to == acked.source == p.measures.source_end == row.source_end
        and row.target_end == acked.target
        and row.records_per_second == row.bytes_per_second == 0.0
        and p.measures.rate.records_per_second == p.measures.rate.bytes_per_second == 0.0
        and row.state is p.state
        and row.reason is p.reason
        and row.foreign_records == p.history.foreign
        and row.left_out_records == p.history.left_out
        and row.skipped_records == p.history.skipped_records
        and row.target_topic == p.target_topic
        and p.positioned
    )


def _differs(before: PartitionSnapshot, row: PartitionSnapshot) -> bool:
    """Whether a row is worth sending again; a mere look at the source is not."""
    return before != replace(row, version=before.version, observed_at=before.observed_at)
