"""Aligning new partitions in the background: topic by topic, a few partitions at once."""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.api.snapshots import Severity
from engine.errors import CcrError, KafkaError
from engine.kafka.connection import ConnectionLostError
from engine.kafka.transactions import Transaction
from engine.replication.identical.alignment import Aligned, Alignment, NotFresh
from engine.replication.identical.beginnings import Beginnings, Decision
from engine.replication.identical.cost import AT_ONCE, total_cost
from engine.replication.identical.entries import Value, holds
from engine.replication.identical.fillers import Fillers
from engine.replication.identical.guard import StartGuard
from engine.replication.identical.target_log import TargetLog
from engine.replication.identical.topic_hold import TopicHold, put_back
from engine.replication.identical.wording import (
    ALIGNING,
    TOGETHER,
    WAITING,
    announcement,
    progress,
    result,
)
from engine.replication.partition import MirrorPartition
from engine.replication.positions import Beginning
from engine.replication.state_log import SupersededError
from engine.replication.sync.syncer import SyncContext

log = logging.getLogger(__name__)

LEAST_PAUSE_S, MOST_PAUSE_S = 1.0, 30.0
LEADERS_WITHIN_S = 10.0  # of a new topic


def transactional_id(flow: str, which: int | str) -> str:
    """Name one of the transactional ids of a flow; it fills with 0 to AT_ONCE - 1."""
    return f"ccr.{flow}.align.{which}"


@dataclass(slots=True)
class _Job:
    """The partitions of one mirror topic that are aligned together."""

    topic: str
    alone: bool  # no other partition of the topic is being mirrored
    alignments: dict[MirrorPartition, Alignment] = field(default_factory=dict)
    done: list[Aligned] = field(default_factory=list)


