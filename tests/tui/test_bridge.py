from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from textual.message import Message

from ccr_tui.bridge import EngineBridge
from ccr_tui.messages import (
    EngineChanged,
    EventsReady,
    LinkLost,
    PartitionsReady,
    SnapshotReady,
)
from ccr_tui.pace import Backoff, Pace
from ccr_tui.state import ConsoleMode
from engine.api.protocol import EngineApi
from engine.api.snapshots import Event, Severity
from engine.errors import CcrError, ConnectError, RefusedError
from tests.tui.driving import until
from tests.tui.scripted import T0, ScriptedEngine, make_flow, make_partition, small_engine

MessageT = TypeVar("MessageT", bound=Message)
GONE = ConnectError("reading", "the engine", "the socket is gone", "Start it.")


class Inbox:
    """Collects what the bridge posts."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def __call__(self, message: Message) -> None:
        self.messages.append(message)

    def of(self, kind: type[MessageT]) -> list[MessageT]:
        return [message for message in self.messages if isinstance(message, kind)]


@contextlib.asynccontextmanager
async def running(
    engine: EngineApi,
    reopen: Callable[[CcrError], object] | None = None,
    fastest: float = 0.01,
) -> AsyncIterator[tuple[EngineBridge, Inbox]]:
    inbox = Inbox()
    bridge = EngineBridge(
        engine,
        inbox,
        reopen=reopen,  # type: ignore[arg-type]
        pace=Pace(fastest=fastest, slowest=fastest),
        backoff=Backoff(first=0.01, most=0.01),
    )
    task = asyncio.create_task(bridge.run())
    try:
        yield bridge, inbox
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_each_event_is_told_once() -> None:
    engine = small_engine()
    async with running(engine) as (_, inbox):
        await until(lambda: inbox.of(EventsReady))
        engine.happen(Event(4, T0, Severity.INFO, "dr", "broker 2 is back"))
        await until(lambda: len(inbox.of(EventsReady)) == 2)
        await until(lambda: len(inbox.of(SnapshotReady)) > 5)
    told = [event.id for message in inbox.of(EventsReady) for event in message.events]
    assert told == [1, 2, 3, 4]


async def test_partitions_come_in_full_once_and_then_as_changes() -> None:
    engine = small_engine()
    async with running(engine) as (bridge, inbox):
        bridge.watch("primary-to-dr")
        await until(lambda: inbox.of(PartitionsReady))
        (first,) = bridge.take_partitions()
        assert first.full
        assert len(first.page.partitions) == 6
        engine.change([make_partition("orders.eu", 0, lag_records=5)])
        engine.remove(("payments", 1))
        await until(lambda: len(inbox.of(PartitionsReady)) == 2)
        (second,) = bridge.take_partitions()
    assert not second.full
    assert [(p.topic, p.partition) for p in second.page.partitions] == [("orders.eu", 0)]
    assert second.page.removed == (("payments", 1),)


async def test_changes_wait_together_until_they_are_taken() -> None:
    engine = small_engine()
    async with running(engine) as (bridge, inbox):
        bridge.watch("primary-to-dr")
        for lag in (5, 6):
            count = len(inbox.of(PartitionsReady))
            engine.change([make_partition("orders.eu", 0, lag_records=lag)])
            await until(lambda count=count: len(inbox.of(PartitionsReady)) > count)
        updates = bridge.take_partitions()
        assert bridge.take_partitions() == []
    assert [update.full for update in updates] == [True, False]
    assert updates[-1].page.partitions[0].lag_records == 6


async def test_nothing_is_posted_while_no_partition_changes() -> None:
    engine = small_engine()
    async with running(engine) as (bridge, inbox):
        bridge.watch("primary-to-dr")
        await until(lambda: sum(call[0] == "partitions" for call in engine.calls) > 5)
    assert len(inbox.of(PartitionsReady)) == 1


async def test_a_flow_that_the_engine_does_not_have_is_not_asked_for() -> None:
    engine = small_engine()
    async with running(engine) as (bridge, inbox):
        bridge.watch("no-such-flow")
        count = len(inbox.of(SnapshotReady))
        await until(lambda: len(inbox.of(SnapshotReady)) > count + 3)
    assert engine.calls == []
    assert inbox.of(LinkLost) == []


async def test_a_new_engine_is_read_from_the_beginning() -> None:
    engine = small_engine()
    async with running(engine) as (bridge, inbox):
        bridge.watch("primary-to-dr")
        await until(lambda: inbox.of(PartitionsReady) and inbox.of(EventsReady))
        bridge.take_partitions()
        engine.restart()
        engine.happen(Event(1, T0, Severity.INFO, "engine", "started"))
        await until(lambda: len(inbox.of(PartitionsReady)) == 2)
        await until(lambda: len(inbox.of(EventsReady)) == 2)
        (update,) = bridge.take_partitions()
    assert update.full
    assert inbox.of(EventsReady)[1].events[0].text == "started"
    assert inbox.of(EventsReady)[1].engine_id == "e-1'"


async def test_a_lost_engine_is_told_with_next_step_and_tried_again() -> None:
    engine = small_engine()
    engine.error = GONE
    async with running(engine) as (_, inbox):
        await until(lambda: len(inbox.of(LinkLost)) >= 2)
        assert inbox.of(LinkLost)[0].what == "Reading the engine: the socket is gone"
        assert inbox.of(LinkLost)[0].next_step == "Start it."
        engine.error = None
        await until(lambda: inbox.of(SnapshotReady))


async def test_an_answer_that_makes_no_sense_is_told_and_does_not_end_the_bridge() -> None:
    class Broken(ScriptedEngine):
        async def snapshot(self):  # type: ignore[no-untyped-def]
            if self.snapshots_given == 0:
                self.snapshots_given = 1
                raise ValueError("not JSON")
            return await super().snapshot()

    async with running(Broken([make_flow()])) as (_, inbox):
        await until(lambda: inbox.of(SnapshotReady))
    assert "not JSON" in inbox.of(LinkLost)[0].what


async def test_a_lost_engine_is_replaced_when_there_is_a_way() -> None:
    first, second = small_engine(), small_engine()
    first.error = GONE
    reasons: list[CcrError] = []

    async def reopen(lost: CcrError) -> tuple[EngineApi, ConsoleMode]:
        reasons.append(lost)
        if len(reasons) == 1:
            raise ConnectError("starting", "an engine", "it ended with exit code 2", "See the log.")
        return second, ConsoleMode.ATTACHED

    async with running(first, reopen) as (bridge, inbox):
        await until(lambda: inbox.of(SnapshotReady))
        assert bridge.api is second
    assert [m.what for m in inbox.of(LinkLost)] == [
        "Reading the engine: the socket is gone",
        "Starting an engine: it ended with exit code 2",
    ]
    assert inbox.of(EngineChanged)[0].mode is ConsoleMode.ATTACHED
    assert reasons == [GONE, GONE]


async def test_an_engine_that_merely_refuses_is_not_replaced() -> None:
    engine = small_engine()
    engine.error = RefusedError("reading", "the engine", "it is of another version", "Update.")
    asked: list[CcrError] = []

    async def reopen(lost: CcrError) -> tuple[EngineApi, ConsoleMode]:
        asked.append(lost)
        return engine, ConsoleMode.EMBEDDED

    async with running(engine, reopen) as (_, inbox):
        await until(lambda: len(inbox.of(LinkLost)) >= 3)
    assert asked == []


async def test_a_poke_asks_at_once() -> None:
    engine = small_engine()
    async with running(engine, fastest=60.0) as (bridge, inbox):
        await until(lambda: inbox.of(SnapshotReady))
        bridge.poke()
        await until(lambda: len(inbox.of(SnapshotReady)) == 2, within=5.0)
