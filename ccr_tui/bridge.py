"""Between engine and screens: asks, a few times a second at most, and posts what is new.

It touches no widget and holds no view state. Partition pages are deltas, so they are not carried by
messages that may be merged: they wait here until the screen takes them, and while they wait the
next ones join them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from textual.message import Message

from ccr_tui.messages import (
    EngineChanged,
    EventsReady,
    LinkLost,
    PartitionsReady,
    PartitionUpdate,
    SnapshotReady,
)
from ccr_tui.pace import Backoff, Pace
from ccr_tui.state import ConsoleMode
from engine.api.protocol import EngineApi
from engine.api.snapshots import EngineSnapshot
from engine.errors import CcrError, ConnectError

log = logging.getLogger(__name__)

ANSWER_WITHIN = 10.0
"""Seconds the engine may take for one answer before it counts as lost."""

Post = Callable[[Message], object]
Reopen = Callable[[CcrError], Awaitable[tuple[EngineApi, ConsoleMode]]]
"""Replaces an engine that was lost for the reason given; raises CcrError when it cannot."""


class EngineBridge:
    """Polls one engine and posts `SnapshotReady`, `EventsReady`, `PartitionsReady`, `LinkLost`."""

    def __init__(
        self,
        api: EngineApi,
        post: Post,
        *,
        reopen: Reopen | None = None,
        pace: Pace | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.api = api
        self._post = post
        self._reopen = reopen
        self._pace = pace or Pace()
        self._backoff = backoff or Backoff()
        self._poked = asyncio.Event()
        self._engine_id = ""
        self._last_event = 0
        self._watched: str | None = None
        self._page_version = 0
        self._pages: list[PartitionUpdate] = []

    def watch(self, flow: str | None) -> None:
        """Ask for this flow's partitions from now on, from the beginning; None: for none."""
        self._watched = flow
        self._forget_partitions()
        self.poke()

    @property
    def watched(self) -> str | None:
        """The flow whose partitions are asked for."""
        return self._watched

    def poke(self) -> None:
        """Ask again now rather than at the next turn."""
        self._poked.set()

    def take_partitions(self) -> list[PartitionUpdate]:
        """Hand over the pages that came in since the last call, oldest first."""
        pages, self._pages = self._pages, []
        return pages

    async def run(self) -> None:
        """Ask until cancelled. A lost engine is a message, not an error."""
        while True:
            started = time.monotonic()
            lost = await self._try()
            if lost is None:
                self._backoff.succeeded()
                asking = time.monotonic() - started
                self._pace.observe(asking, await self._wait(self._pace.interval))
                continue
            await self._lost(lost)
            if isinstance(lost, ConnectError):
                await self._try_reopen(lost)

    async def _try(self) -> CcrError | None:
        """Ask once; return why the answer could not be had."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._ask()
        except TimeoutError:
            cause = f"no answer within {ANSWER_WITHIN:.0f} s"
            return CcrError("asking", "the engine", cause, "It may be stopped or overloaded.")
        except CcrError as error:
            return error
        except Exception as error:
            log.exception("the engine's answer could not be used")
            cause = f"its answer could not be used: {error!r}"
            return CcrError("asking", "the engine", cause, "The console's log has more.")
        return None

    async def _ask(self) -> None:
        snapshot = await self.api.snapshot()
        self._meet(snapshot)
        self._post(SnapshotReady(snapshot, time.monotonic()))
        if snapshot.last_event_id > self._last_event:
            events = await self.api.events(self._last_event)
            if events:
                self._last_event = events[-1].id
                self._post(EventsReady(snapshot.engine_id, events))
        flow = self._watched
        if flow is not None and any(f.name == flow for f in snapshot.flows):
            await self._ask_partitions(flow)

    def _meet(self, snapshot: EngineSnapshot) -> None:
        """Start over when another engine answers: its ids and versions are its own."""
        if snapshot.engine_id == self._engine_id:
            return
        self._engine_id = snapshot.engine_id
        self._last_event = 0
        self._forget_partitions()

    def _forget_partitions(self) -> None:
        self._page_version = 0
        self._pages.clear()

    async def _ask_partitions(self, flow: str) -> None:
        since = self._page_version
        page = await self.api.flows.partitions(flow, since)
        if flow != self._watched or since != self._page_version:
            return
        self._page_version = page.version
        if page.partitions or page.removed or since == 0:
            self._pages.append(PartitionUpdate(page, full=since == 0))
            self._post(PartitionsReady())

    async def _lost(self, error: CcrError) -> None:
        self._post(LinkLost(*told(error), time.monotonic()))
        await self._wait(self._backoff.failed())

    async def _try_reopen(self, lost: ConnectError) -> None:
        while self._reopen is not None:
            try:
                self.api, mode = await self._reopen(lost)
            except CcrError as error:
                await self._lost(error)
            else:
                self._post(EngineChanged(mode))
                return

    async def _wait(self, interval: float) -> float:
        """Wait, at most until poked; return how many seconds too late the loop came back."""
        due = time.monotonic() + interval
        try:
            async with asyncio.timeout(interval):
                await self._poked.wait()
        except TimeoutError:
            return max(0.0, time.monotonic() - due)
        finally:
            self._poked.clear()
        return 0.0


def told(error: CcrError) -> tuple[str, str]:
    """Return an error as what happened and what to do."""
    subject = f"{error.operation} {error.object}".strip()
    what = f"{subject}: {error.cause}" if subject else error.cause
    return what[:1].upper() + what[1:], error.next_step