class Aligner:
    """One flow's. What is being aligned has no position until it is."""

    def __init__(self, context: SyncContext, look_again: Callable[[], None]) -> None:
        """`look_again` is called when partitions may be able to begin."""
        self.beginnings = Beginnings(context.record, context.remember)
        self.suspended = False
        self._context = context
        self._look_again = look_again
        self._left: dict[str, Value] = holds(context.record)
        self._pauses: dict[MirrorPartition, tuple[float, float]] = {}  # seconds, monotonic end
        self._unknown_since: dict[str, float] = {}  # by mirror topic, monotonic
        self._jobs: asyncio.Queue[tuple[str, list[MirrorPartition]]] = asyncio.Queue()
        self._alignments: dict[MirrorPartition, Alignment] = {}  # not at their goals yet
        self._fillers = Fillers()
        self._transactions = [
            Transaction(context.target, transactional_id(context.flow, number))
            for number in range(AT_ONCE)
        ]
        self._free = [asyncio.Lock() for _ in self._transactions]

    def decide(self, found: Mapping[MirrorPartition, Beginning]) -> Decision:
        """Decide about new partitions, which have no position yet.

        Of a fresh topic all begin together: as long as none is used, READ can be withheld. And
        there is one job a topic, which what is otherwise on the topic meanwhile belongs to.
        """
        begin, align = self.beginnings.decide(found)
        unready = self._unready(found)
        busy = unready | {partition.target_topic for partition in align}
        early = {p for p in begin if p.target_topic in busy and self._is_alone(p.target_topic)}
        early |= {p for p in align if p.target_topic in unready}
        for partition in early:
            partition.wait(TOGETHER)
        return Decision(
            {p: began for p, began in begin.items() if p not in early},
            {p: start for p, start in align.items() if p not in early},
        )

    def _unready(self, found: Mapping[MirrorPartition, Beginning]) -> set[str]:
        """Mirror topics of which partitions are being aligned, or are not known yet.

        Those of a topic that was just made get their leaders one after the other; one that stays
        without does not keep the others waiting.
        """
        now = time.monotonic()
        unready = set()
        for partition in self._context.board.partitions.values():
            if partition.aligning:
                unready.add(partition.target_topic)
            elif not partition.positioned and partition not in found:
                since = self._unknown_since.setdefault(partition.target_topic, now)
                if now - since < LEADERS_WITHIN_S:
                    unready.add(partition.target_topic)
        return unready

    async def submit(self, starts: Mapping[MirrorPartition, int]) -> None:
        """Align partitions in the background, those that are due; the others wait.

        Raises ConnectError, KafkaError and SupersededError: then none is.
        """
        if self.suspended:
            return
        now = time.monotonic()
        due = {p: start for p, start in starts.items() if self._pauses.get(p, (0, 0))[1] <= now}
        await self.beginnings.aim(due)
        topics: dict[str, list[MirrorPartition]] = {}
        for partition in due:
            partition.aligning = True
            partition.wait(WAITING)
            topics.setdefault(partition.target_topic, []).append(partition)
        for job in topics.items():
            self._jobs.put_nowait(job)

    async def run(self) -> None:
        """Align what is submitted, until cancelled or superseded."""
        await put_back(self._context, self._left)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(StartGuard(self._context).run())
            for _ in range(AT_ONCE):
                tasks.create_task(self._work())

    async def settle(self) -> None:
        """Begin nothing more; wait until what is under way has reached a good place to stop."""
        self.suspended = True
        await self._jobs.join()

    async def _work(self) -> None:
        while True:
            topic, partitions = await self._jobs.get()
            try:
                if not self.suspended:
                    await self._align(topic, partitions)
            finally:
                for partition in partitions:
                    partition.aligning, partition.aligned_so_far = False, ""
                self._jobs.task_done()
            self._look_again()

    # a topic

    async def _align(self, topic: str, partitions: list[MirrorPartition]) -> None:
        context = self._context
        job = _Job(topic, self._is_alone(topic))
        hold = TopicHold(context.target, topic, context.remember)
        began_at = time.monotonic()
        if await self._tried(partitions, hold.widen()):
            await _each(partitions, lambda partition: self._recover(job, partition))
        filling = list(job.alignments)
        if filling and await self._tried(filling, self._announce(job, hold)):
            await _each(filling, lambda partition: self._fill(job, partition))
        # Not where this is cancelled or superseded: the next to start puts it back then.
        await put_back(context, {topic: hold.value})
        if job.done:
            self._tell(topic, result(job.done, time.monotonic() - began_at))

    def _is_alone(self, topic: str) -> bool:
        others = self._context.board.partitions.values()
        return not any(other.positioned for other in others if other.target_topic == topic)

    async def _announce(self, job: _Job, hold: TopicHold) -> None:
        read = "READ is not withheld: other partitions of the topic are in use"
        if job.alone:
            read = await hold.withhold()
        cost = total_cost(alignment.left for alignment in job.alignments.values())
        self._tell(job.topic, announcement(cost, len(job.alignments), read))

    # a partition

    async def _recover(self, job: _Job, partition: MirrorPartition) -> None:
        goal = self.beginnings.goal(partition).start
        alignment = self._alignments.setdefault(partition, Alignment(goal))
        alignment.goal = goal

        async def recover() -> None:
            async with self._log(partition) as target_log:
                strange = await alignment.recover(target_log)
            if strange is not None:
                self._give_up(partition, strange)
            else:
                job.alignments[partition] = alignment

        await self._tried([partition], recover())

    async def _fill(self, job: _Job, partition: MirrorPartition) -> None:
        goal = self.beginnings.goal(partition).start

        def tell(reached: int) -> None:
            if self.suspended and reached < goal:
                raise KafkaError("aligning", partition.target_topic, "the flow pauses or ends")
            partition.aligned_so_far = progress(reached, goal)

        async def fill() -> None:
            async with self._log(partition) as target_log:
                outcome = await job.alignments[partition].fill(
                    target_log,
                    lambda: self.beginnings.fills(partition, target_log.producer_id),
                    tell,
                    lambda: self.suspended,
                )
            if isinstance(outcome, NotFresh):
                self._give_up(partition, outcome)
            else:
                job.done.append(outcome)
                self._pauses.pop(partition, None)
                del self._alignments[partition]

        await self._tried([partition], fill())

    @asynccontextmanager
    async def _log(self, partition: MirrorPartition) -> AsyncIterator[TargetLog]:
        """Lend a transactional id, of which each is used by one partition at a time.

        A partition's is the same one every time: only its own can abort what a crash left open.
        """
        topic, number = partition.target_key
        own = (zlib.crc32(topic.encode()) + number) % len(self._transactions)
        goal = self.beginnings.goal(partition)
        async with (
            self._free[own],
            TargetLog(
                self._context.target,
                partition.target_key,
                self._transactions[own],
                self._fillers,
                goal.filled_by,
            ) as target_log,
        ):
            partition.wait(ALIGNING)
            yield target_log

    def _give_up(self, partition: MirrorPartition, strange: NotFresh) -> None:
        self.beginnings.give_up(partition, strange.why)
        text = (
            f"{partition.target_topic}/{partition.partition} cannot be given its source's offsets: "
            f"{strange.why}"
        )
        self._context.events.emit(
            Severity.WARNING,
            f"{self._context.flow}/{partition.topic}/{partition.partition}",
            text,
            "It is mirrored behind that; docs/identical-offsets.md says how to begin anew",
        )

    async def _tried(self, partitions: Iterable[MirrorPartition], act: Awaitable[None]) -> bool:
        """Await what is done for partitions; what goes wrong is their reason to wait a while."""
        try:
            await act
        except SupersededError:
            raise
        except CcrError as error:
            text = f"{error.operation} {error.object}: {error.cause}"
            self._put_off(partitions, text, error.next_step)
        except ConnectionLostError as error:
            self._put_off(partitions, str(error), "")
        except Exception as error:  # a defect of ours: shown, and tried again
            log.exception("aligning failed")
            self._put_off(partitions, f"internal error: {type(error).__name__}: {error}", "")
        else:
            return True
        return False

    def _put_off(self, partitions: Iterable[MirrorPartition], text: str, next_step: str) -> None:
        for partition in partitions:
            before, _ = self._pauses.get(partition, (LEAST_PAUSE_S / 2, 0.0))
            pause = min(before * 2, MOST_PAUSE_S)
            self._pauses[partition] = pause, time.monotonic() + pause
            partition.wait(f"its offsets are not aligned yet: {text}", next_step)

    def _tell(self, topic: str, text: str) -> None:
        self._context.events.emit(Severity.INFO, f"{self._context.flow}/{topic}", text)


async def _each(
    partitions: Iterable[MirrorPartition],
    act: Callable[[MirrorPartition], Coroutine[Any, Any, None]],
) -> None:
    async with asyncio.TaskGroup() as tasks:
        for partition in partitions:
            tasks.create_task(act(partition))
