"""Kafka Connect's REST API (Kafka 4.2), whole: a method an endpoint.

All methods raise what `engine.connect.transport.Transport.send` raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from engine.config.connect_section import ConnectConfig
from engine.connect.models import (
    ConfigKey,
    Connector,
    ConnectorAndStatus,
    ConnectorStatus,
    Health,
    LoggerLevel,
    Message,
    Offset,
    Offsets,
    Plugin,
    Settings,
    Task,
    TaskStatus,
    TopicNames,
    Validation,
    WorkerInfo,
)
from engine.connect.transport import Act, Query, Transport
from engine.errors import KafkaError

_Answer = TypeVar("_Answer")


class ConnectClient:
    """One Connect cluster."""

    def __init__(
        self, name: str, section: ConnectConfig, transport: Transport | None = None
    ) -> None:
        self.name = name
        self._transport = transport or Transport(name, section)

    @property
    def urls(self) -> tuple[str, ...]:
        """The workers that are configured."""
        return self._transport.urls

    async def close(self) -> None:
        """End the connections."""
        await self._transport.close()

    # workers

    async def worker(self, url: str | None = None) -> WorkerInfo:
        """Return version and Kafka cluster of a worker, of any when none is named."""
        return await self._get(WorkerInfo, "/", only=url)

    async def health(self, url: str | None = None) -> Health:
        """Return whether a worker is ready (Kafka 4.0 and newer); raises when it is not."""
        return await self._get(Health, "/health", only=url)

    async def loggers(self, url: str | None = None) -> dict[str, LoggerLevel]:
        """Return the levels of a worker's loggers."""
        return await self._get(dict[str, LoggerLevel], "/admin/loggers", only=url)

    async def logger(self, logger: str, url: str | None = None) -> LoggerLevel:
        """Return the level of one of a worker's loggers."""
        return await self._get(LoggerLevel, f"/admin/loggers/{_quoted(logger)}", only=url)

    async def set_logger(
        self, logger: str, level: str, *, everywhere: bool, url: str | None = None
    ) -> tuple[str, ...]:
        """Set a level on every worker, or on one; return that one's loggers that changed."""
        scope = "cluster" if everywhere else "worker"
        path = f"/admin/loggers/{_quoted(logger)}"
        act = Act("setting logger", logger)
        answer = await self._transport.send(
            act, "PUT", path, body={"level": level}, query={"scope": scope}, only=url
        )
        return _read(tuple[str, ...], answer or [], act)

    # plugins

    async def plugins(self, *, connectors_only: bool = True) -> tuple[Plugin, ...]:
        """Return the classes that the workers have."""
        query = {"connectorsOnly": "true" if connectors_only else "false"}
        return await self._get(tuple[Plugin, ...], "/connector-plugins", query)

    async def plugin_keys(self, plugin: str, version: str | None = None) -> tuple[ConfigKey, ...]:
        """Return the settings that a plugin knows."""
        query = {} if version is None else {"version": version}
        return await self._get(
            tuple[ConfigKey, ...], f"/connector-plugins/{_quoted(plugin)}/config", query
        )

    async def validate(self, plugin: str, settings: Settings) -> Validation:
        """Return what the plugin says of settings; changes nothing."""
        path = f"/connector-plugins/{_quoted(plugin)}/config/validate"
        act = Act("validating settings of", plugin)
        return _read(Validation, await self._transport.send(act, "PUT", path, body=settings), act)

    # connectors

    async def names(self) -> tuple[str, ...]:
        """Return the connectors' names."""
        return await self._get(tuple[str, ...], "/connectors")

    async def connectors(self) -> dict[str, ConnectorAndStatus]:
        """Return all connectors with settings and status."""
        expand = [("expand", "info"), ("expand", "status")]
        return await self._get(dict[str, ConnectorAndStatus], "/connectors", expand)

    async def create(
        self, name: str, settings: Settings, initial_state: str | None = None
    ) -> Connector:
        """Create a connector, RUNNING unless told otherwise (STOPPED, PAUSED: KIP-980)."""
        body: dict[str, Any] = {"name": name, "config": settings}
        if initial_state is not None:
            body["initial_state"] = initial_state
        act = Act("creating connector", name)
        return _read(
            Connector, await self._transport.send(act, "POST", "/connectors", body=body), act
        )

    async def connector(self, name: str) -> Connector:
        """Return a connector with its settings and tasks."""
        return await self._of(Connector, name)

    async def settings(self, name: str) -> Settings:
        """Return a connector's settings."""
        return await self._of(Settings, name, "config")

    async def put_settings(self, name: str, settings: Settings) -> Connector:
        """Replace a connector's settings, or create it."""
        act = Act("configuring connector", name)
        answer = await self._transport.send(act, "PUT", _path(name, "config"), body=settings)
        return _read(Connector, answer, act)

    async def patch_settings(self, name: str, changes: Settings) -> Connector:
        """Change some of a connector's settings; None removes one (KIP-477)."""
        act = Act("configuring connector", name)
        answer = await self._transport.send(act, "PATCH", _path(name, "config"), body=changes)
        return _read(Connector, answer, act)

    async def status(self, name: str) -> ConnectorStatus:
        """Return where a connector and its tasks run, and how they are."""
        return await self._of(ConnectorStatus, name, "status")

    async def topics(self, name: str) -> tuple[str, ...]:
        """Return the topics that it has used."""
        answer = await self._of(dict[str, TopicNames], name, "topics")
        return answer[name].topics if name in answer else ()

    async def reset_topics(self, name: str) -> None:
        """Forget which topics it has used."""
        await self._do("resetting the topics of connector", name, "PUT", "topics/reset")

    async def restart(
        self, name: str, *, include_tasks: bool, only_failed: bool
    ) -> ConnectorStatus | None:
        """Ask for a restart (KIP-745); return what is to restart, where the worker tells."""
        query = {"includeTasks": _boolean(include_tasks), "onlyFailed": _boolean(only_failed)}
        act = Act("restarting connector", name)
        answer = await self._transport.send(act, "POST", _path(name, "restart"), query=query)
        return None if answer is None else _read(ConnectorStatus, answer, act)

    async def pause(self, name: str) -> None:
        """Ask for a pause: the tasks stay where they are and do nothing."""
        await self._do("pausing connector", name, "PUT", "pause")

    async def resume(self, name: str) -> None:
        """Ask for it to run again, after a pause or a stop."""
        await self._do("resuming connector", name, "PUT", "resume")

    async def stop(self, name: str) -> None:
        """Ask for a stop: the tasks end (KIP-875)."""
        await self._do("stopping connector", name, "PUT", "stop")

    async def delete(self, name: str) -> None:
        """Delete a connector; its offsets stay."""
        await self._do("deleting connector", name, "DELETE")

    # tasks

    async def tasks(self, name: str) -> tuple[Task, ...]:
        """Return a connector's tasks with their settings."""
        return await self._of(tuple[Task, ...], name, "tasks")

    async def task_status(self, name: str, task: int) -> TaskStatus:
        """Return where a task runs and how it is."""
        return await self._of(TaskStatus, name, f"tasks/{task}/status")

    async def restart_task(self, name: str, task: int) -> None:
        """Ask for a restart of one task."""
        await self._do(
            f"restarting task {task} of connector", name, "POST", f"tasks/{task}/restart"
        )

    # offsets

    async def offsets(self, name: str) -> tuple[Offset, ...]:
        """Return a connector's offsets."""
        return (await self._of(Offsets, name, "offsets")).offsets

    async def set_offsets(self, name: str, offsets: Iterable[Offset]) -> str:
        """Set offsets of a connector that is STOPPED; return what the worker says."""
        body = {"offsets": [each.model_dump(mode="json") for each in offsets]}
        answer = await self._do("setting the offsets of connector", name, "PATCH", "offsets", body)
        return answer.message

    async def reset_offsets(self, name: str) -> str:
        """Forget all offsets of a connector that is STOPPED; return what the worker says."""
        answer = await self._do("resetting the offsets of connector", name, "DELETE", "offsets")
        return answer.message

    async def _get(
        self, answer: type[_Answer], path: str, query: Query = (), *, only: str | None = None
    ) -> _Answer:
        return await self._ask(Act("asking Kafka Connect", self.name), answer, path, query, only)

    async def _of(self, answer: type[_Answer], name: str, leaf: str = "") -> _Answer:
        return await self._ask(Act("reading connector", name), answer, _path(name, leaf))

    async def _ask(
        self, act: Act, answer: type[_Answer], path: str, query: Query = (), only: str | None = None
    ) -> _Answer:
        content = await self._transport.send(act, "GET", path, query=query, only=only)
        return _read(answer, content, act)

    async def _do(
        self, operation: str, name: str, method: str, leaf: str = "", body: Any = None
    ) -> Message:
        act = Act(operation, name)
        answer = await self._transport.send(act, method, _path(name, leaf), body=body)
        return _read(Message, answer or {}, act)


def _read(answer: type[_Answer], content: Any, act: Act) -> _Answer:
    try:
        return TypeAdapter(answer).validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = f"{'.'.join(map(str, first['loc']))} {first['msg']}"
        cause = f"the worker's answer is not Connect's: {what}"
        step = "Is there something between ccr and the worker?"
        raise KafkaError(act.operation, act.object, cause, step) from None


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _path(name: str, leaf: str = "") -> str:
    return f"/connectors/{_quoted(name)}" + (f"/{leaf}" if leaf else "")


def _boolean(value: bool) -> str:
    return "true" if value else "false"
