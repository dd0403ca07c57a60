"""ConnectApi: EngineApi's namespace of the Kafka Connect clusters.

`endpoint` is a name of the configuration's section `connect`. All methods raise RefusedError for an
endpoint, connector or task that is not there, ConnectError when no worker answers or the login is
refused, ConfigError for a secret that is missing, and KafkaError for what a worker refuses.
Commands raise RefusedError when the engine or the endpoint is read-only. They end when the status
proves what was asked for, or say that it does not.
"""

from __future__ import annotations

from typing import Protocol

from engine.api.connect_snapshots import (
    ConnectorDetail,
    ConnectorProposal,
    ConnectorsPage,
    Endpoint,
    WorkerLoggers,
)
from engine.api.snapshots import CommandResult
from engine.connect.models import ConfigKey, Offset, Plugin, Settings, Task


class ConnectApi(Protocol):
    """Kafka Connect: look at connectors and steer them."""

    async def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the Connect clusters of the configuration; asks none of them."""
        ...

    async def connectors(self, endpoint: str) -> ConnectorsPage:
        """Return all connectors with the states of their tasks."""
        ...

    async def connector(self, endpoint: str, name: str) -> ConnectorDetail:
        """Return one connector."""
        ...

    async def tasks(self, endpoint: str, name: str) -> tuple[Task, ...]:
        """Return a connector's tasks with their settings."""
        ...

    async def offsets(self, endpoint: str, name: str) -> tuple[Offset, ...]:
        """Return how far a connector is."""
        ...

    async def plugins(self, endpoint: str, *, connectors_only: bool = True) -> tuple[Plugin, ...]:
        """Return the classes that the workers have."""
        ...

    async def plugin(self, endpoint: str, plugin: str) -> tuple[ConfigKey, ...]:
        """Return the settings that a plugin knows."""
        ...

    async def loggers(self, endpoint: str) -> tuple[WorkerLoggers, ...]:
        """Return the loggers of each worker of the configuration."""
        ...

    async def propose(
        self, endpoint: str, name: str, settings: Settings, *, patch: bool = False
    ) -> ConnectorProposal:
        """Have settings validated, and compare them with those that are there; changes nothing.

        What is hidden in them stays as it is. With `patch` they are changes to those that are
        there, None removing a key.
        """
        ...

    async def apply(
        self,
        endpoint: str,
        name: str,
        settings: Settings,
        *,
        patch: bool = False,
        initial_state: str | None = None,
    ) -> CommandResult:
        """Create a connector or change its settings, as `propose` takes them.

        `initial_state` is RUNNING, STOPPED or PAUSED, for one that is not there yet.
        """
        ...

    async def restart(self, endpoint: str, name: str, *, only_failed: bool = True) -> CommandResult:
        """Restart the connector and its tasks, or what of them has failed.

        Raises KafkaError when one fails again.
        """
        ...

    async def restart_task(self, endpoint: str, name: str, task: int) -> CommandResult:
        """Restart one task; raises KafkaError when it fails again."""
        ...

    async def pause(self, endpoint: str, name: str) -> CommandResult:
        """Let the tasks stand still where they are."""
        ...

    async def resume(self, endpoint: str, name: str) -> CommandResult:
        """Let it run again."""
        ...

    async def stop(self, endpoint: str, name: str) -> CommandResult:
        """End the tasks; the connector stays, and its offsets can be set."""
        ...

    async def delete(self, endpoint: str, name: str) -> CommandResult:
        """Delete a connector; its offsets stay."""
        ...

    async def set_offsets(
        self, endpoint: str, name: str, offsets: tuple[Offset, ...]
    ) -> CommandResult:
        """Set offsets; raises RefusedError when the connector is not STOPPED."""
        ...

    async def reset_offsets(self, endpoint: str, name: str) -> CommandResult:
        """Forget all offsets; raises RefusedError when the connector is not STOPPED."""
        ...

    async def reset_topics(self, endpoint: str, name: str) -> CommandResult:
        """Forget which topics a connector has used."""
        ...

    async def set_logger(
        self, endpoint: str, logger: str, level: str, *, worker: str | None = None
    ) -> CommandResult:
        """Set a level on every worker, or on the one with the URL `worker`."""
        ...
