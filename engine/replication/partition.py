"""One partition of a flow: where it stands, what is queued and in flight, and why it stopped.

What was acknowledged (source, target, sequence) is the truth that checkpoints hold; everything
beyond it can be fetched again. So every failure is handled in one way: drop what is held, go back
to what was acknowledged, look at the target (`resync`), go on.
"""

from __future__ import annotations

import math
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from engine.api.snapshots import PartitionState, Reason, Skips
from engine.kafka import batch as b
from engine.kafka import codes
from engine.kafka.fetch import Diverging, PartitionData, TopicPartition
from engine.replication.already_there import AlreadyThere, DivergedError
from engine.replication.both_ways.marks import Inbound, UnknownOriginError
from engine.replication.both_ways.whole import Whole
from engine.replication.measures import Measures
from engine.replication.offset_map import OffsetMap
from engine.replication.outbox import Failure, Outbox, refusal
from engine.replication.pump import Append, Pump
from engine.replication.splitting import Split
from engine.replication.troubles import (
    POISON,
    Began,
    History,
    OutOfRange,
    Trouble,
    Truncated,
    UnknownOrigin,
    remedy,
)
from engine.replication.unreadable import find_unreadable

# Brokers forget a producer that was idle for producer.id.expiration.ms, a day unless set otherwise.
TRUST_S = 300.0
LEAST_RETRY_PAUSE_S, MOST_RETRY_PAUSE_S = 0.02, 2.0


@dataclass(slots=True)
class Progress:
    """What the target acknowledged: next source offset, next target offset, next sequence."""

    source: int
    target: int
    sequence: int
    newest_ms: int = 0  # timestamp of the newest mirrored record


class Listener(Protocol):
    """What a partition tells its flow."""

    def changed(self, partition: MirrorPartition) -> None:
        """Progress or state changed: to be checkpointed and shown."""

    def has_work(self, partition: MirrorPartition) -> None:
        """An append was queued."""

    def holds(self, partition: MirrorPartition, delta: int) -> None:
        """The bytes it holds changed."""

    def released(self, partition: MirrorPartition) -> None:
        """An append was acknowledged."""

    def needs_resync(self, partition: MirrorPartition, sequence_refused: bool) -> None:
        """Nothing is in flight any more after a failure: look at the target, then go on."""

    def troubled(self, partition: MirrorPartition, trouble: Trouble) -> None:
        """It cannot go on by itself: a policy decides. Nothing is queued or in flight any more."""

    def stranger_wrote(self, partition: MirrorPartition, expected: int, actual: int) -> None:
        """The target partition has records between ours that we did not write."""


