"""ConnectApi over the control socket."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from pydantic_core import to_jsonable_python

from engine.api.connect_snapshots import (
    ConnectorDetail,
    ConnectorProposal,
    ConnectorsPage,
    Endpoint,
    WorkerLoggers,
)
from engine.api.snapshots import CommandResult
from engine.connect.models import ConfigKey, Offset, Plugin, Settings, Task
from engine.service.connect_codec import CALLS
from engine.service.wire import Wire

_Answer = TypeVar("_Answer")
TIMEOUT_S = 200.0  # a worker may take 90 s for an answer, and the proof 30 s more


class RemoteConnect:
    """Implements ConnectApi; see there for the methods and what they raise."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the Connect clusters of the configuration."""
        return await self._ask(tuple[Endpoint, ...], "endpoints")

    async def connectors(self, endpoint: str) -> ConnectorsPage:
        """Return all connectors with the states of their tasks."""
        return await self._ask(ConnectorsPage, "connectors", endpoint=endpoint)

    async def connector(self, endpoint: str, name: str) -> ConnectorDetail:
        """Return one connector."""
        return await self._ask(ConnectorDetail, "connector", endpoint=endpoint, name=name)

    async def tasks(self, endpoint: str, name: str) -> tuple[Task, ...]:
        """Return a connector's tasks with their settings."""
        return await self._ask(tuple[Task, ...], "tasks", endpoint=endpoint, name=name)

    async def offsets(self, endpoint: str, name: str) -> tuple[Offset, ...]:
        """Return how far a connector is."""
        return await self._ask(tuple[Offset, ...], "offsets", endpoint=endpoint, name=name)

    async def plugins(self, endpoint: str, *, connectors_only: bool = True) -> tuple[Plugin, ...]:
        """Return the classes that the workers have."""
        return await self._ask(
            tuple[Plugin, ...], "plugins", endpoint=endpoint, connectors_only=connectors_only
        )

    async def plugin(self, endpoint: str, plugin: str) -> tuple[ConfigKey, ...]:
        """Return the settings that a plugin knows."""
        return await self._ask(tuple[ConfigKey, ...], "plugin", endpoint=endpoint, plugin=plugin)

    async def loggers(self, endpoint: str) -> tuple[WorkerLoggers, ...]:
        """Return the loggers of each worker of the configuration."""
        return await self._ask(tuple[WorkerLoggers, ...], "loggers", endpoint=endpoint)

    async def propose(
        self, endpoint: str, name: str, settings: Settings, *, patch: bool = False
    ) -> ConnectorProposal:
        """Have settings validated, and compare them with those that are there."""
        return await self._ask(
            ConnectorProposal,
            "propose",
            endpoint=endpoint,
            name=name,
            settings=settings,
            patch=patch,
        )

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
        return await self._of_connector(
            "apply", "writing", endpoint, name,
            settings=settings, patch=patch, initial_state=initial_state,
        )  # fmt: skip

    async def restart(self, endpoint: str, name: str, *, only_failed: bool = True) -> CommandResult:
        """Restart the connector and its tasks, or what of them has failed."""
        return await self._of_connector(
            "restart", "restarting", endpoint, name, only_failed=only_failed
        )

    async def restart_task(self, endpoint: str, name: str, task: int) -> CommandResult:
        """Restart one task."""
        return await self._of_connector("restart_task", "restarting", endpoint, name, task=task)

    async def pause(self, endpoint: str, name: str) -> CommandResult:
        """Let the tasks stand still where they are."""
        return await self._of_connector("pause", "pausing", endpoint, name)

    async def resume(self, endpoint: str, name: str) -> CommandResult:
        """Let it run again."""
        return await self._of_connector("resume", "resuming", endpoint, name)

    async def stop(self, endpoint: str, name: str) -> CommandResult:
        """End the tasks; the connector stays."""
        return await self._of_connector("stop", "stopping", endpoint, name)

    async def delete(self, endpoint: str, name: str) -> CommandResult:
        """Delete a connector; its offsets stay."""
        return await self._of_connector("delete", "deleting", endpoint, name)

    async def set_offsets(
        self, endpoint: str, name: str, offsets: tuple[Offset, ...]
    ) -> CommandResult:
        """Set offsets of a connector that is STOPPED."""
        return await self._of_connector(
            "set_offsets", "setting the offsets of", endpoint, name, offsets=offsets
        )

    async def reset_offsets(self, endpoint: str, name: str) -> CommandResult:
        """Forget all offsets of a connector that is STOPPED."""
        return await self._of_connector("reset_offsets", "resetting the offsets of", endpoint, name)

    async def reset_topics(self, endpoint: str, name: str) -> CommandResult:
        """Forget which topics a connector has used."""
        return await self._of_connector("reset_topics", "resetting the topics of", endpoint, name)

    async def set_logger(
        self, endpoint: str, logger: str, level: str, *, worker: str | None = None
    ) -> CommandResult:
        """Set a level on every worker, or on one."""
        arguments = {"endpoint": endpoint, "logger": logger, "level": level, "worker": worker}
        return await self._do("set_logger", "setting logger", logger, arguments)

    async def _of_connector(
        self, method: str, operation: str, endpoint: str, name: str, **more: Any
    ) -> CommandResult:
        arguments = {"endpoint": endpoint, "name": name, **more}
        return await self._do(method, f"{operation} connector", name, arguments)

    async def _do(
        self, method: str, operation: str, what: str, arguments: dict[str, Any]
    ) -> CommandResult:
        self._wire.check_may_change(operation, what)
        return await self._ask(CommandResult, method, **arguments)

    async def _ask(self, answer: type[_Answer], method: str, **arguments: Any) -> _Answer:
        body, call = to_jsonable_python(arguments), CALLS[method]
        path = f"/v1/connect/{method}"
        return cast("_Answer", await self._wire.ask(path, body, call.answer, TIMEOUT_S))
