"""What a Connect worker's REST API answers (Kafka 4.2), typed; fields that we do not know are kept.

Settings of connectors are left out of every repr: they may hold passwords.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Settings = dict[str, str | None]
"""A connector's configuration."""


class Answer(BaseModel):
    """Base of all answers: frozen, and open to fields of later versions."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        hide_input_in_errors=True,
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave out what we do not know: it may be anything."""
        known = type(self).model_fields
        return [(name, value) for name, value in super().__repr_args__() if name in known]


class State(StrEnum):
    """States of connectors and tasks; later versions may have others, so models hold text."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    UNASSIGNED = "UNASSIGNED"
    RESTARTING = "RESTARTING"
    DESTROYED = "DESTROYED"


class WorkerInfo(Answer):
    """A worker: GET /."""

    version: str
    commit: str = ""
    kafka_cluster_id: str = ""


class Health(Answer):
    """Whether a worker is ready (KIP-1017): GET /health."""

    status: str
    message: str = ""


class Plugin(Answer):
    """A class that the workers have: a connector, converter, transformation and so on."""

    class_name: str = Field(alias="class")
    type: str = ""
    version: str | None = None


class ConfigKey(Answer):
    """What a plugin says of one of its settings."""

    name: str
    type: str
    required: bool = False
    default_value: str | None = None
    importance: str = ""
    documentation: str | None = None
    group: str | None = None


class ConfigValue(Answer):
    """A setting as it was validated."""

    name: str
    value: str | None = Field(default=None, repr=False)
    errors: tuple[str, ...] = Field(default=(), repr=False)
    recommended_values: tuple[str | None, ...] = Field(default=(), repr=False)
    visible: bool = True


class ValidatedKey(Answer):
    """A setting with what the plugin says of it."""

    definition: ConfigKey
    value: ConfigValue


class Validation(Answer):
    """The answer of …/config/validate."""

    name: str
    error_count: int
    groups: tuple[str, ...] = ()
    configs: tuple[ValidatedKey, ...] = ()


class TaskId(Answer):
    """A task's place."""

    connector: str
    task: int


class Connector(Answer):
    """A connector with its settings: GET /connectors/NAME."""

    name: str
    config: Settings = Field(repr=False)
    tasks: tuple[TaskId, ...] = ()
    type: str = ""


class InstanceStatus(Answer):
    """Where a connector, or a task, runs and how it is; `trace` is Java's, of what it failed by."""

    state: str
    worker_id: str = ""
    trace: str | None = Field(default=None, repr=False)
    version: str | None = None


class TaskStatus(InstanceStatus):
    """A task."""

    id: int


class ConnectorStatus(Answer):
    """A connector and its tasks: GET /connectors/NAME/status."""

    name: str
    connector: InstanceStatus
    tasks: tuple[TaskStatus, ...] = ()
    type: str = ""

    def instances(self) -> dict[str, InstanceStatus]:
        """Return the connector and its tasks by what people call them."""
        return {"the connector": self.connector, **{f"task {each.id}": each for each in self.tasks}}


class Task(Answer):
    """A task with its settings: one of GET /connectors/NAME/tasks."""

    id: TaskId
    config: Settings = Field(repr=False)


class ConnectorAndStatus(Answer):
    """One of GET /connectors?expand=info&expand=status; either may be missing for a moment."""

    info: Connector | None = None
    status: ConnectorStatus | None = None


class Offset(Answer):
    """How far a connector is in one partition of its source (or topic); None: to be reset."""

    partition: dict[str, JsonValue]
    offset: dict[str, JsonValue] | None = None


class Offsets(Answer):
    """All of a connector's offsets (KIP-875)."""

    offsets: tuple[Offset, ...] = ()


class Message(Answer):
    """What a worker says of an act that it has done."""

    message: str = ""


class TopicNames(Answer):
    """The topics that a connector has used since it was made, or they were reset."""

    topics: tuple[str, ...] = ()


class LoggerLevel(Answer):
    """A logger's level; `last_modified` in ms since the epoch, None: never."""

    level: str | None = None
    last_modified: int | None = None
