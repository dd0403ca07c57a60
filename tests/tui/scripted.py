"""An EngineApi in memory whose every answer is set by the test.

`python -m tests.tui.scripted --help` opens the console on it with moving numbers, to see the
screens while working on them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Iterable
from dataclasses import replace

from engine.api.group_snapshots import GroupsPage
from engine.api.kept_snapshots import EventsPage, LogPage
from engine.api.loss_snapshots import HistorySnapshot, LossSnapshot
from engine.api.preview_snapshots import PreviewSnapshot, SelectionSnapshot
from engine.api.snapshots import (
    ClusterSnapshot,
    CommandResult,
    EngineMode,
    EngineSnapshot,
    Event,
    FlowSnapshot,
    FlowState,
    Owner,
    PartitionSnapshot,
    PartitionsPage,
    PartitionState,
    RatePoint,
    Reason,
    Severity,
    Trend,
)
from engine.config.flow_section import FlowConfig, TopicSelection
from engine.errors import CcrError, ConnectError
from tests.tui.scripted_clusters import ScriptedClusters
from tests.tui.scripted_config import ScriptedConfig
from tests.tui.scripted_connection import ScriptedConnections
from tests.tui.scripted_kept import ScriptedKept, small_log
from tests.tui.scripted_lag import hour
from tests.tui.scripted_runbooks import ScriptedRunbooks
from tests.tui.scripted_topics import ScriptedTopics
from tests.tui.standings import groups_now, loss_now

LOOKING = frozenset({"partitions", "history", "loss", "groups", "list", "detail", "plan", "runs"})
LOOKING |= {"log", "older_events"}
T0 = 1_763_800_000.0
"""The scripted engine's clock at the start."""
OWNER = Owner("e-1", "dr-host-1", 4711, 7, T0)
ELSEWHERE = Owner("e-9", "dr-host-2", 815, 12, T0)


