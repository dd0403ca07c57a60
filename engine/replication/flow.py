"""A flow's life: reach both clusters, see who owns it, stand by or claim it, mirror, stand down."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from enum import StrEnum

from engine.api.group_snapshots import GroupsPage
from engine.api.loss_snapshots import LossSnapshot
from engine.api.snapshots import (
    FlowSnapshot,
    FlowState,
    Owner,
    PartitionState,
    Reason,
    Severity,
    TopicLimit,
)
from engine.config.flow_section import FlowConfig
from engine.errors import CcrError, ConnectError, RefusedError
from engine.identity import EngineIdentity, surely_dead
from engine.kafka.cluster import Cluster
from engine.kafka.connection import ConnectionLostError
from engine.replication.backoff import Backoff
from engine.replication.board import Board
from engine.replication.events import Events
from engine.replication.flow_state import (
    OWNER_SILENT_S,
    State,
    Teller,
    reason_of,
    state_here,
    state_of_owner,
)
from engine.replication.limiter import Limiter
from engine.replication.loss_report import LossReport
from engine.replication.mirroring import ConcludedError, Mirroring
from engine.replication.observer import Observer
from engine.replication.partition import MirrorPartition
from engine.replication.resting import Resting, state_of_promoted
from engine.replication.run_brief import last_rehearsal, run_brief
from engine.replication.state_log import StateLog, SupersededError
from engine.replication.state_records import Entry, FlowRecord, Promotion, promotion_entry
from engine.replication.sync.groups.view import GroupsView
from engine.replication.sync.syncer import SyncContext
from engine.replication.topics.preview import Previewer

log = logging.getLogger(__name__)

STANDBY_LOOK_S = 1.0
TICK_S = 1.0


class Role(StrEnum):
    """What an engine does with a flow."""

    RUN = "run"  # own it; stand by while another does, and take over when that one ends
    OBSERVE = "observe"  # own it only if nobody else does; taking over is an operator's act
    LOOK = "look"  # never own it


class Flow:
    """One flow of this engine."""

    def __init__(
        self,
        name: str,
        config: FlowConfig,
        clusters: tuple[Cluster, Cluster],
        me: EngineIdentity,
        events: Events,
        role: Role,
        before: Flow | None = None,
    ) -> None:
        """`before` is the same flow as it was until now, which has ended: its board goes on."""
        self.name = name
        self.config = config
        self.board: Board = before.board if before else Board(name)
        self.limiter = Limiter(config.limits.bytes_per_second, config.limits.topics)
        self.limiter.on_trouble = self._tell_useless_limit
        self._source, self._target = clusters
        self._me = me
        self._events = events
        self._teller = Teller(name, events)
        self._role = role
        self._state = StateLog(name, self._target, me)
        self.previewer = Previewer(name, config, clusters, self.board, lambda: self._state.record)
        state = self._state
        context = SyncContext(
            name, config, *clusters, self.board, state.record, state.append, events
        )
        self._groups = GroupsView(context, lambda: state.record)
        self.losses = LossReport(
            name, config, self._source, self.board, lambda: self._state.record.written_per_second
        )
        if before is not None:
            self.losses.continue_from(before.losses)
        self._mirroring: Mirroring | None = None
        self._resting: Resting | None = None
        self._rests = asyncio.Event()
        self._observer: Observer | None = None
        self.claimed = asyncio.Event()  # set while this engine may write to the state topic
        self._trouble: CcrError | None = None
        self._stood_down: str | None = None
        self._take_over = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._backoff = Backoff()
        self._ending: asyncio.Task[bool] | None = None
        self.looked = asyncio.Event()  # set after the first look, or the first failure

    # life

    def start(self) -> None:
        """Begin, in tasks of this loop."""
        self._running = asyncio.create_task(self._run(), name=f"flow {self.name}")

    async def stop(self, deadline_seconds: float, *, release: bool = True) -> bool:
        """Drain for at most so long and end; return whether all was drained.

        Gives the flow up for others, unless this engine is to go on with it (`release`). Who asks
        again while that is going on waits for it.
        """
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(deadline_seconds, release=release))
        return await asyncio.shield(self._ending)

    async def _end(self, deadline_seconds: float, *, release: bool) -> bool:
        drained = True
        mirroring = self._mirroring
        if mirroring is not None:
            try:
                async with asyncio.timeout(deadline_seconds):
                    await mirroring.drain()
                    await mirroring.finish(release=release)
            except (TimeoutError, CcrError, ConnectionLostError) as error:
                drained = False
                self._events.emit(
                    Severity.WARNING,
                    self.name,
                    f"stopped without draining ({error or 'the deadline passed'})",
                    "Nothing is lost: the next start continues from the last checkpoint",
                )
        elif self._resting is not None and release:
            drained = await self._release_resting(deadline_seconds)
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        await self._state.close()
        self._groups.close()
        return drained

    async def _release_resting(self, deadline_seconds: float) -> bool:
        try:
            async with asyncio.timeout(deadline_seconds):
                await self._state.release([])
        except (TimeoutError, CcrError, ConnectionLostError):
            log.warning("flow %s could not be given up; others see that within seconds", self.name)
        return True

    def reconfigure(self, config: FlowConfig) -> None:
        """Take another section that differs in its rates alone; raises nothing, interrupts nothing.

        A rate that an operator has set meanwhile stays where the section did not change it.
        """
        before, self.config = self.config.limits, config
        if config.limits.bytes_per_second != before.bytes_per_second:
            self.limiter.bytes_per_second = config.limits.bytes_per_second
        if list(config.limits.topics.items()) != list(before.topics.items()):
            self.limiter.set_topics(config.limits.topics)

    def try_now(self) -> None:
        """Whatever is waited for before trying again: wait no longer."""
        self._backoff.cut_short()

    async def _run(self) -> None:
        backoff = self._backoff
        while self._ending is None:
            try:
                await self._once()
                backoff.reset()
            except SupersededError as error:
                self._stood_down = error.cause
                self._events.emit(
                    Severity.WARNING, self.name, f"stood down: {error.cause}", error.next_step
                )
            except (CcrError, ConnectionLostError) as error:
                self._set_trouble(error)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # a defect of ours: shown, and tried again
                log.exception("flow %s failed", self.name)
                self._set_trouble(
                    CcrError(
                        "running flow",
                        self.name,
                        f"internal error: {type(error).__name__}: {error}",
                        "It is tried again; please report it with the log file",
                    )
                )
            self.looked.set()
            await backoff.sleep()

    async def _once(self) -> None:
        if self._role == Role.LOOK:
            await self._look_on()
            return
        await self._state.create()
        await self._state.read()
        if self._owned_elsewhere():
            await self._stand_by()
        self._take_over.clear()
        await self._state.establish_identity()
        await self._state.claim()
        self._events.emit(
            Severity.INFO, self.name, f"claimed as generation {self._state.generation}"
        )
        self._trouble = self._stood_down = None
        self._observer = None
        self.claimed.set()
        try:
            if self._state.record.promotion is None:
                await self._mirror()
            else:
                await self._rest()
        finally:
            self.claimed.clear()
            self._state.forget()

    async def _rest(self) -> None:
        self._resting = Resting(self._state)
        self._rests.set()
        self.looked.set()
        try:
            await self._resting.run()
        finally:
            self._resting = None
            self._rests.clear()

    async def _mirror(self) -> None:
        self.board.clear()
        self._mirroring = Mirroring(
            self.name,
            self.config,
            (self._source, self._target),
            self._state,
            self.board,
            self._events,
            self.limiter,
        )
        self.looked.set()
        try:
            await self._mirroring.run()
        except BaseExceptionGroup as group:
            first = _first(group.subgroup(SupersededError) or group)
            if not isinstance(first, ConcludedError):
                raise first from group
        finally:
            self._mirroring = None
            for partition in self.board.partitions.values():
                partition.halt(PartitionState.STANDBY)

    # not ours

    def _owned_elsewhere(self) -> bool:
        owner = self._state.record.owner
        if owner is None or owner.released or owner.engine_id == self._me.engine_id:
            return False
        return not surely_dead(owner.process)

    async def _stand_by(self) -> None:
        """Watch until the flow is free, or taking over is asked for."""
        self._observer = Observer(self.config, self._source, self._state, self.board)
        self.board.clear()
        quiet_since = time.monotonic()
        while not self._take_over.is_set():
            try:
                if await self._state.read():
                    quiet_since = time.monotonic()
                await self._observer.look(PartitionState.STANDBY)
                self._trouble = None
            except (CcrError, ConnectionLostError) as error:
                self._set_trouble(error)
                quiet_since = time.monotonic()  # its silence may be our own deafness
            self.looked.set()
            free = not self._owned_elsewhere() or time.monotonic() - quiet_since > OWNER_SILENT_S
            if free and self._role == Role.RUN:
                self._events.emit(Severity.WARNING, self.name, "the owner is gone: taking over")
                return
            try:
                async with asyncio.timeout(STANDBY_LOOK_S):
                    await self._take_over.wait()
            except TimeoutError:
                continue

    async def _look_on(self) -> None:
        self._observer = Observer(self.config, self._source, self._state, self.board)
        while True:
            if await self._state.exists():
                await self._state.read()
            await self._observer.look(PartitionState.STANDBY)
            self._trouble = None
            self.looked.set()
            await asyncio.sleep(STANDBY_LOOK_S)

    # commands

    async def set_paused(self, paused: bool) -> bool:
        """Pause or resume; return whether that changed anything."""
        mirroring = self._must_run()
        if mirroring.paused == paused:
            return False
        await mirroring.set_paused(paused)
        self._events.emit(Severity.INFO, self.name, "paused" if paused else "resumed")
        return True

    def retry(self, topic: str | None, partition: int | None, *, accept: bool) -> int:
        """Start stopped partitions again; return how many."""
        return self._must_run().retry(topic, partition, accept=accept)

    def take_over(self) -> bool:
        """Claim the flow from its owner; return whether it was not ours already."""
        if self.owned_here:
            return False
        if self._role == Role.LOOK:
            raise RefusedError(
                "taking over flow", self.name, "this engine only looks", "Start ccr --no-ui"
            )
        self._take_over.set()
        return True

    # what runbooks do with it

    @property
    def owned_here(self) -> bool:
        """Whether this engine owns it: it mirrors, or rests since a promotion."""
        return self._mirroring is not None or self._resting is not None

    @property
    def mirroring(self) -> Mirroring:
        """The flow at work; raises RefusedError when it is not, or not here."""
        return self._must_run()

    @property
    def record(self) -> FlowRecord:
        """What the state topic held when it was claimed, or last looked at."""
        return self._state.record

    async def remember(self, entries: Iterable[Entry]) -> None:
        """Write to the state topic, as soon as this engine owns the flow.

        Raises SupersededError, and KafkaError when the target does not take it.
        """
        entries = list(entries)
        await self.claimed.wait()
        await self._state.append(entries)
        for key, value in entries:
            self._state.record.fold(key, value, 0)

    async def promote(self, promotion: Promotion) -> None:
        """Mirror no more, whoever asks: on record before this returns.

        What is in flight is acknowledged first. Raises as `remember` does.
        """
        if self._resting is not None:
            return
        mirroring = self._must_run()
        await mirroring.drain()
        await mirroring.conclude([promotion_entry(promotion)])
        await self._rests.wait()

    async def withdraw_promotion(self) -> None:
        """Mirror this direction again: on record before this returns.

        Raises RefusedError where this engine does not own it, and as `remember` does.
        """
        if self._resting is None:
            cause = "this engine does not own it, or it is not promoted"
            raise RefusedError("mirroring again flow", self.name, cause, "Take it over first")
        await self._resting.withdraw()

    def _must_run(self) -> Mirroring:
        if self._mirroring is None:
            if self._resting is not None:
                raise RefusedError(
                    "steering flow",
                    self.name,
                    "its mirrors were promoted: nothing is mirrored into them any more",
                )
            owner = self._state.record.owner
            who = (
                f"engine {owner.engine_id} on {owner.host} owns it"
                if owner
                else "it is not running"
            )
            raise RefusedError("steering flow", self.name, who, "Ask its owner, or take it over")
        return self._mirroring

    # what is shown

    async def loss(self, topic: str | None, source_trouble: str) -> LossSnapshot:
        """Return what would be lost now; see LossReport.snapshot."""
        if self._mirroring is None:
            return await self.losses.snapshot(topic, _observed_at, source_trouble)
        troubles = self._mirroring.source_troubles
        text = reason_of(troubles[0]).text if troubles else source_trouble
        return await self.losses.snapshot(topic, self._mirroring.seen_at, text)

    async def groups(self) -> GroupsPage:
        """Return where consumer groups stand; raises as GroupsView.page does."""
        return await self._groups.page(self._mirroring.in_step.groups if self._mirroring else None)

    def _set_trouble(self, error: Exception) -> None:
        if not isinstance(error, CcrError):
            error = ConnectError("running flow", self.name, str(error))
        self._trouble = error

    def _tell_useless_limit(self, error: CcrError) -> None:
        text = f"a limit for topics is passed over: {error.operation} {error.object}: {error.cause}"
        self._events.emit(Severity.ERROR, self.name, text, error.next_step)

    def tick(self) -> None:
        """Bring what is shown up to date, once a second."""
        self.board.tick()
        self.losses.tick()
        state, reason = self.state()
        self._teller.tell(state, reason, self.board)

    def state(self) -> State:
        """Return the flow's state and why."""
        if self._mirroring is None:
            return self._state_elsewhere()
        return state_here(self._mirroring, self.board)

    def _state_elsewhere(self) -> State:
        promotion = self._state.record.promotion
        if promotion is not None:
            return state_of_promoted(promotion)
        if self._trouble is not None:
            return FlowState.WAITING, reason_of(self._trouble)
        owner = self._state.record.owner
        if self._observer is None or not self.looked.is_set():
            return FlowState.STARTING, Reason("connecting")
        if self._role != Role.LOOK:
            who = "nobody runs it any more"
            if owner is not None and self._owned_elsewhere():
                who = f"engine {owner.engine_id} on {owner.host} owns it"
            why = f"{self._stood_down}; {who}" if self._stood_down else who
            return FlowState.STANDBY, Reason(why, "Take over to run it here")
        return state_of_owner(owner, paused=self._state.record.paused)

    def _owner(self) -> Owner | None:
        if self.owned_here:
            me = self._me
            pid = int(me.process.rpartition("/")[2].partition("@")[0])
            return Owner(me.engine_id, me.host, pid, self._state.generation, time.time())
        owner = self._state.record.owner
        return owner.to_owner() if owner and not owner.released else None

    def snapshot(self) -> FlowSnapshot:
        """Return the flow as it is now."""
        board = self.board
        state, reason = self.state()
        observed = self._mirroring.refreshed_at if self._mirroring else 0.0
        in_step = self._mirroring.in_step if self._mirroring else None
        if self._observer is not None:
            observed = self._observer.observed_at
        return FlowSnapshot(
            name=self.name,
            source=self.config.source,
            target=self.config.target,
            state=state,
            reason=self._teller.dated(reason),
            owner=self._owner(),
            owned_here=self.owned_here,
            topics=len({topic for topic, _ in board.partitions}),
            partitions=len(board.partitions),
            partitions_stopped=board.count_state(PartitionState.STOPPED),
            partitions_waiting=board.count_state(PartitionState.WAITING),
            lag_records=board.lag_records if observed else None,
            lag_seconds=board.lag_seconds() if observed else None,
            records_per_second=round(board.rate.records_per_second, 1),
            bytes_per_second=round(board.rate.bytes_per_second, 1),
            records_total=board.records_total,
            bytes_total=board.bytes_total,
            limit_bytes_per_second=self.limiter.bytes_per_second,
            history=tuple(board.history),
            observed_at=observed,
            verification=self._mirroring.verification if self._mirroring else None,
            syncs=in_step.syncs if in_step else (),
            inbound=in_step.inbound if in_step else (),
            conflicts=in_step.conflicts if in_step else None,
            left_out_records=sum(p.history.left_out for p in board.partitions.values()),
            offsets=board.offsets(),
            overtaken=self._mirroring.retention.snapshot() if self._mirroring else None,
            run=run_brief(self._state.record),
            rehearsed=last_rehearsal(self._state.record),
            topic_limits=tuple(
                TopicLimit(topics, rate) for topics, rate in self.limiter.topic_rates.items()
            ),
        )


def _observed_at(partition: MirrorPartition) -> float:
    return partition.measures.observed_at


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that is no group itself: it says what went wrong."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
