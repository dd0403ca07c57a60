"""EngineApi on an engine in this process: the one place where read-only is enforced."""

from __future__ import annotations

import asyncio
import logging

from engine.api.group_snapshots import GroupsPage
from engine.api.kept_snapshots import EventsPage, LogPage
from engine.api.local_clusters import LocalClustersApi
from engine.api.local_config import LocalConfigApi
from engine.api.local_connect import LocalConnectApi
from engine.api.local_runbooks import LocalRunbooksApi
from engine.api.loss_snapshots import HistorySnapshot, LossSnapshot
from engine.api.preview_snapshots import PreviewSnapshot, SelectionSnapshot
from engine.api.snapshots import CommandResult, EngineSnapshot, Event, PartitionsPage
from engine.config.flow_section import FlowConfig, TopicSelection
from engine.config.regexes import check_regex
from engine.engine import Engine
from engine.errors import CcrError, ConfigError, ConnectError, RefusedError
from engine.kafka.connection import ConnectionLostError
from engine.kept.files import KeptFiles
from engine.reload.reloader import Reloader
from engine.replication.loss_report import with_groups
from engine.replication.topics.candidates import Candidates
from engine.replication.topics.neighbours import written_by_others
from engine.replication.topics.preview import Previewer
from engine.runbook.desk import Desk

log = logging.getLogger(__name__)

GROUPS_WAIT_S = 5.0  # for a look at the groups, where no syncer has looked


