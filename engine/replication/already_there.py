"""What a target holds beyond the checkpoint, paired with the source's records: not sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.kafka import records as r
from engine.replication.offset_map import Run


class DivergedError(ValueError):
    """What the target holds after the checkpoint is not what the source has there."""


@dataclass(slots=True)
class AlreadyThere:
    """Records the target holds beyond the checkpoint: to be counted, not sent (design, section 4).

    `ranges` are [target offset, records] in the order of our sequence numbers. `proven` says that
    the target's leader knows our sequence, so that it refuses a gap.
    """

    ranges: list[list[int]] = field(default_factory=list)
    last: r.RawRecord | None = None  # the newest of them, for comparison by content
    compare_timestamps: bool = True
    proven: bool = False
    looked_to: int = 0  # others' records up to here were looked through for ours, in vain

    @property
    def remaining(self) -> int:
        """Records still to be matched with the source."""
        return sum(count for _, count in self.ranges)

    def match(self, records: Sequence[r.RawRecord]) -> list[Run]:
        """Pair source records, in order, with the next ones there, as many as there are.

        Raises DivergedError when the newest one there is not the record that it is paired with.
        """
        found: list[Run] = []
        used = 0
        while self.ranges and used < len(records):
            target, count = self.ranges[0]
            take = min(count, len(records) - used)
            for offset, number in pieces_of(records[used : used + take]):
                found.append((offset, target, number))
                target += number
            used += take
            if take == count:
                self.ranges.pop(0)
            else:
                self.ranges[0] = [target, count - take]
        if used and not self.ranges:
            self._compare(records[used - 1])
        return found

    def _compare(self, source: r.RawRecord) -> None:
        mirrored = self.last
        if mirrored is None:
            return
        same_time = mirrored.timestamp == source.timestamp or not self.compare_timestamps
        if mirrored.body != source.body or not same_time:
            raise DivergedError(
                f"the target's last record, at offset {mirrored.offset}, differs from the source's "
                f"at offset {source.offset}, which should be the same one"
            )


def pieces_of(records: Sequence[r.RawRecord]) -> list[list[int]]:
    """Return [first source offset, records] of each run of neighbouring offsets."""
    pieces: list[list[int]] = []
    for record in records:
        if pieces and pieces[-1][0] + pieces[-1][1] == record.offset:
            pieces[-1][1] += 1
        else:
            pieces.append([record.offset, 1])
    return pieces
