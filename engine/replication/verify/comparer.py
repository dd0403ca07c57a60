"""Comparing a range of a partition with its mirror, through the offset map.

Batches that were stamped in place differ in their header alone, so that one comparison of bytes
does for all their records; only where batch boundaries differ are records taken apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from engine.kafka import batch as b
from engine.kafka import records as r
from engine.replication.both_ways.marks import is_a_flows
from engine.replication.offset_map import Run
from engine.replication.verify import findings as f
from engine.replication.verify.runs import RunWalk
from engine.replication.verify.side import Side

YIELD_RECORDS = 256  # compared one by one; about 1 ms
MOST_PENDING = 100_000  # keys that wait to be seen again
SHOWN_BYTES = 120


@dataclass(frozen=True, slots=True)
class Rules:
    """What is known of the two partitions."""

    source_start: int = 0
    target_start: int = 0
    source_compacts: bool = False
    target_compacts: bool = False
    mirrored_to: int = 0  # target offset; behind it, what our producer wrote is newer than the map
    producer_id: int = b.NO_PRODUCER_ID
    local_only: bool = False  # what other flows mirrored into the source is not for the target
    skipped: Sequence[tuple[int, int]] = ()  # source ranges that policies left out
    skipped_known: bool = True  # whether those are all
    prove_compaction: bool = True  # the range reaches to the end, so superseding records are in it
    show: bool = False


class Comparer:
    """Compares two sides once; what it finds is added to a tally.

    Raises CorruptBatchError, and what reading raises.
    """

    def __init__(self, runs: Sequence[Run], rules: Rules, tally: f.Tally) -> None:
        self._runs = RunWalk(runs)
        self._rules = rules
        self._tally = tally
        self._pending: dict[bytes, tuple[int, int]] = {}  # key → (source, target) of one lacking

    async def run(self, source: Side, target: Side, *, max_bytes: int | None = None) -> None:
        """Compare to the end, or as far as a source side came that ends after `max_bytes`."""
        steps = 0
        while True:
            has_source, has_target = await source.ready(), await target.ready()
            cut = max_bytes is not None and source.bytes_read >= max_bytes
            if not has_source and (not has_target or cut):
                break
            if (has_source and has_target and self._same_batch(source, target)) or (
                (has_source and self._leave_out(source)) or (has_target and self._pass(target))
            ):
                await asyncio.sleep(0)
                continue
            self._step(source if has_source else None, target if has_target else None)
            steps += 1
            if steps % YIELD_RECORDS == 0:
                await asyncio.sleep(0)
        self._tally.bytes_read += source.bytes_read + target.bytes_read
        self._settle(proven=self._rules.prove_compaction and not cut)

    def _same_batch(self, source: Side, target: Side) -> bool:
        """Whether both stand before batches that are the same as a whole; passes over them."""
        ours, theirs = source.whole, target.whole
        if ours is None or theirs is None or self._pending:
            return False
        place = self._runs.to_target(ours[0].base_offset)
        count = ours[0].record_count
        if place is None or place[0] != theirs[0].base_offset or place[1] < count:
            return False
        if not _same_bytes(*ours, *theirs):
            return False
        self._tally.equal += count
        source.take_batch()
        target.take_batch()
        return True

    def _leave_out(self, source: Side) -> bool:
        """Whether the source stands before a batch that another flow brought; passes over it."""
        if not self._rules.local_only or source.whole is None or not _is_a_flows(source.header):
            return False
        if self._runs.to_target(source.header.base_offset) is not None:
            return False  # mirrored when the flow took anybody's
        self._tally.left_out += source.header.record_count
        source.take_batch()
        return True

    def _pass(self, target: Side) -> bool:
        """Whether the target stands before a batch that somebody else wrote; passes over it."""
        if self._pending or target.whole is None:
            return False
        header = target.header
        if header.producer_id == self._rules.producer_id:
            return False
        if self._runs.to_source(header.base_offset) is not None:
            return False  # of an earlier life of the flow
        self._tally.only_target += header.record_count
        target.take_batch()
        return True

    def _step(self, source: Side | None, target: Side | None) -> None:
        """Deal with the next record of one side, or of both when they belong together."""
        place = self._runs.to_target(source.offset) if source else None
        origin = self._runs.to_source(target.offset) if target else None
        if source and place is None:
            self._not_mirrored(source)
            source.take()
        elif target and origin is None:
            self._strange(target)
            target.take()
        elif source and target and place and place[0] == target.offset:
            self._compare(source.peek(), target)
            source.take()
            target.take()
        elif target and origin is not None and (place is None or target.offset < place[0]):
            self._source_lacks(origin, target.peek())
            target.take()
        elif source and place:
            self._target_lacks(source.peek(), place[0])
            source.take()

    def _compare(self, ours: r.RawRecord, target: Side) -> None:
        theirs = target.peek()
        self._supersedes(theirs)
        timed = not target.header.attributes & b.TIMESTAMP_LOG_APPEND
        differs = difference(ours, theirs, timestamps=timed)
        if not differs:
            self._tally.equal += 1
            return
        self._tally.mismatched += 1
        self._name(ours.offset, theirs.offset, differs, ours, theirs)

    def _not_mirrored(self, source: Side) -> None:
        rules, ours = self._rules, source.peek()
        known = (rules.local_only and _is_a_flows(source.header)) or any(
            first <= ours.offset < end for first, end in rules.skipped
        )
        if known or not rules.skipped_known:
            self._tally.left_out += 1
            return
        self._tally.only_source += 1
        self._name(ours.offset, None, (f.NOT_MIRRORED,), ours, None)

    def _strange(self, target: Side) -> None:
        rules = self._rules
        self._supersedes(target.peek())
        newer = target.offset >= rules.mirrored_to
        if not (newer and target.header.producer_id == rules.producer_id):
            self._tally.only_target += 1

    def _source_lacks(self, offset: int, theirs: r.RawRecord) -> None:
        if self._rules.source_compacts or offset < self._rules.source_start:
            self._tally.gone_source += 1
            self._supersedes(theirs)
            return
        self._tally.missing_on_source += 1
        self._name(offset, theirs.offset, (f.MISSING_ON_SOURCE,), None, theirs)

    def _target_lacks(self, ours: r.RawRecord, place: int) -> None:
        rules = self._rules
        if place < rules.target_start:
            self._tally.gone_target += 1
            return
        key, value = r.key_and_value(ours)
        if not rules.target_compacts or key is None:
            self._lost(ours.offset, place, ours)
        elif value is None or len(self._pending) >= MOST_PENDING:
            self._tally.compacted += 1  # a tombstone goes by itself
        else:
            # An earlier one of this key is superseded by this one, whether this one stays or not.
            if key in self._pending:
                self._tally.compacted += 1
            self._pending[key] = ours.offset, place

    def _supersedes(self, theirs: r.RawRecord) -> None:
        """A record on the target is a good reason for earlier ones of its key to be gone."""
        if not self._pending:
            return
        lacking = self._pending.pop(r.key_and_value(theirs)[0] or b"", None)
        if lacking is not None:
            self._tally.compacted += 1

    def _lost(self, offset: int, place: int, ours: r.RawRecord | None) -> None:
        self._tally.only_source += 1
        self._name(offset, place, (f.MISSING_ON_TARGET,), ours, None)

    def _settle(self, *, proven: bool) -> None:
        """What was never superseded was not compacted away: it is lost, if all was looked at."""
        if not proven:
            self._tally.compacted += len(self._pending)
            self._pending.clear()
        for offset, place in self._pending.values():
            self._lost(offset, place, None)
        self._pending.clear()

    def _name(
        self,
        offset: int,
        place: int | None,
        differs: tuple[str, ...],
        ours: r.RawRecord | None,
        theirs: r.RawRecord | None,
    ) -> None:
        shown = [_shown(each) if each and self._rules.show else None for each in (ours, theirs)]
        self._tally.name(f.Mismatch(offset, place, differs, *shown))


def difference(
    ours: r.RawRecord, theirs: r.RawRecord, *, timestamps: bool = True
) -> tuple[str, ...]:
    """Name the parts in which two records differ; none is the same record."""
    found = []
    if ours.body != theirs.body:
        parts = zip(("key", "value", "headers"), r.contents(ours), r.contents(theirs), strict=True)
        found = [name for name, one, other in parts if one != other]
    if timestamps and ours.timestamp != theirs.timestamp:
        found.append("timestamp")
    if ours.attributes != theirs.attributes:
        found.append("attributes")
    return tuple(found)


def _same_bytes(
    ours: r.Batch, our_view: memoryview, theirs: r.Batch, their_view: memoryview
) -> bool:
    """Whether two dense batches are the same but for what stamping changes."""
    if (ours.codec, ours.record_count, ours.size) != (
        theirs.codec,
        theirs.record_count,
        theirs.size,
    ) or ours.attributes & b.TIMESTAMP_LOG_APPEND:
        return False
    timed = not theirs.attributes & b.TIMESTAMP_LOG_APPEND
    if timed and ours.base_timestamp != theirs.base_timestamp:
        return False
    # As bytes: comparing memoryviews goes byte by byte.
    return bytes(our_view[b.HEADER_SIZE :]) == bytes(their_view[b.HEADER_SIZE :])


def _is_a_flows(header: r.Batch) -> bool:
    return is_a_flows(header.attributes, header.producer_id, header.producer_epoch)


def _shown(record: r.RawRecord) -> str:
    key, value, headers = r.contents(record)
    return f"key {_cut(key)} value {_cut(value)} headers {_cut(repr(headers).encode())}"


def _cut(part: bytes | None) -> str:
    if part is None:
        return "null"
    more = f"… ({len(part)} bytes)" if len(part) > SHOWN_BYTES else ""
    return repr(part[:SHOWN_BYTES])[1:] + more