def history(level: int, points: int = 120) -> tuple[RatePoint, ...]:
    """Two minutes that rise and fall."""
    return tuple(
        RatePoint(T0 - points + i, 1000.0 + 30 * (i % 17), 1_000_000.0, (level * (i % 40)) // 10)
        for i in range(points)
    )


def make_flow(name: str = "primary-to-dr", **changes: object) -> FlowSnapshot:
    """A flow that runs well."""
    flow = FlowSnapshot(
        name=name,
        source="primary",
        target="dr",
        state=FlowState.RUNNING,
        reason=None,
        owner=OWNER,
        owned_here=True,
        topics=3,
        partitions=18,
        partitions_stopped=0,
        partitions_waiting=0,
        lag_records=1204,
        lag_seconds=0.8,
        records_per_second=48_123.4,
        bytes_per_second=12.9e6,
        records_total=1_203_444,
        bytes_total=3_400_000_000,
        limit_bytes_per_second=None,
        history=history(900),
        observed_at=T0,
    )
    return replace(flow, **changes)  # type: ignore[arg-type]


def make_partition(topic: str, partition: int, **changes: object) -> PartitionSnapshot:
    """A partition in step."""
    end = 1_000_000 + 1000 * partition
    snapshot = PartitionSnapshot(
        flow="primary-to-dr",
        topic=topic,
        partition=partition,
        target_topic=topic,
        state=PartitionState.RUNNING,
        reason=None,
        source_end=end,
        mirrored_to=end,
        target_end=end,
        lag_records=0,
        lag_seconds=0.0,
        records_per_second=120.0,
        bytes_per_second=24_000.0,
        trend=Trend.IN_STEP,
        observed_at=T0,
    )
    return replace(snapshot, **changes)  # type: ignore[arg-type]


STOPPED = Reason(
    "the target refused a batch: RECORD_TOO_LARGE, 1,203,441 bytes at source offset 1,002,113 "
    "while max.message.bytes of orders.eu on dr is 1,048,588",
    "Raise max.message.bytes of orders.eu on dr to at least 1,203,441, then retry the partition "
    "(r).",
    since=T0 - 312,
    retriable=False,
)


def small_partitions() -> list[PartitionSnapshot]:
    """A handful in every state that matters."""
    return [
        make_partition("orders.eu", 0),
        make_partition(
            "orders.eu",
            1,
            state=PartitionState.STOPPED,
            reason=STOPPED,
            trend=Trend.STALLED,
            mirrored_to=999_000,
            target_end=998_000,
            lag_records=2_000,
            lag_seconds=312.0,
            records_per_second=0.0,
            bytes_per_second=0.0,
        ),
        make_partition(
            "orders.eu",
            2,
            trend=Trend.GROWING,
            mirrored_to=1_000_796,
            lag_records=1204,
            lag_seconds=0.8,
        ),
        make_partition(
            "orders.us",
            0,
            trend=Trend.DRAINING,
            mirrored_to=999_995,
            lag_records=5,
            lag_seconds=0.1,
        ),
        make_partition(
            "payments",
            0,
            state=PartitionState.WAITING,
            reason=Reason("the leader on dr is not available (broker 2)", "", since=T0 - 4),
            trend=Trend.STALLED,
            mirrored_to=None,
            target_end=None,
            lag_records=None,
            lag_seconds=None,
            records_per_second=0.0,
            bytes_per_second=0.0,
        ),
        make_partition("payments", 1),
    ]


SMALL_EVENTS = (
    Event(
        1,
        T0 - 900,
        Severity.INFO,
        "primary-to-dr",
        "started; 17 of 18 partitions resumed where they were",
    ),
    Event(
        2,
        T0 - 312,
        Severity.ERROR,
        "primary-to-dr/orders.eu/1",
        "stopped: the target refused a batch: RECORD_TOO_LARGE",
        "Raise max.message.bytes of orders.eu on dr, then retry the partition.",
    ),
    Event(
        3,
        T0 - 4,
        Severity.WARNING,
        "dr",
        "broker 2 does not answer",
        "It is tried again by itself.",
    ),
)


class ScriptedFlows:
    """The flows' namespace: remembers what was asked, answers as the engine would."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self._engine = engine

    async def partitions(self, flow: str, since: int = 0) -> PartitionsPage:
        engine = self._engine
        await engine.asked("partitions", flow, since)
        changed = tuple(p for p in engine.partitions.values() if p.version > since)
        removed = tuple(key for version, key in engine.removed if since and version > since)
        return PartitionsPage(flow, engine.version, len(engine.partitions), changed, removed)

    async def history(self, flow: str, topic: str | None = None) -> HistorySnapshot:
        engine = self._engine
        await engine.asked("history", flow, topic)
        kept = engine.hours.get(topic)
        return hour(flow, topic, engine.current.taken_at) if kept is None else kept

    async def loss(self, flow: str, topic: str | None = None) -> LossSnapshot:
        await self._engine.asked("loss", flow, topic)
        return self._engine.losses(flow, topic, T0)

    async def groups(self, flow: str) -> GroupsPage:
        await self._engine.asked("groups", flow)
        return self._engine.groups(flow, T0)

    async def pause(self, flow: str) -> CommandResult:
        await self._engine.asked("pause", flow)
        reason = Reason(
            "paused by an operator", "Resume it when the target may be written again.", since=T0
        )
        self._engine.set_flow(flow, state=FlowState.PAUSED, reason=reason)
        return CommandResult(True, f"{flow} is paused")

    async def resume(self, flow: str) -> CommandResult:
        await self._engine.asked("resume", flow)
        self._engine.set_flow(flow, state=FlowState.RUNNING, reason=None)
        return CommandResult(True, f"{flow} runs again")

    async def retry(
        self,
        flow: str,
        topic: str | None = None,
        partition: int | None = None,
        *,
        accept: bool = False,
    ) -> CommandResult:
        accepted = ("accept",) if accept else ()
        await self._engine.asked("retry", flow, topic, partition, *accepted)
        return CommandResult(
            True, f"{topic}/{partition} is started again" if topic else f"{flow}: started again"
        )

    async def limit(
        self, flow: str, bytes_per_second: int | None, topics: str | None = None
    ) -> CommandResult:
        await self._engine.asked("limit", flow, bytes_per_second)
        return CommandResult(True, "limited")

    async def select(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> SelectionSnapshot:
        return await self._engine.source_topics.select(flow, tried)

    async def preview(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> PreviewSnapshot:
        return await self._engine.source_topics.preview(flow, tried)

    async def take_over(self, flow: str) -> CommandResult:
        await self._engine.asked("take_over", flow)
        self._engine.set_flow(flow, state=FlowState.RUNNING, owner=OWNER, owned_here=True)
        return CommandResult(True, f"{flow} is taken over")


class ScriptedEngine:
    """An engine that does what it is told, at once."""

    def __init__(
        self,
        flows: Iterable[FlowSnapshot] = (),
        partitions: Iterable[PartitionSnapshot] = (),
        events: Iterable[Event] = (),
        *,
        environment: str = "development",
        mode: EngineMode = EngineMode.EMBEDDED,
        read_only: bool = False,
    ) -> None:
        self._flows_api = ScriptedFlows(self)
        self._clusters_api = ScriptedClusters(self)
        self.config = ScriptedConfig()
        self.connections = ScriptedConnections()
        self.source_topics = ScriptedTopics(self.config.flow)
        self.hours: dict[str | None, HistorySnapshot] = {}
        self.losses = loss_now
        self.groups = groups_now
        self.runbooks = ScriptedRunbooks(self.asked, loss_now, T0)
        self.version = 1
        self.partitions: dict[tuple[str, int], PartitionSnapshot] = {}
        self.removed: list[tuple[int, tuple[str, int]]] = []
        self.ring: list[Event] = list(events)
        self.kept = ScriptedKept()
        self.calls: list[tuple[object, ...]] = []
        self.error: CcrError | None = None
        self.command_error: CcrError | None = None
        self.snapshots_given = 0
        clusters = tuple(
            ClusterSnapshot(name, (f"{name}:9092",), environment, True, None, 3, T0)
            for name in ("primary", "dr")
        )
        self.current = EngineSnapshot(
            "0.1.0",
            "e-1",
            mode,
            "dr-host-1",
            4711,
            "/etc/ccr/orders.yaml",
            read_only,
            T0 - 900,
            T0,
            clusters,
        )
        self.set_flows(flows)
        self.change(partitions)

    @property
    def flows(self) -> ScriptedFlows:
        return self._flows_api

    @property
    def clusters(self) -> ScriptedClusters:
        return self._clusters_api

    async def asked(self, name: str, *arguments: object) -> None:
        self.calls.append((name, *arguments))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        if self.command_error is not None and name not in LOOKING:
            raise self.command_error

    def commands(self) -> list[tuple[object, ...]]:
        """What was commanded, without the looking."""
        return [call for call in self.calls if call[0] not in LOOKING | {"limit"}]

    async def snapshot(self) -> EngineSnapshot:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.snapshots_given += 1
        last = self.ring[-1].id if self.ring else 0
        return replace(self.current, last_event_id=last)

    async def events(self, since: int = 0) -> tuple[Event, ...]:
        await asyncio.sleep(0)
        return tuple(event for event in self.ring if event.id > since)

    async def older_events(self, before: int, place: str = "", limit: int = 500) -> EventsPage:
        await self.asked("older_events", before, place)
        return self.kept.older_events(before, place, limit)

    async def log(self, *, before: str = "", after: str = "", limit: int = 500) -> LogPage:
        await self.asked("log", before, after)
        return self.kept.page(before, after, limit)

    async def close(self) -> None:
        """Nothing is open."""

    def set_flows(self, flows: Iterable[FlowSnapshot]) -> None:
        self.current = replace(self.current, flows=tuple(flows))

    def set_cluster(self, name: str, **changes: object) -> None:
        clusters = tuple(
            replace(cluster, **changes) if cluster.name == name else cluster  # type: ignore[arg-type]
            for cluster in self.current.clusters
        )
        self.current = replace(self.current, clusters=clusters)

    def set_flow(self, name: str, **changes: object) -> None:
        self.set_flows(
            replace(flow, **changes) if flow.name == name else flow  # type: ignore[arg-type]
            for flow in self.current.flows
        )

    def change(self, partitions: Iterable[PartitionSnapshot]) -> None:
        """Put partitions in, new or changed, as one version."""
        self.version += 1
        for partition in partitions:
            key = partition.topic, partition.partition
            self.partitions[key] = replace(partition, version=self.version)

    def remove(self, *keys: tuple[str, int]) -> None:
        self.version += 1
        for key in keys:
            del self.partitions[key]
            self.removed.append((self.version, key))

    def happen(self, event: Event) -> None:
        self.ring.append(event)

    def restart(self) -> None:
        """Come back as a new engine: ids and versions begin again."""
        self.current = replace(self.current, engine_id=self.current.engine_id + "'")
        self.version = 1
        self.ring.clear()
        self.removed.clear()
        self.partitions = {key: replace(p, version=1) for key, p in self.partitions.items()}


def small_engine(**options: object) -> ScriptedEngine:
    """One flow with something wrong in it, and a second one that is fine."""
    flows = [
        make_flow(partitions=6, partitions_stopped=1, partitions_waiting=1),
        make_flow(
            "dr-to-primary", source="dr", target="primary", lag_records=0, lag_seconds=0.0, topics=1
        ),
    ]
    engine = ScriptedEngine(flows, small_partitions(), SMALL_EVENTS, **options)  # type: ignore[arg-type]
    engine.kept.write(small_log(T0))
    return engine


def big_partitions(count: int) -> list[PartitionSnapshot]:
    """Many partitions over topics of 50."""
    return [make_partition(f"topic-{i // 50:04}", i % 50) for i in range(count)]


def shake(partition: PartitionSnapshot, dice: random.Random) -> PartitionSnapshot:
    """Let a partition receive and mirror something."""
    came, went = dice.randrange(900), dice.randrange(900)
    end = (partition.source_end or 0) + came
    mirrored = min(end, (partition.mirrored_to or 0) + went)
    lag = end - mirrored
    grew = lag > (partition.lag_records or 0)
    trend = Trend.IN_STEP if lag == 0 else Trend.GROWING if grew else Trend.DRAINING
    return replace(
        partition,
        source_end=end,
        mirrored_to=mirrored,
        target_end=mirrored,
        lag_records=lag,
        lag_seconds=lag / 500,
        records_per_second=went * 2.0,
        bytes_per_second=went * 400.0,
        trend=trend,
    )


async def move(engine: ScriptedEngine, changes: int, seconds: float, dice: random.Random) -> None:
    """Let `changes` partitions move every `seconds`, for ever."""
    tick = 0
    while True:
        await asyncio.sleep(seconds)
        tick += 1
        keys = [key for key, p in engine.partitions.items() if p.state is PartitionState.RUNNING]
        engine.change(
            shake(engine.partitions[key], dice)
            for key in dice.sample(keys, min(changes, len(keys)))
        )
        at = engine.current.taken_at + seconds
        lag = sum(p.lag_records or 0 for p in engine.partitions.values())
        rate = 40_000 + 20_000 * dice.random()
        point = RatePoint(at, rate, rate * 250, lag)
        for flow in engine.current.flows:
            if flow.state is FlowState.RUNNING:
                engine.set_flow(
                    flow.name,
                    lag_records=lag,
                    lag_seconds=lag / 40_000,
                    records_per_second=rate,
                    bytes_per_second=rate * 250,
                    records_total=flow.records_total + int(rate * seconds),
                    history=(*flow.history, point)[-120:],
                    observed_at=at,
                )
            else:
                engine.set_flow(
                    flow.name, observed_at=at, records_per_second=0.0, bytes_per_second=0.0
                )
        engine.current = replace(engine.current, taken_at=at)
        if tick % int(5 / seconds + 1) == 0:
            event_id = engine.ring[-1].id + 1 if engine.ring else 1
            engine.happen(
                Event(
                    event_id, at, Severity.INFO, "primary-to-dr", f"checkpoint {event_id} written"
                )
            )


def main() -> None:
    """Open the console on moving numbers."""
    from ccr_tui.app import CcrApp
    from ccr_tui.state import ConsoleMode

    parser = argparse.ArgumentParser()
    parser.add_argument("--partitions", type=int, default=0)
    parser.add_argument("--changes", type=int, default=3)
    parser.add_argument("--every", type=float, default=0.5)
    parser.add_argument("--attached", action="store_true")
    parser.add_argument("--lost-after", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--observer", action="store_true")
    parser.add_argument("--production", action="store_true")
    options = parser.parse_args()
    dice = random.Random(7)
    engine = small_engine(environment="production" if options.production else "development")
    if options.partitions:
        engine.partitions.clear()
        engine.change(big_partitions(options.partitions))
    if options.observer:
        for flow in engine.current.flows:
            engine.set_flow(flow.name, state=FlowState.STANDBY, owner=ELSEWHERE, owned_here=False)
    mode = ConsoleMode.ATTACHED if options.attached else ConsoleMode.EMBEDDED

    async def lose() -> None:
        await asyncio.sleep(options.lost_after)
        engine.error = ConnectError(
            "reading",
            "the engine at /run/ccr/engine.sock",
            "the socket is gone",
            "Start ccr --no-ui.",
        )

    class Moving(CcrApp):
        def on_mount(self) -> None:
            if options.lost_after:
                self.run_worker(lose(), group="losing")
            self.run_worker(move(engine, options.changes, options.every, dice), group="moving")

    Moving(engine, mode=mode, config_name="orders.yaml").run()


if __name__ == "__main__":
    main()
