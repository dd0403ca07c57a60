"""An EngineApi without a Kafka: what the socket's tests put behind the control server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue, SecretStr

from engine.api.cluster_snapshots import ClusterDetail, ClusterList, ConnectionTest
from engine.api.group_snapshots import GroupsPage
from engine.api.kept_snapshots import EventsPage, LogPage
from engine.api.loss_snapshots import HistorySnapshot, LossSnapshot
from engine.api.preview_snapshots import PreviewSnapshot, SelectionSnapshot
from engine.api.snapshots import (
    CommandResult,
    EngineMode,
    EngineSnapshot,
    Event,
    PartitionsPage,
)
from engine.config.flow_section import FlowConfig, TopicSelection

SNAPSHOT = EngineSnapshot(
    "0.1.0", "engine-1", EngineMode.SERVICE, "host", 1, "/c.yaml", False, 1.0, 2.0
)
NO_EVENTS = EventsPage((), "", older=False)
NO_LOG = LogPage("/ccr.log", (), "", "", older=False)


@dataclass
class RecordingEngine:
    """Answers with what it was given and remembers the commands."""

    given: EngineSnapshot = SNAPSHOT
    happened: tuple[Event, ...] = ()
    past: EventsPage = NO_EVENTS
    log_page: LogPage = NO_LOG
    pages: dict[str, PartitionsPage] = field(default_factory=dict)
    losses: dict[str, LossSnapshot] = field(default_factory=dict)
    histories: dict[str, HistorySnapshot] = field(default_factory=dict)
    groups_pages: dict[str, GroupsPage] = field(default_factory=dict)
    selections: dict[str, SelectionSnapshot] = field(default_factory=dict)
    previews: dict[str, PreviewSnapshot] = field(default_factory=dict)
    cluster_list: ClusterList = field(default_factory=lambda: ClusterList(2.0, ()))
    details: dict[str, ClusterDetail] = field(default_factory=dict)
    tests: dict[int, ConnectionTest] = field(default_factory=dict)
    calls: list[tuple[object, ...]] = field(default_factory=list)
    failure: Exception | None = None

    @property
    def flows(self) -> RecordingEngine:
        return self

    async def snapshot(self) -> EngineSnapshot:
        self._fail()
        return self.given

    async def events(self, since: int = 0) -> tuple[Event, ...]:
        return tuple(event for event in self.happened if event.id > since)

    async def older_events(self, before: int, place: str = "", limit: int = 500) -> EventsPage:
        self._fail()
        self.calls.append(("older_events", before, place, limit))
        return self.past

    async def log(self, *, before: str = "", after: str = "", limit: int = 500) -> LogPage:
        self._fail()
        self.calls.append(("log", before, after, limit))
        return self.log_page

    async def close(self) -> None:
        self.calls.append(("close",))

    async def partitions(self, flow: str, since: int = 0) -> PartitionsPage:
        self._fail()
        self.calls.append(("partitions", flow, since))
        return self.pages[flow]

    async def loss(self, flow: str, topic: str | None = None) -> LossSnapshot:
        self._fail()
        self.calls.append(("loss", flow, topic))
        return self.losses[flow]

    async def history(self, flow: str, topic: str | None = None) -> HistorySnapshot:
        self._fail()
        self.calls.append(("history", flow, topic))
        return self.histories[flow]

    async def groups(self, flow: str) -> GroupsPage:
        self._fail()
        self.calls.append(("groups", flow))
        return self.groups_pages[flow]

    async def select(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> SelectionSnapshot:
        self._fail()
        self.calls.append(("select", flow, tried))
        return self.selections[flow]

    async def preview(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> PreviewSnapshot:
        self._fail()
        self.calls.append(("preview", flow, tried))
        return self.previews[flow]

    @property
    def clusters(self) -> RecordingEngine:
        return self

    async def list(self) -> ClusterList:
        self._fail()
        self.calls.append(("list",))
        return self.cluster_list

    async def detail(self, name: str) -> ClusterDetail:
        self._fail()
        self.calls.append(("detail", name))
        return self.details[name]

    async def test(
        self,
        name: str,
        section: Mapping[str, JsonValue] | None = None,
        secrets: Mapping[str, SecretStr] | None = None,
    ) -> ConnectionTest:
        self._fail()
        self.calls.append(("test", name, section, secrets))
        return self.tests[1]

    async def tested(self, number: int) -> ConnectionTest:
        self._fail()
        self.calls.append(("tested", number))
        return self.tests[number]

    async def give_secret(self, cluster: str, key: str, value: SecretStr) -> CommandResult:
        return self._command("give_secret", cluster, key, value)

    async def pause(self, flow: str) -> CommandResult:
        return self._command("pause", flow)

    async def resume(self, flow: str) -> CommandResult:
        return self._command("resume", flow)

    async def retry(
        self,
        flow: str,
        topic: str | None = None,
        partition: int | None = None,
        *,
        accept: bool = False,
    ) -> CommandResult:
        return self._command("retry", flow, topic, partition, accept)

    async def limit(
        self, flow: str, bytes_per_second: int | None, topics: str | None = None
    ) -> CommandResult:
        return self._command("limit", flow, bytes_per_second, topics)

    async def take_over(self, flow: str) -> CommandResult:
        return self._command("take-over", flow)

    def _command(self, *call: object) -> CommandResult:
        self._fail()
        self.calls.append(call)
        return CommandResult(True, f"did {call[0]}")

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure
