"""What a comparison found: counts, and mismatches named down to the record."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_MISMATCHES = 100  # named for each partition; the others are counted
MISSING_ON_TARGET = "missing on target"
MISSING_ON_SOURCE = "missing on source"
NOT_MIRRORED = "not mirrored"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A record that is not the same on both sides.

    `differs` has `key`, `value`, `headers`, `timestamp`, `attributes`, or why one side has none.
    """

    source_offset: int
    target_offset: int | None  # None: the offset map knows of none
    differs: tuple[str, ...]
    source: str | None = None  # the record, cut off; only when asked to be shown
    target: str | None = None


@dataclass(slots=True)
class Tally:
    """Counts of records, added up over ranges.

    What is gone or left out is no mismatch: retention and compaction work on each side by itself.
    """

    equal: int = 0
    mismatched: int = 0  # on both sides, and not the same
    only_source: int = 0  # should be on the target as well
    only_target: int = 0  # somebody else wrote them into the mirror
    missing_on_source: int = 0  # ours on the target; the source, which keeps all, has them no more
    gone_source: int = 0  # by retention or compaction
    gone_target: int = 0  # by retention
    compacted: int = 0  # gone from the target, superseded by a later record of their key
    left_out: int = 0  # by the flow's policies (gap, quarantine)
    bytes_read: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """Records that were there on both sides."""
        return self.equal + self.mismatched

    @property
    def wrong(self) -> int:
        """Records that speak against the mirror."""
        return self.mismatched + self.only_source + self.missing_on_source

    def name(self, mismatch: Mismatch) -> None:
        """Keep a mismatch as long as there are not too many."""
        if len(self.mismatches) < MOST_MISMATCHES:
            self.mismatches.append(mismatch)