class LocalFlowsApi:
    """The flows' namespace."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._candidates = Candidates()

    def may_change(self, operation: str, flow: str) -> None:
        """Raise RefusedError where the flow may not be changed."""
        section = self._engine.flow(flow).config
        clusters = self._engine.config.clusters
        cause = ""
        if self._engine.read_only:
            cause = "this engine is read-only"
        elif clusters[section.target].read_only:
            cause = f"cluster {section.target} is read-only in the config"
        if cause:
            raise RefusedError(
                operation, flow, cause, "Start without --read-only, or change the config"
            )

    async def partitions(self, flow: str, since: int = 0) -> PartitionsPage:
        """Return the flow's partitions that changed after version `since`."""
        return self._engine.flow(flow).board.page(since)

    async def groups(self, flow: str) -> GroupsPage:
        """Return where consumer groups stand, as of the engine's last look, or look now."""
        try:
            return await self._engine.flow(flow).groups()
        except ConnectionLostError as error:
            raise ConnectError("looking at the groups of flow", flow, str(error)) from error

    async def loss(self, flow: str, topic: str | None = None) -> LossSnapshot:
        """Return what would be lost if the source vanished now, and what is read again."""
        running = self._engine.flow(flow)
        away = self._engine.why_away(running.config.source)
        loss = await running.loss(topic, away)
        try:
            async with asyncio.timeout(GROUPS_WAIT_S):
                return with_groups(loss, await running.groups())
        except (TimeoutError, CcrError, ConnectionLostError) as error:
            # Shown as groups that were not looked at; what would be lost must not wait for them.
            log.warning("groups of flow %s are not known: %s", flow, error)
            return loss

    async def history(self, flow: str, topic: str | None = None) -> HistorySnapshot:
        """Return the last hour of a flow, or of a source topic."""
        return self._engine.flow(flow).losses.history(topic)

    async def select(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> SelectionSnapshot:
        """Return what the flow's regexes select, or others that are being tried."""
        return await self._previewer(flow, tried).select(_topics(tried))

    async def preview(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> PreviewSnapshot:
        """Return what the flow does with each topic, and how large it is."""
        previewer = self._previewer(flow, tried)
        flows, clusters = self._engine.config.flows, self._engine.clusters
        target = previewer.clusters[1].name
        written, notes = await written_by_others(flow, target, flows, clusters)
        return await previewer.preview(_topics(tried), written, notes)

    def _previewer(self, flow: str, tried: TopicSelection | FlowConfig | None) -> Previewer:
        if not isinstance(tried, FlowConfig):
            return self._engine.flow(flow).previewer
        running = self._engine.flows.get(flow)
        own = running.previewer if running else None
        return self._candidates.previewer(flow, tried, self._engine.clusters, own)

    async def pause(self, flow: str) -> CommandResult:
        """Stop fetching; what is in flight is finished."""
        self.may_change("pausing flow", flow)
        changed = await self._engine.flow(flow).set_paused(True)
        return CommandResult(changed, f"{flow} is paused" if changed else "already_paused")

    async def resume(self, flow: str) -> CommandResult:
        """Undo a pause."""
        self.may_change("resuming flow", flow)
        changed = await self._engine.flow(flow).set_paused(False)
        return CommandResult(changed, f"{flow} goes on" if changed else "already_running")

    async def retry(
        self,
        flow: str,
        topic: str | None = None,
        partition: int | None = None,
        *,
        accept: bool = False,
    ) -> CommandResult:
        """Start stopped partitions again."""
        self.may_change("retrying flow", flow)
        count = self._engine.flow(flow).retry(topic, partition, accept=accept)
        return CommandResult(
            count > 0, f"{count} partitions start again" if count else "already_running"
        )

    async def limit(
        self, flow: str, bytes_per_second: int | None, topics: str | None = None
    ) -> CommandResult:
        """Set the rate limit of the flow, or of each topic that matches, until the engine ends."""
        self.may_change("limiting flow", flow)
        limiter = self._engine.flow(flow).limiter
        words = "no limit" if bytes_per_second is None else f"{bytes_per_second} bytes a second"
        if topics is None:
            changed = limiter.bytes_per_second != bytes_per_second
            limiter.bytes_per_second = bytes_per_second
        else:
            try:
                changed = limiter.limit_topics(check_regex(topics), bytes_per_second)
            except ValueError as error:
                raise ConfigError("limiting topics", topics, str(error)) from None
            words += f" for each topic that matches {topics}"
        return CommandResult(changed, f"{flow}: {words}" if changed else "already_set")

    async def take_over(self, flow: str) -> CommandResult:
        """Claim the flow from the engine that owns it."""
        self.may_change("taking over flow", flow)
        changed = self._engine.flow(flow).take_over()
        return CommandResult(changed, f"taking over {flow}" if changed else "already_owned")


def _topics(tried: TopicSelection | FlowConfig | None) -> TopicSelection | None:
    """Return regexes that are tried by themselves; a section has its own."""
    return tried if isinstance(tried, TopicSelection) else None


class LocalEngineApi:
    """See engine.api.protocol."""

    def __init__(
        self,
        engine: Engine,
        reloader: Reloader | None = None,
        desk: Desk | None = None,
        kept: KeptFiles | None = None,
    ) -> None:
        self._engine = engine
        reloader = reloader or Reloader(engine)
        self.desk = desk or Desk(engine, reloader, None)
        self._kept = kept or KeptFiles()
        self._flows = LocalFlowsApi(engine)
        self._clusters = LocalClustersApi(engine)
        self._config = LocalConfigApi(engine, reloader)
        self._runbooks = LocalRunbooksApi(self.desk, self._flows, self._flows.may_change)
        self._connect = LocalConnectApi(lambda: engine.config, lambda: engine.read_only)

    @property
    def flows(self) -> LocalFlowsApi:
        """The flows' namespace."""
        return self._flows

    @property
    def clusters(self) -> LocalClustersApi:
        """The clusters' namespace."""
        return self._clusters

    @property
    def config(self) -> LocalConfigApi:
        """The configuration's namespace."""
        return self._config

    @property
    def runbooks(self) -> LocalRunbooksApi:
        """The runbooks' namespace."""
        return self._runbooks

    @property
    def connect(self) -> LocalConnectApi:
        """Kafka Connect's namespace."""
        return self._connect

    async def snapshot(self) -> EngineSnapshot:
        """Return clusters and flows as they are now."""
        return self._engine.snapshot()

    async def events(self, since: int = 0) -> tuple[Event, ...]:
        """Return the events after id `since`, oldest first."""
        return self._engine.events.since(since)

    async def older_events(self, before: int, place: str = "", limit: int = 500) -> EventsPage:
        """Return events before the one with id `before`, from the file that keeps them."""
        return await self._kept.events(before, place, limit)

    async def log(self, *, before: str = "", after: str = "", limit: int = 500) -> LogPage:
        """Return records of the log file."""
        return await self._kept.log(before=before, after=after, limit=limit)

    async def close(self) -> None:
        """End what was opened for questions; the engine belongs to whoever made it."""
        await self._connect.close()
