"""EngineApi over the control socket of a running engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine.api.group_snapshots import GroupsPage
from engine.api.kept_snapshots import EventsPage, LogPage
from engine.api.loss_snapshots import HistorySnapshot, LossSnapshot
from engine.api.preview_snapshots import PreviewSnapshot, SelectionSnapshot
from engine.api.snapshots import CommandResult, EngineSnapshot, Event, PartitionsPage
from engine.config.flow_section import FlowConfig, TopicSelection
from engine.service import codec
from engine.service.cluster_client import RemoteClusters
from engine.service.config_client import RemoteConfig
from engine.service.connect_client import RemoteConnect
from engine.service.runbook_client import RemoteRunbooks
from engine.service.wire import EngineGoneError, EngineHangsError, Wire

__all__ = ["EngineGoneError", "EngineHangsError", "RemoteEngineApi"]


class RemoteEngineApi:
    """Implements EngineApi; see there for the methods and what they raise.

    With `read_only` every command is refused here, whatever the engine would allow.
    """

    def __init__(self, socket: Path, *, read_only: bool = False) -> None:
        self._wire = Wire(socket, read_only=read_only)
        self._flows = RemoteFlows(self._wire)
        self._clusters = RemoteClusters(self._wire)
        self._config = RemoteConfig(self._wire)
        self._runbooks = RemoteRunbooks(self._wire)
        self._connect = RemoteConnect(self._wire)

    @property
    def flows(self) -> RemoteFlows:
        """The flows' namespace."""
        return self._flows

    @property
    def clusters(self) -> RemoteClusters:
        """The clusters' namespace."""
        return self._clusters

    @property
    def config(self) -> RemoteConfig:
        """The configuration's namespace."""
        return self._config

    @property
    def runbooks(self) -> RemoteRunbooks:
        """The runbooks' namespace."""
        return self._runbooks

    @property
    def connect(self) -> RemoteConnect:
        """Kafka Connect's namespace."""
        return self._connect

    async def snapshot(self) -> EngineSnapshot:
        """Return clusters and flows as they are now."""
        snapshot = await self._wire.get("/v1/snapshot", codec.SNAPSHOT)
        return replace(snapshot, read_only=True) if self._wire.read_only else snapshot

    async def events(self, since: int = 0) -> tuple[Event, ...]:
        """Return the events after id `since`, oldest first."""
        return await self._wire.get("/v1/events", codec.EVENTS, since=since)

    async def older_events(self, before: int, place: str = "", limit: int = 500) -> EventsPage:
        """Return events before the one with id `before`, from the file that keeps them."""
        query: dict[str, int | str] = {"before": before, "place": place, "limit": limit}
        return await self._wire.get("/v1/events/older", codec.OLDER_EVENTS, **query)

    async def log(self, *, before: str = "", after: str = "", limit: int = 500) -> LogPage:
        """Return records of the log file."""
        query: dict[str, int | str] = {"before": before, "after": after, "limit": limit}
        return await self._wire.get("/v1/log", codec.LOG, **query)

    async def close(self) -> None:
        """Close the connections; the engine keeps running."""
        await self._wire.close()


class RemoteFlows:
    """Implements FlowsApi."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def _command(self, flow: str, verb: str, **body: Any) -> CommandResult:
        return await self._wire.post(verb, flow, _path(flow, verb), body)

    async def partitions(self, flow: str, since: int = 0) -> PartitionsPage:
        """Return the flow's partitions that changed after version `since`."""
        return await self._wire.get(_path(flow, "partitions"), codec.PAGE, since=since)

    async def groups(self, flow: str) -> GroupsPage:
        """Return where consumer groups stand, as of the engine's last look."""
        return await self._wire.get(_path(flow, "groups"), codec.GROUPS)

    async def loss(self, flow: str, topic: str | None = None) -> LossSnapshot:
        """Return what would be lost if the source vanished now."""
        return await self._wire.get(_path(flow, "loss"), codec.LOSS, **_topic(topic))

    async def history(self, flow: str, topic: str | None = None) -> HistorySnapshot:
        """Return the last hour of a flow, or of a source topic."""
        return await self._wire.get(_path(flow, "history"), codec.HISTORY, **_topic(topic))

    async def select(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> SelectionSnapshot:
        """Return what the flow's regexes select, or others that are being tried."""
        return await self._wire.ask(_path(flow, "select"), _tried(tried), codec.SELECTION)

    async def preview(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> PreviewSnapshot:
        """Return what the flow does with each topic, and how large it is."""
        return await self._wire.ask(_path(flow, "preview"), _tried(tried), codec.PREVIEW)

    async def pause(self, flow: str) -> CommandResult:
        """Stop fetching; survives restarts."""
        return await self._command(flow, "pause")

    async def resume(self, flow: str) -> CommandResult:
        """Undo a pause."""
        return await self._command(flow, "resume")

    async def retry(
        self,
        flow: str,
        topic: str | None = None,
        partition: int | None = None,
        *,
        accept: bool = False,
    ) -> CommandResult:
        """Start stopped partitions again."""
        return await self._command(flow, "retry", topic=topic, partition=partition, accept=accept)

    async def limit(
        self, flow: str, bytes_per_second: int | None, topics: str | None = None
    ) -> CommandResult:
        """Set the rate limit of the flow, or of each topic that matches; None lifts it."""
        body = {} if topics is None else {"topics": topics}
        return await self._command(flow, "limit", bytes_per_second=bytes_per_second, **body)

    async def take_over(self, flow: str) -> CommandResult:
        """Claim the flow from the engine that owns it."""
        return await self._command(flow, "take-over")


def _topic(topic: str | None) -> dict[str, str]:
    return {} if topic is None else {"topic": topic}


def _tried(tried: TopicSelection | FlowConfig | None) -> dict[str, Any]:
    if tried is None:
        return {}
    kind = "section" if isinstance(tried, FlowConfig) else "topics"
    return {kind: tried.model_dump(mode="json", exclude_unset=True)}


def _path(flow: str, leaf: str) -> str:
    return f"/v1/flows/{quote(flow, safe='')}/{leaf}"
