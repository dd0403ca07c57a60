"""What `ccr verify` tells: for each partition, and for the flow."""

from __future__ import annotations

from dataclasses import dataclass

from engine.replication.verify.findings import Mismatch, Tally


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """One partition. `first` to `end` - 1 are the source offsets that both sides may still have."""

    topic: str
    partition: int
    target_topic: str
    reason: str | None  # why it could not be compared, or not to the end
    first: int | None
    end: int | None
    target_end: int | None  # next target offset after our last mirrored record
    compared: int
    equal: int
    mismatched: int
    only_source: int
    only_target: int
    missing_on_source: int
    gone_source: int
    gone_target: int
    compacted: int
    left_out: int
    bytes_read: int
    mismatches: tuple[Mismatch, ...]

    @property
    def wrong(self) -> int:
        """Records that speak against the mirror."""
        return self.mismatched + self.only_source + self.missing_on_source


@dataclass(frozen=True, slots=True)
class FlowReport:
    """One run of `ccr verify`."""

    flow: str
    source: str
    target: str
    full: bool
    began_at: float
    took_seconds: float
    partitions: tuple[PartitionReport, ...]

    @property
    def wrong(self) -> int:
        """Records that speak against the mirror."""
        return sum(partition.wrong for partition in self.partitions)

    @property
    def incomparable(self) -> int:
        """Partitions that were not, or not wholly, compared."""
        return sum(partition.reason is not None for partition in self.partitions)


def partition_report(
    key: tuple[str, int],
    target_topic: str,
    tally: Tally,
    *,
    reason: str | None = None,
    extent: tuple[int, int, int] | None = None,
) -> PartitionReport:
    """Freeze a tally; `extent` is (first, end, target end)."""
    first, end, target_end = extent or (None, None, None)
    return PartitionReport(
        *key,
        target_topic,
        reason,
        first,
        end,
        target_end,
        tally.compared,
        tally.equal,
        tally.mismatched,
        tally.only_source,
        tally.only_target,
        tally.missing_on_source,
        tally.gone_source,
        tally.gone_target,
        tally.compacted,
        tally.left_out,
        tally.bytes_read,
        tuple(tally.mismatches),
    )