class MirrorPartition:
    """A source partition and its mirror."""

    def __init__(self, key: TopicPartition, target_topic: str, listener: Listener) -> None:
        self.key = key
        self.topic, self.partition = key
        self.target_topic = target_topic
        self._listener = listener
        self.state = PartitionState.STARTING
        self.reason: Reason | None = None
        self.acked = Progress(0, 0, 0)
        self.offset_map = OffsetMap()
        self.restarts = 0  # how often the map began anew: its chunks are no longer those before
        self.positioned = False  # acked holds a checkpoint's or a start policy's position
        self.history = History()
        self.split: Split | None = None  # a refused batch, to be sent in halves
        self.accepts = False  # an operator accepts, once, what a policy would stop for
        self.aligning = False  # its mirror is being made to begin at the source's own offset
        self.aligned_so_far = ""  # in words
        self.source_leader = -1
        self.target_leader = -1
        self.measures = Measures()
        self._outbox = Outbox(lambda delta: listener.holds(self, delta))
        self._pump: Pump | None = None
        self._whole: Whole | None = None
        self._refusals = 0  # by the target, of what goes away by itself, one after the other
        self._due_at = 0.0  # monotonic; not to be tried again before
        self._touched_at = 0.0  # monotonic; when the target's state was last known
        self._once_idle: Callable[[], None] | None = None  # no more is fetched until then

    @property
    def target_key(self) -> TopicPartition:
        """Topic and partition on the target."""
        return self.target_topic, self.partition

    @property
    def position(self) -> int:
        """Next source offset to fetch."""
        return self._pump.position if self._pump else self.acked.source

    @property
    def source_id(self) -> UUID:
        """Id of the source topic that it mirrors; another topic of that name is another topic."""
        return self.history.source_id

    @property
    def source_epoch(self) -> int:
        """Leader epoch of the newest record that was read, or -1."""
        return self.history.source_epoch

    @property
    def queue(self) -> deque[Append]:
        """What is to be sent."""
        return self._outbox.queue

    @property
    def held(self) -> int:
        """Bytes queued or in flight."""
        return self._outbox.held

    @property
    def sendable(self) -> bool:
        """Whether the next append may be sent."""
        return self._outbox.sendable

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or in flight."""
        return self._outbox.idle

    @property
    def active(self) -> bool:
        """Whether it was begun and has not let go since."""
        return self._pump is not None

    # life

    def begin(
        self,
        producer: tuple[int, int],
        there: AlreadyThere | None,
        merge_limit: int,
        inbound: Inbound | None = None,
        whole: Whole | None = None,
    ) -> None:
        """Start from what was acknowledged; `there` is what the target holds beyond it.

        What the flows in `inbound` wrote is left out, but for a stretch that is taken `whole`.
        """
        self._drop_all()
        self._whole = whole
        self._pump = Pump(producer, self.acked.source, self.acked.sequence)
        self._pump.merge_limit = merge_limit
        self._pump.inbound = inbound
        self._pump.already_there = there if there and there.remaining else None
        self._outbox.begin(proven=there is not None and there.proven)
        if there is not None and there.looked_to:
            self.history.looked_to = there.looked_to
        self._touched_at = time.monotonic()
        self._send_split(self._pump)
        if not self._refusals:
            self.set_state(PartitionState.RUNNING)

    def _send_split(self, pump: Pump) -> None:
        """Go on with the halves of the batch that was refused, if it still comes next."""
        split, self.split = self.split, None
        if split is None or split.position != pump.position or pump.already_there is not None:
            return
        appends, pump.sequence = split.appends(pump.producer, pump.sequence)
        pump.position = split.next_source
        self._enqueue(appends)

    def restart(self, source: int, target: int) -> None:
        """Go on at other offsets, with nothing before them known; our numbering goes on."""
        self.acked.source, self.acked.target = source, target
        self.history.looked_to = 0
        self.offset_map = OffsetMap()
        self.restarts += 1
        self.history.source_epoch = -1
        if self.history.began is not None:
            self.history.began = Began(source, target, "a topic was deleted and created anew")

    def rewind(self, source: int, target: int, count: int) -> None:
        """Go back before the newest `count` records, which the target lost."""
        self.acked.source, self.acked.target = source, target
        self.history.looked_to = 0
        self.acked.sequence = (self.acked.sequence - count) % b.MAX_SEQUENCE

    def stop(
        self, text: str, next_step: str, *, acceptable: bool = False, skips: Skips | None = None
    ) -> None:
        """Stop this partition alone, until an operator retries it, or accepts it where he can."""
        self._drop_all()
        self._pump = None
        now = time.time()
        reason = Reason(text, next_step, now, retriable=False, acceptable=acceptable, skips=skips)
        self.set_state(PartitionState.STOPPED, reason)

    def stop_after_held(self, text: str, next_step: str) -> None:
        """Fetch no more, and stop once the target has acknowledged all that is held."""
        self._when_idle(lambda: self.stop(text, next_step))

    def _when_idle(self, act: Callable[[], None]) -> None:
        if self.idle:
            act()
        else:
            self._once_idle = act

    def wait(self, text: str, next_step: str = "") -> None:
        """Let go of everything and wait for something that goes away by itself."""
        if self.state == PartitionState.STOPPED:
            return
        self._drop_all()
        self._pump = None
        self._show_waiting(text, next_step)

    def _show_waiting(self, text: str, next_step: str) -> None:
        since = self.reason.since if self.reason and self.reason.text == text else time.time()
        self.set_state(PartitionState.WAITING, Reason(text, next_step, since))

    def halt(self, state: PartitionState) -> None:
        """Let go of everything: the flow pauses, stands by or ends."""
        self._drop_all()
        self._pump = None
        if self.state != PartitionState.STOPPED:
            self.set_state(state)

    def set_state(self, state: PartitionState, reason: Reason | None = None) -> None:
        """Change state and tell."""
        if (state, reason) != (self.state, self.reason):
            self.state, self.reason = state, reason
            self._listener.changed(self)

    def _drop_all(self) -> None:
        self._outbox.clear()
        self._once_idle = None

    # from the source

    def wants_data(self, share: int) -> bool:
        """Whether to fetch; `share` is how many bytes this partition may hold."""
        return self._takes_data and self.held < share

    @property
    def _takes_data(self) -> bool:
        return self._pump is not None and self._outbox.failure is None and self._once_idle is None

    @property
    def soon_wanted(self) -> bool:
        """Whether it will want data soon by itself: it starts, or holds its share at the moment."""
        if self._once_idle is not None:
            return False
        return self.active or self.state in (PartitionState.STARTING, PartitionState.RUNNING)

    def source_refused(self, why: str) -> None:
        """The source does not serve it just now; what is held goes on to the target."""
        if self._takes_data:
            self._show_waiting(why, "")

    def out_of_range(self) -> None:
        """The source does not have the offset that comes next; what is held is mirrored first."""
        if self._takes_data:
            self._trouble(f"the source does not have offset {self.position}", OutOfRange())

    def diverges(self, diverging: Diverging) -> None:
        """The source's leader has another history than the one that was read."""
        end = diverging.end_offset
        if end >= self.position:  # of a leader epoch that left no records
            self.history.source_epoch = diverging.epoch
        elif self._takes_data:
            self._trouble(f"the source was truncated to offset {end}", Truncated(end))

    def _trouble(self, why: str, trouble: Trouble) -> None:
        def tell() -> None:
            self.wait(why)
            self._listener.troubled(self, trouble)

        self._when_idle(tell)

    def observe(self, data: PartitionData, *, committed: bool, now: float) -> None:
        """Note the source's end; it serves this partition (again)."""
        if self._pump is not None and self.state == PartitionState.WAITING and not self._refusals:
            self.set_state(PartitionState.RUNNING)
        end = data.last_stable_offset if committed else data.high_watermark
        self.observe_end(end if end >= 0 else data.high_watermark, now)

    def observe_end(self, end: int, now: float) -> None:
        """Note the source's end and when it was seen."""
        self.measures.observe_end(end, self._mirrored_to, now)

    def take(self, view: memoryview, data: PartitionData, *, committed: bool) -> None:
        """Pump a fetched record set into the queue."""
        pump = self._pump
        if pump is None or not self._takes_data:
            return
        if self._stale:
            self.wait("making sure that the target is as it was left")
            self._listener.needs_resync(self, True)
            return
        before = pump.position
        try:
            appends = pump.take(view, self._of_one_kind(pump, view, data), committed=committed)
        except DivergedError as error:
            self.stop(
                f"the mirror diverged: {error}", f"Compare {self.target_topic} with the source"
            )
            return
        except UnknownOriginError as error:
            self._trouble(
                f"which flow is it? {error}", UnknownOrigin(error.producer_id, error.offset)
            )
            return
        except (ValueError, IndexError, struct.error) as error:
            unreadable = find_unreadable(view[data.start : data.end], pump.position, error)
            self._trouble(unreadable.why, unreadable)
            return
        self.history.source_epoch = max(self.history.source_epoch, pump.epoch)
        if pump.matched:
            self._take_matched(pump)
        if appends:
            self._enqueue(appends)
        if self.history.dropped_at < 0:
            self.history.dropped_at = pump.dropped_at
        if pump.position != before:
            self._passed(pump)

    def _of_one_kind(self, pump: Pump, view: memoryview, data: PartitionData) -> PartitionData:
        """Return what is taken at once: before, in or behind the stretch that is taken whole."""
        return data if self._whole is None else self._whole.prepare(pump, view, data)

    def _enqueue(self, appends: list[Append]) -> None:
        self._outbox.put(appends)
        self._listener.has_work(self)

    def due(self, now: float) -> bool:
        """Whether to try again already; `now` is monotonic."""
        return now >= self._due_at

    def _got_through(self) -> None:
        """The target has what it refused before."""
        self._refusals = 0
        self._due_at = 0.0
        if self.state == PartitionState.WAITING:
            self.set_state(PartitionState.RUNNING)

    def distrust(self) -> None:
        """The connection to the target's leader ended, or the leader moved: look before writing."""
        self._touched_at = -math.inf

    @property
    def _stale(self) -> bool:
        """Whether the target may have forgotten our sequence, which it keeps for a time only."""
        return self.idle and time.monotonic() - self._touched_at > TRUST_S

    def _take_matched(self, pump: Pump) -> None:
        for source, target, count in pump.matched:
            self.history.foreign += target - self.acked.target
            self.offset_map.append(source, target, count)
            self.acked.source = source + count
            self.acked.target = target + count
            self.acked.sequence = b.add_sequence(self.acked.sequence, count)
        self.history.left_out += pump.matched_left_out
        pump.matched_left_out = 0
        pump.matched.clear()
        self._got_through()
        self._listener.changed(self)

    def _passed(self, pump: Pump) -> None:
        """Remember that everything before its position is dealt with once the last append is."""
        newest = self._outbox.newest
        if newest is not None:
            newest.next_source = pump.position
            newest.left_out += pump.left_out
        else:
            self.acked.source = pump.position
            self.history.left_out += pump.left_out
            self._listener.changed(self)
        pump.left_out = 0

    # to the target

    def next_append(self) -> Append:
        """Move the next append from the queue into flight."""
        return self._outbox.send()

    def appended(self, append: Append, base_offset: int) -> None:
        """Take in an acknowledgement."""
        # Not in flight: of a time before this partition began anew.
        if append not in self._outbox.in_flight or not self._as_expected(append, base_offset):
            return
        self._outbox.acknowledged()
        if base_offset != self.acked.target:
            self.history.foreign += base_offset - self.acked.target
            self._listener.stranger_wrote(self, self.acked.target, base_offset)
        self._advance(append, base_offset)
        self._touched_at = time.monotonic()
        self.accepts = False
        if self._refusals:
            self._got_through()
        if not self._outbox.proven:
            self._outbox.proven = True
            if self.queue:
                self._listener.has_work(self)
        self._listener.changed(self)
        if self._once_idle is not None and self.idle:
            self._once_idle()
        self._listener.released(self)

    def _as_expected(self, append: Append, base_offset: int) -> bool:
        """Whether an acknowledgement may be taken as it is; otherwise act on it."""
        if (
            self._outbox.in_flight[0] is not append
        ):  # while its leader moves, two connections answer
            self._settle(append, Failure("the target answered out of turn"))
        elif self._outbox.failure is not None or base_offset < 0:
            self._settle(append, Failure("the target answered without an offset"))
        elif base_offset < self.acked.target:
            self.stop(
                f"the target appended at offset {base_offset}, before {self.acked.target}: it lost "
                "records and had forgotten our sequence",
                f"Compare {self.target_topic} with the source, then ccr retry",
            )
        else:
            return True
        return False

    def _advance(self, append: Append, base_offset: int) -> None:
        acked = self.acked
        target = base_offset
        for source, count in append.pieces:
            self.offset_map.append(source, target, count)
            target += count
        acked.source = append.next_source
        acked.target = target
        acked.sequence = b.add_sequence(acked.sequence, append.count)
        acked.newest_ms = append.max_timestamp
        self.history.left_out += append.left_out
        self.measures.acknowledged(append.count, len(append.payload))

    def refused(self, append: Append, error: int, message: str) -> None:
        """Take in a refusal: look at the target again, wait, or stop."""
        if append not in self._outbox.in_flight:
            return
        words = f"{codes.name(error)}: {message}" if message else codes.name(error)
        if error in codes.SEQUENCE:
            why = f"the target refused our sequence ({words})"
            self._settle(append, Failure(why, sequence_refused=True))
        elif error in codes.RETRIABLE:
            if self._outbox.failure is None:
                self._refusals += 1
                pause = min(MOST_RETRY_PAUSE_S, LEAST_RETRY_PAUSE_S * 2**self._refusals)
                self._due_at = time.monotonic() + pause
            self._settle(append, Failure(f"the target answered {words}"))
        elif self._outbox.failure is not None:
            self._settle(append, Failure(words))
        elif error in POISON:
            self._settle(append, Failure(words, refused=refusal(append, error, words)))
        else:
            first = append.pieces[0][0]
            self.stop(
                f"the target refused the batch at source offset {first}: {words}",
                f"{remedy(error)}, then ccr retry",
            )

    def lost(self, append: Append, why: str) -> None:
        """The connection ended: whether the append was carried out is not known."""
        if append in self._outbox.in_flight:
            self._settle(append, Failure(why))

    def _settle(self, append: Append, failure: Failure) -> None:
        first = self._outbox.failed(append, failure)
        if first is None:
            return
        self.wait(first.why)
        if first.refused is not None:
            self._listener.troubled(self, first.refused)
        else:
            self._listener.needs_resync(self, first.sequence_refused)

    # for the screen

    @property
    def _mirrored_to(self) -> int | None:
        return self.acked.source if self.positioned else None

    def tick(self, now: float, elapsed: float) -> None:
        """Bring rates and trend up to date, once a second."""
        self.measures.tick(self._mirrored_to, now, elapsed)

    @property
    def lag_records(self) -> int | None:
        """Source offsets not mirrored yet; None while unknown."""
        return self.measures.lag_records(self._mirrored_to)

    def lag_seconds(self, now: float) -> float | None:
        """Age of the oldest record not mirrored yet."""
        return self.measures.lag_seconds(self._mirrored_to, self.acked.newest_ms, now)
