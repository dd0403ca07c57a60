"""What every syncer is, and the loop that runs it: look, act, say what is left and why."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from engine.api.snapshots import OutOfStep, Reason, Severity, SyncSnapshot, SyncState
from engine.config.flow_section import FlowConfig
from engine.errors import CcrError
from engine.kafka.cluster import Cluster
from engine.kafka.connection import ConnectionLostError
from engine.replication.board import Board
from engine.replication.events import Events
from engine.replication.state_log import SupersededError
from engine.replication.state_records import Entry, FlowRecord

log = logging.getLogger(__name__)

SHOWN_LEFT = 100  # of what is out of step; the rest is counted


@dataclass(frozen=True, slots=True)
class SyncContext:
    """What a syncer works with: a flow that this engine owns."""

    flow: str
    config: FlowConfig
    source: Cluster
    target: Cluster
    board: Board
    record: FlowRecord  # as read when the flow was claimed; not kept up to date
    remember: Callable[[Iterable[Entry]], Awaitable[None]]
    """Append entries (`sync/<syncer>/<object>`) to the state topic; raises SupersededError."""
    events: Events


@dataclass(slots=True)
class Outcome:
    """What one round did and what it left."""

    changes: int = 0  # made on the target
    left: list[OutOfStep] = field(default_factory=list)


class Syncer(Protocol):
    """Keeps one kind of thing in step."""

    name: str
    interval: float  # seconds between two rounds

    async def sync_once(self) -> Outcome:
        """Look at both sides and act; raises CcrError or ConnectionLostError when it cannot."""
        ...


@runtime_checkable
class Closing(Protocol):
    """A syncer that holds on to something between its rounds."""

    def close(self) -> None:
        """Let go of it."""
        ...


class SyncLoop:
    """Runs one syncer for as long as the flow is owned."""

    def __init__(self, syncer: Syncer, context: SyncContext) -> None:
        self.syncer = syncer
        self._subject = f"{context.flow}/{syncer.name}"
        self._events = context.events
        self._now = asyncio.Event()
        self._told: set[OutOfStep] = set()
        self._awaited: list[asyncio.Future[SyncSnapshot]] = []
        self._may_run = asyncio.Event()
        self._may_run.set()
        self.snapshot = SyncSnapshot(
            syncer.name, SyncState.STARTING, None, 0, (), 0, looked_at=0.0, seconds=0.0
        )

    def look_now(self) -> None:
        """Do not wait for the next round."""
        self._now.set()

    def suspend(self, suspended: bool) -> None:
        """Begin no more rounds, or begin them again."""
        if suspended:
            self._may_run.clear()
        else:
            self._may_run.set()

    async def next_round(self) -> SyncSnapshot:
        """Return how a round went that began after this was called."""
        ended: asyncio.Future[SyncSnapshot] = asyncio.get_running_loop().create_future()
        self._awaited.append(ended)
        self._now.set()
        return await ended

    async def run(self) -> None:
        """Sync until cancelled, or until another engine owns the flow (SupersededError)."""
        try:
            while True:
                await self._may_run.wait()
                self._now.clear()
                awaited, self._awaited = self._awaited, []
                await self._round()
                for each in awaited:
                    if not each.done():
                        each.set_result(self.snapshot)
                try:
                    async with asyncio.timeout(self.syncer.interval):
                        await self._now.wait()
                except TimeoutError:
                    continue
        finally:
            if isinstance(self.syncer, Closing):
                self.syncer.close()

    async def _round(self) -> None:
        began = time.monotonic()
        try:
            outcome = await self.syncer.sync_once()
        except SupersededError:
            raise
        except (CcrError, ConnectionLostError) as error:
            self._fail(error)
        except Exception as error:  # a defect of ours: shown, and tried again
            log.exception("%s failed", self._subject)
            cause = f"internal error: {type(error).__name__}: {error}"
            next_step = "It is tried again; please report it with the log file"
            self._fail(CcrError("keeping in step", self.syncer.name, cause, next_step))
        else:
            self._succeed(outcome, time.monotonic() - began)

    def _succeed(self, outcome: Outcome, seconds: float) -> None:
        before = self.snapshot
        self.snapshot = SyncSnapshot(
            self.syncer.name,
            SyncState.OUT_OF_STEP if outcome.left else SyncState.IN_STEP,
            None,
            before.changes + outcome.changes,
            tuple(outcome.left[:SHOWN_LEFT]),
            len(outcome.left),
            looked_at=time.time(),
            seconds=seconds,
        )
        if before.state == SyncState.FAILING:
            self._events.emit(Severity.INFO, self._subject, "works again")
        left = set(outcome.left[:SHOWN_LEFT])
        for each in left - self._told:
            self._events.emit(
                Severity.WARNING, self._subject, f"{each.object}: {each.text}", each.next_step
            )
        self._told = left

    def _fail(self, error: Exception) -> None:
        text, next_step = str(error), ""
        if isinstance(error, CcrError):
            text = f"{error.operation} {error.object}: {error.cause}".strip()
            next_step = error.next_step
        before = self.snapshot
        known = before.reason is not None and before.reason.text == text
        since = before.reason.since if known and before.reason else time.time()
        self.snapshot = SyncSnapshot(
            self.syncer.name,
            SyncState.FAILING,
            Reason(text, next_step, since),
            before.changes,
            before.left,
            before.left_total,
            before.looked_at,
            before.seconds,
        )
        if not known:
            self._events.emit(Severity.ERROR, self._subject, text, next_step)
