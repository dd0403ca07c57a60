"""EngineApi: the one typed, async door to an engine, in namespaces.

`engine.api.local` opens it on an engine in this process; `engine.service.client` over the control
socket of another. Screens, command line and control socket know only this.
Commands raise `engine.errors.RefusedError` (read-only, unknown name, wrong state) or
`engine.errors.ConnectError` (the engine is gone).
"""

from __future__ import annotations

from typing import Protocol

from engine.api.cluster_protocol import ClustersApi
from engine.api.config_protocol import ConfigApi
from engine.api.connect_protocol import ConnectApi
from engine.api.group_snapshots import GroupsPage
from engine.api.kept_snapshots import EventsPage, LogPage
from engine.api.loss_snapshots import HistorySnapshot, LossSnapshot
from engine.api.preview_snapshots import PreviewSnapshot, SelectionSnapshot
from engine.api.runbook_protocol import RunbooksApi
from engine.api.snapshots import CommandResult, EngineSnapshot, Event, PartitionsPage
from engine.config.flow_section import FlowConfig, TopicSelection


class FlowsApi(Protocol):
    """Flows: look at them and steer them."""

    async def partitions(self, flow: str, since: int = 0) -> PartitionsPage:
        """Return the flow's partitions that changed after version `since`."""
        ...

    async def groups(self, flow: str) -> GroupsPage:
        """Return where consumer groups stand, as of the engine's last look, or look now.

        Raises also TooSlowError (a regex), and KafkaError.
        """
        ...

    async def loss(self, flow: str, topic: str | None = None) -> LossSnapshot:
        """Return what would be lost if the source vanished now, and what groups would read again.

        With `topic`, a source topic, also each of its partitions. Answers when clusters are away:
        then from what was seen last, which the answer says.
        """
        ...

    async def history(self, flow: str, topic: str | None = None) -> HistorySnapshot:
        """Return the last hour of a flow, or of a source topic.

        A topic has points since it was among the worst, or was asked for.
        """
        ...

    async def select(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> SelectionSnapshot:
        """Return what the flow's regexes select, or others that are being tried; quick.

        `tried` may be a whole section, too: then there need not be such a flow yet.
        Raises also TooSlowError (a regex), and KafkaError.
        """
        ...

    async def preview(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> PreviewSnapshot:
        """Return what the flow does with each topic, and how large it is; takes a second or more.

        With `tried`, as `select` takes it, what it would do. Raises as `select` does. Changes
        nothing.
        """
        ...

    async def pause(self, flow: str) -> CommandResult:
        """Stop fetching; what is in flight is finished. Survives restarts."""
        ...

    async def resume(self, flow: str) -> CommandResult:
        """Undo a pause."""
        ...

    async def retry(
        self,
        flow: str,
        topic: str | None = None,
        partition: int | None = None,
        *,
        accept: bool = False,
    ) -> CommandResult:
        """Start stopped partitions again: all of the flow, of one topic, or one alone.

        `accept` lets them go on, once, over what their policy stops for: a gap, a topic created
        anew, a record that cannot be mirrored.
        """
        ...

    async def limit(
        self, flow: str, bytes_per_second: int | None, topics: str | None = None
    ) -> CommandResult:
        """Set the flow's rate limit until the engine ends; None lifts it.

        With `topics`, a regex, set what each source topic may take whose whole name matches.
        """
        ...

    async def take_over(self, flow: str) -> CommandResult:
        """Claim the flow from the engine that owns it; that engine stands down."""
        ...


class EngineApi(Protocol):
    """An engine, here or behind its socket."""

    @property
    def flows(self) -> FlowsApi:
        """The flows' namespace."""
        ...

    @property
    def clusters(self) -> ClustersApi:
        """The clusters' namespace."""
        ...

    @property
    def config(self) -> ConfigApi:
        """The configuration's namespace."""
        ...

    @property
    def runbooks(self) -> RunbooksApi:
        """The runbooks' namespace."""
        ...

    @property
    def connect(self) -> ConnectApi:
        """Kafka Connect's namespace."""
        ...

    async def snapshot(self) -> EngineSnapshot:
        """Return clusters and flows as they are now."""
        ...

    async def events(self, since: int = 0) -> tuple[Event, ...]:
        """Return the events after id `since`, oldest first, as far as the ring (1,000) reaches."""
        ...

    async def older_events(self, before: int, place: str = "", limit: int = 500) -> EventsPage:
        """Return events before the one with id `before`, from the file that keeps them.

        `place` is the last page's: what is before that page. An answer may be empty and still say
        that there may be older ones. Raises CcrError when the file cannot be read.
        """
        ...

    async def log(self, *, before: str = "", after: str = "", limit: int = 500) -> LogPage:
        """Return records of the log file: before a place, after one, or the newest.

        Places are the `start` and `end` of a page. Raises RefusedError (there is no log file),
        ConfigError (no place), CcrError when the file cannot be read.
        """
        ...

    async def close(self) -> None:
        """Let go of the engine (a remote one keeps running)."""
        ...
