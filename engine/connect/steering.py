"""What is done to the connectors of one Connect cluster, each proven by what the workers tell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from engine.api.snapshots import CommandResult
from engine.connect.client import ConnectClient
from engine.connect.hiding import hidden_in
from engine.connect.models import ConnectorStatus, Offset, State
from engine.connect.proving import (
    PROOF_S,
    has_settled,
    in_state,
    reached,
    told,
    watch_restart,
)
from engine.connect.settings import CLASS, SecretKeys
from engine.connect.writing import Writer
from engine.errors import CcrError, KafkaError, RefusedError

FORGET_S = 3.0
_LOOK_S = 0.2
_CAN_RESTART = frozenset({State.RUNNING, State.FAILED})


class Steering:
    """Commands to one Connect cluster; errors are the client's."""

    def __init__(self, client: ConnectClient, keys: SecretKeys) -> None:
        self._client = client
        self._keys = keys
        self.apply = Writer(client, keys).apply

    async def restart(self, name: str, *, only_failed: bool) -> CommandResult:
        """Restart what has failed, or all that runs."""
        status = await self._client.status(name)
        instances = status.instances()
        failed = {key for key, each in instances.items() if each.state == State.FAILED}
        awaited = failed
        if not only_failed:
            awaited = {key for key, each in instances.items() if each.state in _CAN_RESTART}
        if not awaited:
            why = "nothing has failed" if only_failed else "nothing of it runs"
            now = await self._hidden(name, told(status))
            return CommandResult(False, f"{name} is not restarted, {why}: {now}")

        async def ask() -> None:
            planned = await self._client.restart(name, include_tasks=True, only_failed=only_failed)
            if planned is None:  # Kafka before 3.0 restarts the connector alone, always
                for task in status.tasks:
                    if f"task {task.id}" in awaited:
                        await self._client.restart_task(name, task.id)

        return await self._restarted(name, awaited, failed, ask())

    async def restart_task(self, name: str, task: int) -> CommandResult:
        """Restart one task."""
        key = f"task {task}"
        instance = (await self._client.status(name)).instances().get(key)
        if instance is None:
            raise RefusedError("restarting connector", name, f"it has no task {task}")
        failed = {key} if instance.state == State.FAILED else set[str]()
        return await self._restarted(name, {key}, failed, self._client.restart_task(name, task))

    async def _restarted(
        self, name: str, awaited: set[str], failed: set[str], ask: Coroutine[Any, Any, None]
    ) -> CommandResult:
        outcome, status = await watch_restart(self._client, name, awaited, failed, ask)
        if outcome.failed:
            causes = "; ".join(f"{key}: {why}" for key, why in sorted(outcome.failed.items()))
            raise await self._failure("restarting connector", name, f"it failed again: {causes}")
        now = time.monotonic()
        unproven = ", ".join(sorted(outcome.unproven(now)))
        if unproven and outcome.unseen(now):
            text = f"{name} was asked to restart and runs, but no status has shown the restart of"
            return CommandResult(True, f"{text} {unproven}")
        if unproven:
            cause = f"after {PROOF_S:.0f} s {unproven} does not run: {told(status)}"
            raise await self._failure("restarting connector", name, cause)
        return CommandResult(True, f"{name} has restarted: {', '.join(sorted(awaited))}")

    async def pause(self, name: str) -> CommandResult:
        """Pause, and wait until all tasks have."""
        return await self._bring(name, State.PAUSED, "pausing", self._client.pause)

    async def stop(self, name: str) -> CommandResult:
        """Stop, and wait until no task is left."""
        return await self._bring(name, State.STOPPED, "stopping", self._client.stop)

    async def resume(self, name: str) -> CommandResult:
        """Resume, and wait until all tasks run."""
        return await self._bring(name, State.RUNNING, "resuming", self._client.resume)

    async def _bring(
        self, name: str, state: State, operation: str, ask: Callable[[str], Awaitable[None]]
    ) -> CommandResult:
        before = await self._client.status(name)
        if in_state(before, state):
            return CommandResult(False, f"{name} is {state} already")
        if state is State.RUNNING and before.connector.state == State.RUNNING:
            step = f"Restart what has failed: ccr connect restart {name}"
            cause = await self._hidden(name, told(before))
            raise RefusedError(f"{operation} connector", name, cause, step)
        await ask(name)
        there, status = await reached(self._client, name, lambda now: _is_over(now, state), PROOF_S)
        if status is None or not there:
            now = told(status) if status else "it has no status"
            cause = f"it was asked to be {state}, and is not after {PROOF_S:.0f} s: {now}"
            raise await self._failure(f"{operation} connector", name, cause)
        if not in_state(status, state):
            raise await self._failure(f"{operation} connector", name, told(status))
        return CommandResult(True, f"{name} is {state}")

    async def delete(self, name: str) -> CommandResult:
        """Delete a connector, and wait until no worker lists it any more."""
        await self._client.delete(name)
        deadline = time.monotonic() + PROOF_S
        while name in await self._client.names():
            if time.monotonic() > deadline:
                cause = f"it is listed still after {PROOF_S:.0f} s"
                raise KafkaError("deleting connector", name, cause, "See the workers' logs")
            await asyncio.sleep(_LOOK_S)
        return CommandResult(True, f"{name} is deleted; its offsets are kept by Connect")

    # offsets, topics, loggers

    async def set_offsets(self, name: str, offsets: tuple[Offset, ...]) -> CommandResult:
        """Set offsets, and read them back."""
        await self._require_stopped("setting the offsets of connector", name)
        said = await self._client.set_offsets(name, offsets)
        now = await self._client.offsets(name)
        missing = [
            each
            for each in offsets
            if (each.offset is not None and each not in now)
            or (each.offset is None and any(other.partition == each.partition for other in now))
        ]
        if missing:
            # A plugin may write them in a form of its own.
            first = missing[0].partition
            text = (
                f"{said} Read back, {_count(len(missing), 'offset')} differ, first that of {first}"
            )
            return CommandResult(True, f"{name}: {text}")
        return CommandResult(True, f"{name}: {_count(len(offsets), 'offset')} set, and read back")

    async def reset_offsets(self, name: str) -> CommandResult:
        """Forget all offsets, and see that there are none."""
        await self._require_stopped("resetting the offsets of connector", name)
        if not await self._client.offsets(name):
            return CommandResult(False, f"{name} has no offsets")
        said = await self._client.reset_offsets(name)
        left = len(await self._client.offsets(name))
        return CommandResult(
            True, f"{name}: {f'{left} offsets are left. {said}' if left else said}"
        )

    async def _require_stopped(self, operation: str, name: str) -> None:
        status = await self._client.status(name)
        if not in_state(status, State.STOPPED):
            raise RefusedError(
                operation, name, f"it is {status.connector.state}, and has to be STOPPED",
                f"Stop it first: ccr connect stop {name}",
            )  # fmt: skip

    async def reset_topics(self, name: str) -> CommandResult:
        """Forget which topics it has used."""
        had = await self._client.topics(name)
        await self._client.reset_topics(name)
        deadline = time.monotonic() + FORGET_S
        while await self._client.topics(name) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)  # or it has used them again meanwhile
        return CommandResult(bool(had), f"{name}: {_count(len(had), 'topic')} forgotten")

    async def set_logger(self, logger: str, level: str, worker: str | None) -> CommandResult:
        """Set a logger's level, and read it from each worker."""
        level = level.upper()
        workers = self._client.urls if worker is None else (worker,)
        await self._client.set_logger(logger, level, everywhere=worker is None, url=worker)
        deadline = time.monotonic() + PROOF_S / 3
        others = await self._not_at(logger, level, workers)
        while others and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_S)
            others = await self._not_at(logger, level, others)
        if others:
            raise KafkaError(
                "setting logger", logger, f"it is not at {level} on {', '.join(others)}",
                "Do these workers run? See: ccr connect loggers",
            )  # fmt: skip
        return CommandResult(True, f"{logger} is at {level} on {', '.join(workers)}")

    async def _not_at(self, logger: str, level: str, workers: tuple[str, ...]) -> tuple[str, ...]:
        others = []
        for url in workers:
            try:
                found = (await self._client.logger(logger, url)).level
            except CcrError:
                found = None
            if found != level:
                others.append(url)
        return tuple(others)

    async def _failure(self, operation: str, name: str, cause: str) -> KafkaError:
        """Make the error of an act that did not lead where it was to."""
        step = f"See: ccr connect trace {name}"
        return KafkaError(operation, name, await self._hidden(name, cause), step)

    async def _hidden(self, name: str, text: str) -> str:
        settings = await self._client.settings(name)
        return hidden_in(text, settings, secret=await self._keys.of(settings.get(CLASS)))


def _is_over(status: ConnectorStatus, state: State) -> bool:
    """Whether it is in a state, but for what has failed: that stays so, unless it is stopped."""
    if state is State.STOPPED:
        return in_state(status, state)
    states = {each.state for each in status.instances().values()}
    return has_settled(status) and states <= {state, State.FAILED}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
