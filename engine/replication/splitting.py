"""Cutting a refused batch in two, again and again, until the record to blame stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.kafka import batch as b
from engine.kafka import records as r
from engine.replication.pump import Append
from engine.replication.troubles import Refused


@dataclass(frozen=True, slots=True)
class Half:
    """Some records of a batch, to be sent as a batch of their own."""

    records: list[r.RawRecord]
    offsets: Sequence[int]  # each one's on the source
    next_source: int
    codec: int

    def append(self, producer: tuple[int, int], sequence: int) -> Append:
        """Encode it."""
        pieces: list[list[int]] = []
        for offset in self.offsets:
            if pieces and sum(pieces[-1]) == offset:
                pieces[-1][1] += 1
            else:
                pieces.append([offset, 1])
        return Append(
            r.encode(self.records, self.codec, (*producer, sequence)),
            len(self.records),
            sequence,
            pieces,
            self.next_source,
            max(record.timestamp for record in self.records),
        )


@dataclass(frozen=True, slots=True)
class Split:
    """A batch in two halves; `next_source` is where the log goes on behind them."""

    position: int  # where the partition stands before them
    halves: tuple[Half, Half]
    next_source: int

    def appends(self, producer: tuple[int, int], sequence: int) -> tuple[list[Append], int]:
        """Return the halves, numbered from `sequence` on, and the sequence after them."""
        out = []
        for half in self.halves:
            out.append(half.append(producer, sequence))
            sequence = b.add_sequence(sequence, len(half.records))
        return out, sequence


def split(refused: Refused, position: int) -> Split:
    """Cut a refused batch of two records or more in two; raises ValueError when it cannot be read.

    `position` is the partition's, acknowledged up to this batch.
    """
    view = memoryview(refused.batch)
    codec = r.read_header(view).codec
    records = r.decode(view)
    middle = len(records) // 2
    offsets = refused.offsets
    return Split(
        position,
        (
            Half(records[:middle], offsets[:middle], offsets[middle], codec),
            Half(records[middle:], offsets[middle:], refused.next_offset, codec),
        ),
        refused.next_offset,
    )


def only_record(refused: Refused) -> r.RawRecord:
    """Return the record of a refused batch of one."""
    return r.decode(memoryview(refused.batch))[0]
