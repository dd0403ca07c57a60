"""A source partition's log as brokers make them, and what a mirror of it must hold.

Batches of plain and transactional producers, interleaved; commit and abort markers; compaction that
leaves holes, shortened batches, empty ones, or nothing; LogAppendTime; delete horizons. Built by
aiokafka (see source_log), the expected records are read from it by aiokafka.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from hypothesis import strategies as st

from engine.kafka.fetch import Aborted, PartitionData
from tests.unit import source_log as log
from tests.unit.source_log import Rec


class Left(Enum):
    """What compaction left of a batch."""

    ALL = "all"
    SOME = "some"
    EMPTY = "empty"
    NOTHING = "nothing"


class Step(NamedTuple):
    """One thing that happened to the log: data, or a transaction's end when `ends` is set."""

    producer: int  # 0: none; others are transactional
    ends: int | None  # log.COMMIT or log.ABORT
    count: int
    size: int
    codec: int
    attributes: int
    left: Left
    kept: int  # bits: which records compaction kept


@dataclass
class _Batch:
    base: int
    next_offset: int
    data: bytes
    producer: int
    transaction: int | None
    control: bool


@dataclass
class SourceLog:
    """The log, and the transactions in it."""

    batches: list[_Batch] = field(default_factory=list)
    fates: list[int | None] = field(default_factory=list)  # of each transaction; None: still open
    aborted: list[tuple[int, int, int]] = field(default_factory=list)  # producer, first, marker
    end: int = 0

    def stable_end(self) -> int:
        """Return the last stable offset: where the oldest open transaction begins."""
        firsts = [
            batch.base
            for batch in self.batches
            if batch.transaction is not None and self.fates[batch.transaction] is None
        ]
        return min(firsts, default=self.end)

    def visible(self, *, committed: bool) -> list[_Batch]:
        """Return the batches that a broker hands out."""
        end = self.stable_end() if committed else self.end
        return [batch for batch in self.batches if batch.base < end]

    def expected(self, start: int, *, committed: bool) -> list[Rec]:
        """Return the records that a consumer who starts at `start` sees."""
        found: list[Rec] = []
        for batch in self.visible(committed=committed):
            aborted = batch.transaction is not None and self.fates[batch.transaction] == log.ABORT
            if not batch.control and not (aborted and committed):
                found += [record for record in log.read(batch.data) if record.offset >= start]
        return found

    def fetch(
        self, position: int, batches: int, cut: int, *, committed: bool, far: bool
    ) -> tuple[memoryview, PartitionData]:
        """Answer a fetch: so many batches, then `cut` bytes of the next one.

        The aborted list is the broker's: ordered by where transactions end, and (`far`) it may
        reach beyond the records that are sent.
        """
        visible = self.visible(committed=committed)
        rest = [batch for batch in visible if batch.next_offset > position]
        sent, after = rest[:batches], rest[batches:]
        upper = self.stable_end() if far or not sent else sent[-1].next_offset
        aborted = tuple(
            Aborted(first, producer)
            for producer, first, marker in self.aborted
            if marker >= position and first < upper
        )
        tail = [after[0].data[: min(cut, len(after[0].data) - 1)]] if sent and after else []
        records = [batch.data for batch in sent] + tail
        view = log.joined([b"frame", *records, b"next partition"])
        data = PartitionData(
            "topic",
            0,
            0,
            self.end,
            self.stable_end(),
            0,
            aborted if committed else (),
            5,
            5 + sum(map(len, records)),
        )
        return view, data


def build(steps: Sequence[Step]) -> SourceLog:
    """Let the steps happen one after the other."""
    source = SourceLog()
    running: dict[int, int] = {}  # producer → its open transaction
    for number, step in enumerate(steps):
        if step.ends is None:
            _append(source, running, number, step)
        elif step.producer in running:
            _end(source, running.pop(step.producer), step)
    if steps[-1].kept % 4:  # mostly nothing stays open: it would hide all that came after it
        for producer, transaction in running.items():
            ends = [log.COMMIT, log.ABORT][steps[-1].kept >> producer & 1]
            _end(source, transaction, Step(producer, ends, 1, 1, 0, 0, Left.ALL, 0))
    return source


def _append(source: SourceLog, running: dict[int, int], number: int, step: Step) -> None:
    base, source.end = source.end, source.end + step.count
    transaction = None
    if step.producer:
        if step.producer not in running:
            running[step.producer] = len(source.fates)
            source.fates.append(None)
        transaction = running[step.producer]
    data = _written(base, number, step, transactional=step.producer != 0)
    if data is not None:
        source.batches.append(
            _Batch(base, source.end, data, step.producer, transaction, control=False)
        )


def _written(base: int, number: int, step: Step, *, transactional: bool) -> bytes | None:
    producer = (step.producer or -1, 0, number)
    records = [
        Rec(
            base + index,
            1_000_000 + 1_000 * number + index * 37 % 11 - 5,
            f"key {index % 3}".encode() if index % 4 else None,
            f"{number}/{index} ".encode() * step.size if index % 5 != 3 else None,
            (("number", f"{number}".encode()), ("none", None))[: index % 3],
        )
        for index in range(step.count)
    ]
    if step.left in (Left.SOME, Left.EMPTY):
        kept = [record for record in records if step.kept >> record.offset - base & 1]
        if step.left is Left.EMPTY or not kept:
            return log.empty_batch(base, base + step.count, producer)
        records = kept
    if step.left is Left.NOTHING:
        return None
    attributes = step.attributes | (log.TRANSACTIONAL if transactional else 0)
    batch = log.batch_of(
        records,
        codec=step.codec,
        base=base,
        next_offset=base + step.count,
        producer=producer,
        attributes=attributes,
    )
    if step.attributes & log.DELETE_HORIZON:
        batch = log.with_header(batch, first_timestamp=9_000_000)
    return batch


def _end(source: SourceLog, transaction: int, step: Step) -> None:
    assert step.ends is not None
    offset, source.end = source.end, source.end + 1
    source.fates[transaction] = step.ends
    mine = [batch for batch in source.batches if batch.transaction == transaction]
    # Compaction removes a marker only after all data of its transaction.
    if step.left is Left.NOTHING and not mine:
        return
    if step.ends == log.ABORT and mine:
        source.aborted.append((step.producer, mine[0].base, offset))
    data = log.marker(offset, step.producer, step.ends)
    source.batches.append(_Batch(offset, offset + 1, data, step.producer, None, control=True))


_rare_attributes = st.sampled_from([0] * 8 + [log.LOG_APPEND_TIME, log.DELETE_HORIZON])
_left = st.sampled_from([Left.ALL] * 10 + [Left.SOME] * 3 + [Left.EMPTY, Left.NOTHING])


def steps(producers: int = 2, ends: bool = True) -> st.SearchStrategy[list[Step]]:
    """Generate what happened."""
    kinds = [None, None, log.COMMIT, log.ABORT] if ends else [None]
    step = st.builds(
        Step,
        st.integers(0, producers),
        st.sampled_from(kinds),
        st.sampled_from([1, 1, 1, 2, 3, 10, 16, 17, 40]),
        st.sampled_from([1, 1, 1, 20, 900]),
        st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4]),
        _rare_attributes,
        _left,
        st.integers(0, 2**40 - 1),
    )
    # Long ones mostly: interleavings are what matters. Short ones, for what is left at the edges.
    return st.one_of(
        st.lists(step, min_size=12, max_size=40),
        st.lists(step, min_size=20, max_size=40),
        st.lists(step, min_size=1, max_size=6),
    )
