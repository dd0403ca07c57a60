"""Waiting for the status to prove what was asked for: a worker answers before it has done it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any

from engine.connect.client import ConnectClient
from engine.connect.models import ConnectorStatus, InstanceStatus, State
from engine.errors import RefusedError

PROOF_S = 30.0
RUNS_FOR_S = 1.0  # before it counts as running: what fails at once has failed
FAILED_FOR_S = 8.0  # a failed task that shows no restart meanwhile has failed again, unseen
UNSEEN_FOR_S = 5.0  # workers read several states at once: a quick restart may never be shown
_LOOK_S = 0.02
_PASSING = frozenset({State.UNASSIGNED, State.RESTARTING})


def first_line(trace: str | None) -> str:
    """Return what a Java trace says went wrong: its last cause, in one line."""
    lines = [line.strip() for line in (trace or "").splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by:")]
    return (causes or lines or ["no trace"])[-1 if causes else 0]


def in_state(status: ConnectorStatus, state: State) -> bool:
    """Whether the connector and all its tasks are in a state; a STOPPED one has no tasks."""
    if state is State.STOPPED:
        return status.connector.state == state and not status.tasks
    return has_settled(status) and all(each.state == state for each in status.instances().values())


def has_settled(status: ConnectorStatus) -> bool:
    """Whether it has tasks (or is to have none), and they are not on their way to a state."""
    if status.connector.state == State.STOPPED:
        return not status.tasks
    states = {each.state for each in status.instances().values()}
    # One that was created PAUSED gets its tasks when it is resumed.
    may_have_none = states & {State.FAILED, State.PAUSED}
    return not states & _PASSING and (bool(status.tasks) or bool(may_have_none))


def has_failed(status: ConnectorStatus) -> bool:
    """Whether it has come to its end, which was not what was asked for."""
    settled = all(each.state not in (State.UNASSIGNED, State.RESTARTING) for each in status.tasks)
    return settled and any(each.state == State.FAILED for each in status.instances().values())


def states_of(status: ConnectorStatus) -> dict[str, str]:
    """Return the state of the connector and each task."""
    return {name: each.state for name, each in status.instances().items()}


def told(status: ConnectorStatus) -> str:
    """Say how a connector is, in one line."""
    by_state: dict[str, list[str]] = {}
    for task in status.tasks:
        by_state.setdefault(task.state, []).append(str(task.id))
    parts = [f"task {', '.join(tasks)} {state}" for state, tasks in by_state.items()]
    causes = {first_line(each.trace) for each in status.instances().values() if each.trace}
    why = f": {'; '.join(sorted(causes))}" if causes else ""
    return f"the connector is {status.connector.state}, {', '.join(parts) or 'no tasks'}{why}"


async def reached(
    client: ConnectClient, name: str, right: Callable[[ConnectorStatus], bool], seconds: float
) -> tuple[bool, ConnectorStatus | None]:
    """Wait for a status; return whether it came in time, and the last one, if there was any."""
    deadline = time.monotonic() + seconds
    status = None
    while True:
        with contextlib.suppress(RefusedError):  # a new connector has no status yet
            status = await client.status(name)
            if right(status):
                return True, status
        if time.monotonic() > deadline:
            return False, status
        await asyncio.sleep(10 * _LOOK_S)


@dataclass(slots=True)
class Restarted:
    """What became of each instance (`the connector`, `task 0`) that was to restart.

    An instance that failed has restarted when it runs. One that ran before has when it was seen
    not to in between; otherwise the status does not tell the new one from the old one.
    """

    awaited: frozenset[str]
    failed_before: frozenset[str]
    seen_passing: set[str] = field(default_factory=set)
    running_since: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    failed_since: dict[str, float] = field(default_factory=dict)

    def look(self, status: ConnectorStatus, now: float) -> None:
        """Take in a status."""
        instances = status.instances()
        for name in self.awaited:
            self._look_at(name, instances.get(name), now)

    def _look_at(self, name: str, instance: InstanceStatus | None, now: float) -> None:
        state = instance.state if instance else State.UNASSIGNED
        if state in _PASSING:
            self.seen_passing.add(name)
        if state == State.RUNNING:
            self.running_since.setdefault(name, now)
        else:
            self.running_since.pop(name, None)
        if state == State.FAILED and instance is not None:
            since = self.failed_since.setdefault(name, now)
            again = name in self.seen_passing or name not in self.failed_before
            if again or now - since >= FAILED_FOR_S:
                self.failed[name] = first_line(instance.trace)
        else:
            self.failed_since.pop(name, None)
            self.failed.pop(name, None)

    def proven(self, now: float) -> frozenset[str]:
        """Return which instances have restarted, by what the status showed."""
        steady = {name for name, since in self.running_since.items() if now - since >= RUNS_FOR_S}
        return frozenset(steady & (self.seen_passing | self.failed_before))

    def unproven(self, now: float) -> frozenset[str]:
        """Return those of which it is not known, or that still do not run."""
        return self.awaited - self.proven(now) - set(self.failed)

    def unseen(self, now: float) -> bool:
        """Whether all that is not proven has run for a while, perhaps from before."""
        runs = {name for name, since in self.running_since.items() if now - since >= UNSEEN_FOR_S}
        return self.unproven(now) <= runs


async def watch_restart(
    client: ConnectClient,
    name: str,
    awaited: Collection[str],
    failed_before: Collection[str],
    ask: Coroutine[Any, Any, None],
) -> tuple[Restarted, ConnectorStatus]:
    """Ask for a restart, and look at the status until all is proven or failed, or PROOF_S are over.

    It is looked at from before on: a task may be up again before the worker has answered.
    """
    outcome = Restarted(frozenset(awaited), frozenset(failed_before))
    deadline = time.monotonic() + PROOF_S
    asking = asyncio.ensure_future(ask)
    try:
        while True:
            was_asked = asking.done()
            if was_asked:
                asking.result()  # raises what went wrong with it
            status = await client.status(name)
            now = time.monotonic()
            outcome.look(status, now)
            if was_asked and (outcome.unseen(now) or now > deadline):
                return outcome, status
            await asyncio.sleep(_LOOK_S)
    finally:
        if not asking.done():
            asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
