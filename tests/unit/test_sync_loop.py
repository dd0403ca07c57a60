"""The loop around every syncer: what it shows, what it tells, and how often it looks."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from engine.api.snapshots import OutOfStep, Severity, SyncState
from engine.errors import KafkaError
from engine.kafka.connection import ConnectionLostError
from engine.replication.events import Events
from engine.replication.state_log import SupersededError
from engine.replication.sync.syncer import SHOWN_LEFT, Outcome, SyncContext, SyncLoop

LEFT = OutOfStep("topic orders", "retention.ms was changed on the target", "Pin it")


class Scripted:
    """A syncer that does, round by round, what the test says, and then waits."""

    name = "configs"

    def __init__(self, *script: Outcome | Exception, interval: float = 0.001) -> None:
        self.interval = interval
        self._script = list(script)
        self.rounds = 0
        self.done = asyncio.Event()
        self.closed = False

    async def sync_once(self) -> Outcome:
        self.rounds += 1
        if not self._script:
            self.done.set()
            await asyncio.Event().wait()
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.closed = True


class Context:
    """What of a flow's context the loop itself uses."""

    flow = "east-west"

    def __init__(self) -> None:
        self.events = Events()

    def told(self) -> list[tuple[Severity, str]]:
        return [(event.severity, event.text) for event in self.events.since(0)]


async def played(*script: Outcome | Exception) -> tuple[SyncLoop, Context]:
    """Run a script to its end."""
    context, syncer = Context(), Scripted(*script)
    loop = SyncLoop(syncer, cast("SyncContext", context))
    running = asyncio.create_task(loop.run())
    await syncer.done.wait()
    running.cancel()
    await asyncio.wait([running])
    assert syncer.closed
    return loop, context


async def test_before_the_first_round_it_is_starting() -> None:
    loop = SyncLoop(Scripted(), cast("SyncContext", Context()))
    assert (loop.snapshot.state, loop.snapshot.looked_at) == (SyncState.STARTING, 0.0)


async def test_changes_are_added_up_and_what_is_left_is_what_was_left_last() -> None:
    loop, context = await played(Outcome(3, [LEFT]), Outcome(2))
    assert (loop.snapshot.state, loop.snapshot.changes) == (SyncState.IN_STEP, 5)
    assert loop.snapshot.left == ()
    assert loop.snapshot.looked_at > 0
    assert context.told() == [(Severity.WARNING, f"{LEFT.object}: {LEFT.text}")]


async def test_what_stays_left_is_told_once_and_again_when_it_comes_back() -> None:
    _, context = await played(Outcome(0, [LEFT]), Outcome(0, [LEFT]), Outcome(), Outcome(0, [LEFT]))
    assert [severity for severity, _ in context.told()] == [Severity.WARNING] * 2


async def test_of_much_that_is_left_the_first_are_shown_and_all_are_counted() -> None:
    many = [OutOfStep(f"topic {number}", "is not there") for number in range(SHOWN_LEFT + 7)]
    loop, _ = await played(Outcome(0, many))
    assert loop.snapshot.left == tuple(many[:SHOWN_LEFT])
    assert loop.snapshot.left_total == SHOWN_LEFT + 7


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KafkaError("altering", "orders", "denied", "Grant ALTER_CONFIGS"), "altering orders: den"),
        (ConnectionLostError("west: the broker closed the connection"), "west: the broker closed"),
        (ZeroDivisionError("by zero"), "internal error: ZeroDivisionError: by zero"),
    ],
)
async def test_a_failure_is_shown_with_its_reason_and_keeps_what_was_known(
    error: Exception, words: str
) -> None:
    loop, context = await played(Outcome(1, [LEFT]), error, error)
    snapshot = loop.snapshot
    assert snapshot.state == SyncState.FAILING
    assert snapshot.reason is not None
    assert words in snapshot.reason.text
    assert (snapshot.changes, snapshot.left) == (1, (LEFT,))
    errors = [text for severity, text in context.told() if severity == Severity.ERROR]
    assert len(errors) == 1, "the same failure again is no news"


async def test_when_it_works_again_that_is_told() -> None:
    error = KafkaError("altering", "orders", "denied")
    loop, context = await played(error, Outcome())
    assert (loop.snapshot.state, loop.snapshot.reason) == (SyncState.IN_STEP, None)
    assert context.told()[-1] == (Severity.INFO, "works again")


async def test_another_engine_that_took_over_ends_it() -> None:
    syncer = Scripted(SupersededError("east-west", None))
    with pytest.raises(SupersededError):
        await SyncLoop(syncer, cast("SyncContext", Context())).run()
    assert syncer.closed


async def test_it_can_be_asked_not_to_wait_for_the_next_round() -> None:
    syncer = Scripted(Outcome(), interval=3600)
    loop = SyncLoop(syncer, cast("SyncContext", Context()))
    running = asyncio.create_task(loop.run())
    while loop.snapshot.state == SyncState.STARTING:  # noqa: ASYNC110  (the loop tells nobody)
        await asyncio.sleep(0)
    loop.look_now()
    await asyncio.wait_for(syncer.done.wait(), 5)
    running.cancel()
    await asyncio.wait([running])
    assert syncer.rounds == 2
