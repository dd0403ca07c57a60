"""Connectors' settings written, and how the connector is with them."""

from __future__ import annotations

import time

from engine.api.snapshots import CommandResult
from engine.connect.client import ConnectClient
from engine.connect.hiding import hidden_in
from engine.connect.models import ConnectorStatus, Settings
from engine.connect.proving import (
    FAILED_FOR_S,
    RUNS_FOR_S,
    has_failed,
    has_settled,
    reached,
    states_of,
    told,
)
from engine.connect.settings import SecretKeys, Wanted, wanted
from engine.errors import CcrError, RefusedError

SETTLE_S = 15.0  # for tasks to come up after settings were written
UNMOVED_FOR_S = 3.0  # then new settings have moved no task, or so quickly that none was seen to
_OLDEST_WITH_PATCH = (3, 8)


class Writer:
    """Writes settings to one Connect cluster; errors are the client's."""

    def __init__(self, client: ConnectClient, keys: SecretKeys) -> None:
        self._client = client
        self._keys = keys

    async def apply(
        self, name: str, given: Settings, *, patch: bool, initial_state: str | None
    ) -> CommandResult:
        """Create a connector, or change its settings."""
        meant = await wanted(self._client, self._keys, name, given, patch=patch)
        if meant.current is not None and initial_state is not None:
            raise RefusedError(
                "creating connector", name, "it is there already", "Leave the initial state out"
            )
        changed = meant.changed()
        if meant.current is not None and not changed:
            return CommandResult(False, f"{name}: nothing changes")
        before = await self._status_now(name) if meant.current is not None else None
        try:
            await self._write(name, meant, changed, initial_state, patch=patch)
        except CcrError as error:
            raise _hiding(error, meant) from None
        status = await self._after_writing(name, before)
        what = "is created" if meant.current is None else f"has {_new_settings(len(changed))}"
        now = told(status) if status else "no status so far"
        text = hidden_in(f"{name} {what}; {now}", meant.settings, secret=meant.secret)
        return CommandResult(True, text)

    async def _after_writing(
        self, name: str, before: ConnectorStatus | None
    ) -> ConnectorStatus | None:
        """Wait for the tasks to have come up with new settings, as far as the status tells."""
        states = states_of(before) if before else {}
        has_moved = before is None
        settled_at: float | None = None

        def is_over(now: ConnectorStatus) -> bool:
            nonlocal has_moved, settled_at
            has_moved = has_moved or states_of(now) != states
            if not (has_moved and has_settled(now)):
                settled_at = None
                return False
            settled_at = settled_at or time.monotonic()
            # The connector comes up first, and what was told of its tasks may be from before.
            return has_failed(now) or time.monotonic() - settled_at >= RUNS_FOR_S

        patience = FAILED_FOR_S if before and has_failed(before) else UNMOVED_FOR_S
        there, status = await reached(self._client, name, is_over, patience if before else SETTLE_S)
        if has_moved and not there:
            _, status = await reached(self._client, name, is_over, SETTLE_S)
        return status

    async def _status_now(self, name: str) -> ConnectorStatus | None:
        try:
            return await self._client.status(name)
        except RefusedError:
            return None

    async def _write(
        self, name: str, meant: Wanted, changed: list[str], state: str | None, *, patch: bool
    ) -> None:
        if meant.current is None:
            await self._client.create(name, meant.settings, state)
        elif patch and await self._patches():
            changes = {key: meant.settings.get(key) for key in changed}
            await self._client.patch_settings(name, changes)
        else:
            await self._client.put_settings(name, meant.settings)

    async def _patches(self) -> bool:
        version = (await self._client.worker()).version.split("-")[0].split(".")
        numbers = tuple(int(part) for part in version[:2] if part.isdecimal())
        return numbers >= _OLDEST_WITH_PATCH


def _hiding(error: CcrError, meant: Wanted) -> CcrError:
    cause = hidden_in(error.cause, meant.settings, meant.current or {}, secret=meant.secret)
    return type(error)(
        error.operation, error.object, cause, error.next_step, retriable=error.retriable
    )


def _new_settings(number: int) -> str:
    return f"{number} new setting{'' if number == 1 else 's'}"
