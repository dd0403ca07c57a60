"""ConnectApi in this process: on an engine's configuration, or on one alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from engine.api.connect_rows import loggers_of, row, status_of
from engine.api.connect_snapshots import (
    ConnectorDetail,
    ConnectorProposal,
    ConnectorsPage,
    Endpoint,
    SettingChange,
    SettingError,
    WorkerLoggers,
)
from engine.api.snapshots import CommandResult
from engine.config.connect_section import ConnectConfig
from engine.config.model import Config
from engine.connect.client import ConnectClient
from engine.connect.hiding import shown
from engine.connect.models import (
    ConfigKey,
    Offset,
    Plugin,
    Settings,
    Task,
)
from engine.connect.settings import CLASS, SecretKeys, errors_in, wanted
from engine.connect.steering import Steering
from engine.errors import ConnectError, RefusedError

_Answer = TypeVar("_Answer")


class _Open:
    """A Connect cluster that was asked before."""

    def __init__(self, name: str, section: ConnectConfig) -> None:
        self.section = section
        self.client = ConnectClient(name, section)
        self.keys = SecretKeys(self.client)
        self.steering = Steering(self.client, self.keys)
        self.questions = 0  # under way
        self.is_forgotten = False


class LocalConnectApi:
    """See engine.api.connect_protocol."""

    def __init__(self, config: Callable[[], Config], read_only: Callable[[], bool]) -> None:
        """Ask for the configuration anew each time: it may be changed meanwhile."""
        self._config = config
        self._read_only = read_only
        self._open: dict[str, _Open] = {}

    async def close(self) -> None:
        """End the connections."""
        opened = list(self._open.values())
        self._open.clear()
        await asyncio.gather(*(each.client.close() for each in opened))

    async def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the Connect clusters of the configuration."""
        return tuple(
            Endpoint(name, tuple(each.urls), each.environment.value, each.read_only)
            for name, each in self._config().connect.items()
        )

    async def connectors(self, endpoint: str) -> ConnectorsPage:
        """Return all connectors with the states of their tasks."""

        async def look(at: _Open) -> ConnectorsPage:
            worker, found = await asyncio.gather(at.client.worker(), at.client.connectors())
            rows = [
                row(name, each, await at.keys.of(each.info.config.get(CLASS) if each.info else ""))
                for name, each in found.items()
            ]
            rows.sort(key=lambda each: (not each.failed, each.name))
            return ConnectorsPage(
                endpoint, worker.version, worker.kafka_cluster_id, time.time(), tuple(rows)
            )

        return await self._ask(endpoint, look)

    async def connector(self, endpoint: str, name: str) -> ConnectorDetail:
        """Return one connector."""

        async def look(at: _Open) -> ConnectorDetail:
            connector = await at.client.connector(name)
            secret = await at.keys.of(connector.config.get(CLASS))
            hidden = connector.model_copy(update={"config": shown(connector.config, secret)})
            status = await status_of(at.client, name, connector.config, secret)
            return ConnectorDetail(endpoint, hidden, status, await at.client.topics(name))

        return await self._ask(endpoint, look)

    async def tasks(self, endpoint: str, name: str) -> tuple[Task, ...]:
        """Return a connector's tasks with their settings."""

        async def look(at: _Open) -> tuple[Task, ...]:
            secret = await at.keys.of((await at.client.settings(name)).get(CLASS))
            return tuple(
                task.model_copy(update={"config": shown(task.config, secret)})
                for task in await at.client.tasks(name)
            )

        return await self._ask(endpoint, look)

    async def offsets(self, endpoint: str, name: str) -> tuple[Offset, ...]:
        """Return how far a connector is."""
        return await self._ask(endpoint, lambda at: at.client.offsets(name))

    async def plugins(self, endpoint: str, *, connectors_only: bool = True) -> tuple[Plugin, ...]:
        """Return the classes that the workers have."""
        return await self._ask(
            endpoint, lambda at: at.client.plugins(connectors_only=connectors_only)
        )

    async def plugin(self, endpoint: str, plugin: str) -> tuple[ConfigKey, ...]:
        """Return the settings that a plugin knows."""
        return await self._ask(endpoint, lambda at: at.client.plugin_keys(plugin))

    async def loggers(self, endpoint: str) -> tuple[WorkerLoggers, ...]:
        """Return the loggers of each worker."""

        async def look(at: _Open) -> tuple[WorkerLoggers, ...]:
            return tuple(
                await asyncio.gather(*(loggers_of(at.client, url) for url in at.client.urls))
            )

        return await self._ask(endpoint, look)

    async def propose(
        self, endpoint: str, name: str, settings: Settings, *, patch: bool = False
    ) -> ConnectorProposal:
        """Have settings validated, and compare them with those that are there."""

        async def look(at: _Open) -> ConnectorProposal:
            meant = await wanted(at.client, at.keys, name, settings, patch=patch)
            validation = await at.client.validate(meant.plugin, meant.settings)
            before, after = meant.shown()
            changes = [
                SettingChange(key, before.get(key), after.get(key)) for key in meant.changed()
            ]
            errors = [SettingError(*each) for each in errors_in(validation, meant.settings)]
            exists = meant.current is not None
            return ConnectorProposal(
                endpoint, name, meant.plugin, exists, after, tuple(changes), tuple(errors)
            )

        return await self._ask(endpoint, look)

    async def apply(
        self,
        endpoint: str,
        name: str,
        settings: Settings,
        *,
        patch: bool = False,
        initial_state: str | None = None,
    ) -> CommandResult:
        """Create a connector or change its settings."""
        return await self._command(
            "writing connector", endpoint, name,
            lambda do: do.apply(name, settings, patch=patch, initial_state=initial_state),
        )  # fmt: skip

    async def restart(self, endpoint: str, name: str, *, only_failed: bool = True) -> CommandResult:
        """Restart the connector and its tasks, or what of them has failed."""
        return await self._command(
            "restarting connector", endpoint, name,
            lambda do: do.restart(name, only_failed=only_failed),
        )  # fmt: skip

    async def restart_task(self, endpoint: str, name: str, task: int) -> CommandResult:
        """Restart one task."""
        return await self._command(
            "restarting connector", endpoint, name, lambda do: do.restart_task(name, task)
        )

    async def pause(self, endpoint: str, name: str) -> CommandResult:
        """Let the tasks stand still where they are."""
        return await self._command("pausing connector", endpoint, name, lambda do: do.pause(name))

    async def resume(self, endpoint: str, name: str) -> CommandResult:
        """Let it run again."""
        return await self._command("resuming connector", endpoint, name, lambda do: do.resume(name))

    async def stop(self, endpoint: str, name: str) -> CommandResult:
        """End the tasks; the connector stays."""
        return await self._command("stopping connector", endpoint, name, lambda do: do.stop(name))

    async def delete(self, endpoint: str, name: str) -> CommandResult:
        """Delete a connector; its offsets stay."""
        return await self._command("deleting connector", endpoint, name, lambda do: do.delete(name))

    async def set_offsets(
        self, endpoint: str, name: str, offsets: tuple[Offset, ...]
    ) -> CommandResult:
        """Set offsets of a connector that is STOPPED."""
        return await self._command(
            "setting the offsets of connector", endpoint, name,
            lambda do: do.set_offsets(name, offsets),
        )  # fmt: skip

    async def reset_offsets(self, endpoint: str, name: str) -> CommandResult:
        """Forget all offsets of a connector that is STOPPED."""
        return await self._command(
            "resetting the offsets of connector", endpoint, name,
            lambda do: do.reset_offsets(name),
        )  # fmt: skip

    async def reset_topics(self, endpoint: str, name: str) -> CommandResult:
        """Forget which topics a connector has used."""
        return await self._command(
            "resetting the topics of connector", endpoint, name, lambda do: do.reset_topics(name)
        )

    async def set_logger(
        self, endpoint: str, logger: str, level: str, *, worker: str | None = None
    ) -> CommandResult:
        """Set a level on every worker, or on one."""
        if worker is not None and worker not in self._section(endpoint).urls:
            raise RefusedError(
                "setting logger", logger, f"{worker} is not one of connect.{endpoint}.urls"
            )
        return await self._command(
            "setting logger", endpoint, logger, lambda do: do.set_logger(logger, level, worker)
        )

    def _section(self, endpoint: str) -> ConnectConfig:
        known = self._config().connect
        if endpoint not in known:
            names = ", ".join(known) or "none"
            raise RefusedError(
                "finding Kafka Connect", endpoint, f"the section connect of the config has {names}",
                "Add it there: docs/config.md",
            )  # fmt: skip
        return known[endpoint]

    def may_change(self, operation: str, endpoint: str, what: str) -> None:
        """Raise RefusedError where nothing may be changed."""
        cause = ""
        if self._read_only():
            cause = "this engine is read-only"
        elif self._section(endpoint).read_only:
            cause = f"connect.{endpoint} is read-only in the config"
        if cause:
            step = "Start without --read-only, or change the config"
            raise RefusedError(operation, what, cause, step)

    async def _command(
        self, operation: str, endpoint: str, what: str,
        act: Callable[[Steering], Awaitable[CommandResult]],
    ) -> CommandResult:  # fmt: skip
        self.may_change(operation, endpoint, what)
        return await self._ask(endpoint, lambda at: act(at.steering))

    async def _ask(self, endpoint: str, question: Callable[[_Open], Awaitable[_Answer]]) -> _Answer:
        section = self._section(endpoint)
        opened = self._open.get(endpoint)
        if opened is None or opened.section is not section:
            await self._forget(endpoint)
            opened = self._open[endpoint] = _Open(endpoint, section)
        opened.questions += 1
        try:
            return await question(opened)
        except ConnectError:
            # Secrets and certificates are read again the next time: they may be others by then.
            if self._open.get(endpoint) is opened:
                await self._forget(endpoint)
            raise
        finally:
            opened.questions -= 1
            if opened.is_forgotten and not opened.questions:
                await opened.client.close()

    async def _forget(self, endpoint: str) -> None:
        opened = self._open.pop(endpoint, None)
        if opened is not None:
            opened.is_forgotten = True
            if not opened.questions:
                await opened.client.close()
