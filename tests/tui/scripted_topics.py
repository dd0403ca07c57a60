"""What the scripted engine selects and previews: by the engine's own selector, on a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from engine.api.preview_snapshots import (
    Action,
    ConfigChange,
    Conflict,
    ConflictKind,
    Decision,
    PreviewSnapshot,
    SelectionSnapshot,
    TopicPlan,
    TopicPreview,
    TopicSize,
    ValueFrom,
)
from engine.config.flow_section import FlowConfig, TopicSelection
from engine.errors import CcrError
from engine.kafka.metadata import TopicMetadata
from engine.replication.topics.selection import TopicSelector

NAMES = ("orders.eu", "orders.us", "orders.us.tmp", "payments", "invoices", "__consumer_offsets")
CONFLICT = Conflict(
    ConflictKind.PARTITIONS,
    "the mirror has 12 partitions, the source 6",
    "Remove it on dr, or leave the topic out",
    blocks=True,
)


class ScriptedTopics:
    """The source's topics, and what is known of their mirrors."""

    def __init__(self, own: Callable[[str], FlowConfig]) -> None:
        """`own` returns the section that a flow runs with."""
        self._own = own
        self.names: tuple[str, ...] = NAMES
        self.there = {"orders.eu", "payments"}
        self.conflicts: dict[str, Conflict] = {}
        self.notes: tuple[str, ...] = ()
        self.error: CcrError | None = None
        self.preview_error: CcrError | None = None
        self.gates: dict[str, asyncio.Event] = {}
        """Answers about a section whose first include is this wait for the event."""
        self.preview_gate: asyncio.Event | None = None
        self.asked: list[TopicSelection] = []
        self.previewed: list[FlowConfig] = []

    def _section(self, flow: str, tried: TopicSelection | FlowConfig | None) -> FlowConfig:
        if isinstance(tried, FlowConfig):
            return tried
        own = self._own(flow)
        return own if tried is None else own.model_copy(update={"topics": tried})

    def _topics(self) -> Iterable[TopicMetadata]:
        return [
            TopicMetadata(name, internal=name.startswith("__"), error=0, partitions={})
            for name in self.names
        ]

    async def select(
        self, flow: str, tried: TopicSelection | FlowConfig | None
    ) -> SelectionSnapshot:
        section = self._section(flow, tried)
        self.asked.append(section.topics)
        gate = self.gates.get(section.topics.include[0])
        if gate is not None:
            await gate.wait()
        if self.error is not None:
            raise self.error
        selector = TopicSelector(section)
        decisions = await selector.decide(self._topics())
        distinct: dict[Decision, int] = {}
        rows = tuple(
            (name, 6, distinct.setdefault(decisions[name], len(distinct))) for name in self.names
        )
        taken = sum(decision.taken for decision in decisions.values())
        lists = tuple(section.topics.include), tuple(section.topics.exclude)
        return SelectionSnapshot(
            flow, *lists, taken, tuple(distinct), rows, 1.0, 0.001, selector.prefix
        )

    async def preview(
        self, flow: str, tried: TopicSelection | FlowConfig | None
    ) -> PreviewSnapshot:
        section = self._section(flow, tried)
        self.previewed.append(section)
        await asyncio.sleep(0)
        if self.preview_gate is not None:
            await self.preview_gate.wait()
        if self.preview_error is not None:
            raise self.preview_error
        selector = TopicSelector(section)
        decisions = await selector.decide(self._topics())
        topics = tuple(
            TopicPreview(
                name,
                6,
                decisions[name],
                TopicSize(3_000_000, 1_200, 12.5),
                self._plan(name, selector.target_name(name)) if decisions[name].taken else None,
            )
            for name in self.names
        )
        lists = tuple(section.topics.include), tuple(section.topics.exclude)
        return PreviewSnapshot(
            flow, section.source, section.target, *lists, topics, self.notes, 1.0, 0.5
        )

    def _plan(self, topic: str, mirror: str) -> TopicPlan:
        conflict = self.conflicts.get(topic)
        if conflict is not None:
            return TopicPlan(topic, mirror, Action.REFUSE, 6, 12, 3, conflicts=(conflict,))
        if topic in self.there:
            return TopicPlan(topic, mirror, Action.NONE, 6, 6, 3)
        change = ConfigChange("retention.ms", None, "86400000", ValueFrom.SOURCE)
        return TopicPlan(topic, mirror, Action.CREATE, 6, 0, 3, configs=(change,))
