"""Where partitions and their mirrors part: copies of what the flow knew, brought up to there.

The checkpoint is brought up to date as the flow's own resume does it (`resync`): the broker says
how many records went in behind it, and they are paired with the source's, in order. Then three
things tell whether the source still has what arrived: where its log ends, where the leader epoch
that was read last ends, and the content of the newest records on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import CcrError, RefusedError
from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.fetch import Position, TopicPartition
from engine.kafka.metadata import NO_TOPIC_ID
from engine.replication.already_there import AlreadyThere
from engine.replication.partition import MirrorPartition, Progress
from engine.replication.positions import load_checkpoint
from engine.replication.resync import Lost, NotYet, Resync, Torn
from engine.replication.state_records import FlowRecord
from engine.replication.verify.reading import Reader
from engine.runbook.divergence.content import first_difference
from engine.runbook.divergence.logs import Log, Logs, diverging
from engine.runbook.divergence.model import Sides, Standing
from engine.runbook.divergence.records import flows_batches
from engine.runbook.divergence.unheard import Unheard

LOST_TRIES = 5  # brokers of the target may lose what they had while they are looked at


@dataclass(slots=True, eq=False)
class Brought:
    """A partition as the flow would go on with it: `acked.source` is the first that is missing."""

    partition: MirrorPartition
    listener: Unheard
    standing: Standing = Standing.ARRIVED
    mirrored_to: int = 0  # target offset behind the last record that came from the source
    lost_from: int | None = None  # target offset, see PartitionDivergence
    gone: int = 0
    reason: str = ""
    retriable: bool = False

    @property
    def told(self) -> bool:
        """Whether something can be said of it."""
        return self.standing is not Standing.UNTOLD

    def untold(self, reason: str, *, retriable: bool = False) -> None:
        """Nothing can be said of it."""
        self.standing, self.reason, self.retriable = Standing.UNTOLD, reason, retriable


class Boundaries:
    """Brings partitions there. Reads both clusters, writes nothing."""

    def __init__(self, sides: Sides, record: FlowRecord, logs: Logs) -> None:
        """Raises RefusedError for a flow that never ran."""
        if record.identity is None:
            raise RefusedError(
                "comparing both clusters of flow", sides.flow, "it has never run: it has no state"
            )
        self._sides = sides
        self._record = record
        self._logs = logs
        self._producer_id = record.identity.producer_id
        self.readers = Reader(sides.source), Reader(sides.target)
        self.committed = sides.config.isolation == "read_committed"
        self.leaves_out = flows_batches(sides)

    def close(self) -> None:
        """Let go of the connections."""
        for reader in self.readers:
            reader.close()

    def source_end(self, key: TopicPartition) -> int:
        """Return where what the flow would mirror ends."""
        log = self._logs.sources[key]
        return (log.stable if self.committed else log.high) or 0

    async def bring(self, keys: Iterable[TopicPartition]) -> list[Brought]:
        """Bring them; raises ConnectError and KafkaError when nothing can be said of any."""
        found = [self._begin(key) for key in keys]
        there = await self._resync([each for each in found if self._can_look(each)])
        ends = await self._epoch_ends(there)
        for each, already in there.items():
            try:
                if each.standing is Standing.REBUILT:
                    self._start_anew(each, already)
                else:
                    await self._part(each, already, ends.get(each.partition.key))
            except (CcrError, b.CorruptBatchError) as error:
                each.untold(str(error), retriable=getattr(error, "retriable", False))
        return found

    # what was known

    def _begin(self, key: TopicPartition) -> Brought:
        listener = Unheard()
        partition = MirrorPartition(key, self._logs.names[key[0]], listener)
        known = load_checkpoint(partition, self._record)
        each = Brought(partition, listener)
        source, target = self._logs.sources[key], self._logs.targets[key]
        if known and not target.there:
            each.untold(f"the new primary has no {partition.target_topic}/{key[1]} any more")
        elif known and self._replaced(partition, "target"):
            each.untold(
                f"{partition.target_topic} was deleted and created anew on the new primary: what "
                "of the old one's it held cannot be told"
            )
        elif (target.there and not target.answers) or (source.there and not source.answers):
            each.untold("its leader does not answer", retriable=True)
        elif known and (not source.there or self._replaced(partition, "source")):
            each.standing = Standing.REBUILT
        elif not known and key not in self._logs.begins:
            each.untold("its leader does not answer", retriable=True)
        elif self.committed and source.stable != source.high:
            each.untold(_open_transaction(source), retriable=True)
        if each.told and not known:
            partition.acked = Progress(self._logs.begins[key], target.high or 0, 0)
            partition.history.source_id = self._logs.source.topic_id(partition.topic)
            partition.history.target_id = self._logs.target.topic_id(partition.target_topic)
            partition.positioned = True
        return each

    def _replaced(self, partition: MirrorPartition, side: str) -> bool:
        history = partition.history
        if side == "source":
            known, now = history.source_id, self._logs.source.topic_id(partition.topic)
        else:
            known, now = history.target_id, self._logs.target.topic_id(partition.target_topic)
        return NO_TOPIC_ID not in (known, now) and known != now

    def _can_look(self, each: Brought) -> bool:
        key = each.partition.key
        return each.told and key in self._record.checkpoints

    # what the target holds

    async def _resync(self, waiting: Iterable[Brought]) -> dict[Brought, AlreadyThere]:
        todo = {each.partition: each for each in waiting}
        found: dict[Brought, AlreadyThere] = {}
        for _ in range(LOST_TRIES):
            if not todo:
                break
            resync = Resync(self._sides.target, self._logs.target, self._producer_id)
            for partition, outcome in (await resync.run(list(todo))).items():
                match outcome:
                    case AlreadyThere():
                        found[todo.pop(partition)] = outcome
                    case NotYet(why=why):
                        todo.pop(partition).untold(why, retriable=True)
                    case Torn(why=why):
                        todo.pop(partition).untold(why)
                    case Lost() if not _rewind(partition, outcome):
                        todo.pop(partition).untold(
                            "the new primary lost records that it had acknowledged, and the offset "
                            "map does not reach back to them"
                        )
        for each in todo.values():
            each.untold("the new primary goes on losing records", retriable=True)
        return found

    def _start_anew(self, each: Brought, there: AlreadyThere) -> None:
        """Of what was mirrored the source has nothing: it begins again, where its log does."""
        partition = each.partition
        _pass(partition, there.ranges)
        each.mirrored_to = partition.acked.target
        source = self._logs.sources[partition.key]
        partition.restart(source.low or 0, partition.acked.target)
        partition.history.source_id = self._logs.source.topic_id(partition.topic)
        each.reason = (
            "the topic was deleted and created anew on the old primary"
            if source.there
            else "the old primary has no such topic any more"
        )

    # what the source still has

    async def _epoch_ends(self, known: Iterable[Brought]) -> dict[TopicPartition, int]:
        positions = {
            each.partition.key: Position(each.partition.acked.source, each.partition.source_epoch)
            for each in known
            if each.standing is Standing.ARRIVED
        }
        return await diverging(self._sides.source, self._logs.source, positions)

    async def _part(self, each: Brought, there: AlreadyThere, epoch_end: int | None) -> None:
        partition = each.partition
        source = self._logs.sources[partition.key]
        position, low, high = partition.acked.source, source.low or 0, source.high or 0
        missing = [end for end in (high, epoch_end) if end is not None and end < position]
        fork = min(missing, default=None)
        leftover = there.ranges
        if fork is None and low > position:
            each.gone = max(0, low - position - there.remaining)
            partition.acked.source = low
            partition.history.source_epoch = -1
            _pass(partition, leftover)
            leftover = []
        else:
            until = self.source_end(partition.key) if fork is None else fork
            leftover = await self._match(partition, there, until)
            if leftover and fork is None:
                fork = partition.acked.source
        each.mirrored_to = max([partition.acked.target, *(at + count for at, count in leftover)])
        if fork is not None:
            _cut(each, fork, leftover)
        # Below the end, and without an epoch that was read, only content tells.
        differs = await first_difference(
            self._sides,
            partition,
            (source, self._logs.targets[partition.key]),
            self.readers,
            self._producer_id,
        )
        if differs is not None:
            _cut(each, differs, [])

    async def _match(
        self, partition: MirrorPartition, there: AlreadyThere, until: int
    ) -> list[list[int]]:
        """Pair what the target holds behind the checkpoint; return the ranges that are left."""
        left = AlreadyThere([list(each) for each in there.ranges])
        if not left.ranges:
            return []
        start = partition.acked.source
        async for header, view in self.readers[0].batches(
            partition.key, start, until, committed=self.committed
        ):
            if self.leaves_out(header):
                continue
            rows = [row for row in r.decode(view) if start <= row.offset < until]
            for source, target, count in left.match(rows):
                partition.offset_map.append(source, target, count)
                acked = partition.acked
                acked.source, acked.target = source + count, target + count
                acked.sequence = b.add_sequence(acked.sequence, count)
            if not left.ranges:
                break
        return left.ranges


def _open_transaction(log: Log) -> str:
    return (
        f"a transaction is open on the old primary from offset {log.stable} on: its coordinator "
        "ends it after the producer's transaction.timeout.ms"
    )


def _rewind(partition: MirrorPartition, lost: Lost) -> bool:
    """Go back to what the target still has; returns whether that is known."""
    if lost.records is not None:
        cut = partition.offset_map.cut_last(lost.records)
    else:
        cut = partition.offset_map.cut_target(lost.from_offset or 0)
    if cut is None:
        return False
    partition.rewind(*cut)
    return True


def _pass(partition: MirrorPartition, ranges: Iterable[Iterable[int]]) -> None:
    """Count records on the target as ours, though no source record is known for them."""
    for target, count in ranges:
        partition.acked.target = target + count
        partition.acked.sequence = b.add_sequence(partition.acked.sequence, count)


def _cut(each: Brought, fork: int, leftover: list[list[int]]) -> None:
    """The source has another history from `fork` on."""
    partition = each.partition
    lost_from = partition.offset_map.to_target(fork)
    if lost_from is None and leftover:
        lost_from = leftover[0][0]
    partition.offset_map.cut_source(fork)
    partition.acked.source = min(fork, partition.acked.source)
    partition.history.source_epoch = -1
    _pass(partition, leftover)
    if lost_from is not None:
        each.standing, each.lost_from = Standing.FORKED, lost_from
        each.reason = (
            f"the old primary lost records that had arrived, from source offset {fork} on: an "
            "unclean leader election, or a cut log"
        )
