"""What Kafka Connect's answers become for EngineApi: rows, and traces without secrets."""

from __future__ import annotations

from collections.abc import Collection

from engine.api.connect_snapshots import ConnectorRow, TaskRow, WorkerLoggers
from engine.connect.client import ConnectClient
from engine.connect.hiding import hidden_in
from engine.connect.models import ConnectorAndStatus, ConnectorStatus, InstanceStatus, Settings
from engine.connect.proving import first_line
from engine.connect.settings import CLASS
from engine.errors import CcrError, RefusedError


async def status_of(
    client: ConnectClient, name: str, settings: Settings, secret: Collection[str]
) -> ConnectorStatus | None:
    """Return the status without the secrets of the settings in its traces; None: none yet."""
    try:
        status = await client.status(name)
    except RefusedError:
        return None

    def without(instance: InstanceStatus) -> InstanceStatus:
        trace = instance.trace and hidden_in(instance.trace, settings, secret=secret)
        return instance.model_copy(update={"trace": trace})

    return status.model_copy(
        update={
            "connector": without(status.connector),
            "tasks": tuple(without(task) for task in sorted(status.tasks, key=lambda one: one.id)),
        }
    )


async def loggers_of(client: ConnectClient, url: str) -> WorkerLoggers:
    """Return a worker's loggers, or why it does not tell them."""
    try:
        return WorkerLoggers(url, await client.loggers(url))
    except CcrError as error:
        return WorkerLoggers(url, {}, str(error))


def row(name: str, found: ConnectorAndStatus, secret: Collection[str]) -> ConnectorRow:
    """Return a connector as a list shows it; `secret` are keys that its plugin says are."""
    settings = found.info.config if found.info else {}
    status = found.status
    if status is None:
        kind = found.info.type if found.info else ""
        return ConnectorRow(name, kind, settings.get(CLASS) or "", "UNASSIGNED", "", ())

    def cause(instance: InstanceStatus) -> str:
        trace = first_line(instance.trace) if instance.trace else ""
        return hidden_in(trace, settings, secret=secret)

    tasks = tuple(
        TaskRow(task.id, task.state, task.worker_id, cause(task))
        for task in sorted(status.tasks, key=lambda one: one.id)
    )
    own = status.connector
    return ConnectorRow(
        name, status.type, settings.get(CLASS) or "", own.state, own.worker_id, tasks, cause(own)
    )
