"""What EngineApi tells of Kafka Connect clusters besides their own answers (engine.connect.models).

Secrets in settings are hidden in all of it (engine.connect.hiding).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.connect.models import Connector, ConnectorStatus, LoggerLevel, Settings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Connect cluster of the configuration; nobody was asked."""

    name: str
    urls: tuple[str, ...]
    environment: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task; `cause` is the last cause of its trace, in one line, empty when it has none."""

    id: int
    state: str
    worker: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class ConnectorRow:
    """A connector in a list. `cause` is the connector's own, not its tasks'."""

    name: str
    type: str
    plugin: str
    state: str
    worker: str
    tasks: tuple[TaskRow, ...]
    cause: str = ""

    @property
    def failed(self) -> bool:
        """Whether the connector or one of its tasks has failed."""
        return "FAILED" in (self.state, *(task.state for task in self.tasks))


@dataclass(frozen=True, slots=True)
class ConnectorsPage:
    """The connectors of a Connect cluster, those that failed first; `taken_at` since the epoch."""

    endpoint: str
    version: str
    kafka_cluster_id: str
    taken_at: float
    connectors: tuple[ConnectorRow, ...]


@dataclass(frozen=True, slots=True)
class ConnectorDetail:
    """A connector with its settings, its status, and the topics that it has used."""

    endpoint: str
    connector: Connector
    status: ConnectorStatus | None
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SettingError:
    """What a plugin says is wrong with a setting."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that differs; None: it is not there. A secret that differs is hidden on both."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ConnectorProposal:
    """What writing settings would do, and what the plugin says is wrong with them."""

    endpoint: str
    connector: str
    plugin: str
    exists: bool
    settings: Settings
    changes: tuple[SettingChange, ...]
    errors: tuple[SettingError, ...]


@dataclass(frozen=True, slots=True)
class WorkerLoggers:
    """The loggers of one worker; `problem` where it does not answer."""

    url: str
    levels: dict[str, LoggerLevel]
    problem: str = ""
