"""What a runbook is about: one flow of an engine, and what an operator chose for this run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.api.runbook_snapshots import RunKind, RunOptions
from engine.config.flow_section import FlowConfig, TopicSelection
from engine.config.matching import Pattern
from engine.config.switch_section import FenceKind, SwitchConfig, VerifyExtent
from engine.engine import Engine
from engine.errors import RefusedError
from engine.kafka.cluster import Cluster
from engine.kafka.fetch import TopicPartition
from engine.reload.reloader import Reloader
from engine.replication.flow import Flow
from engine.replication.topics.selection import TopicSelector
from engine.runbook.divergence import Mode, Sides


@dataclass(frozen=True, slots=True)
class Mirrored:
    """One partition as the run finds it."""

    key: TopicPartition
    target: TopicPartition
    source_offset: int  # next to be mirrored
    target_offset: int  # next to be appended


@dataclass(frozen=True, slots=True)
class Situation:
    """The flow is looked up anew each time: a changed configuration makes another object of it."""

    engine: Engine
    reloader: Reloader
    kind: RunKind
    flow_name: str
    options: RunOptions
    folder: Path | None  # where files of runs are put, if anywhere

    @property
    def flow(self) -> Flow:
        """The flow; raises RefusedError when the configuration has it no longer."""
        return self.engine.flow(self.flow_name)

    @property
    def config(self) -> FlowConfig:
        """Its section."""
        return self.flow.config

    @property
    def source(self) -> Cluster:
        """Where it reads."""
        return self.engine.clusters[self.config.source]

    @property
    def target(self) -> Cluster:
        """Where it writes."""
        return self.engine.clusters[self.config.target]

    @property
    def switch(self) -> SwitchConfig:
        """The flow's `switch` section, with what was chosen for this run; raises RefusedError."""
        section = self.config.switch
        chosen = {
            "fence": self.options.fence,
            "verify": self.options.verify,
            "reverse": self.options.reverse,
        }
        changes = {name: value for name, value in chosen.items() if value is not None}
        for name, words in (("fence", FenceKind), ("verify", VerifyExtent)):
            if name in changes and changes[name] not in set(words):
                known = ", ".join(words)
                raise RefusedError(
                    "planning a run of flow",
                    self.flow_name,
                    f"{name} {changes[name]!r} is none of {known}",
                )
        return SwitchConfig.model_validate({**section.model_dump(), **changes})

    @property
    def mode(self) -> Mode:
        """What becomes of records that never arrived; raises RefusedError."""
        chosen = self.options.mode or Mode.KEEP_ASIDE.value
        if chosen not in set(Mode):
            known = ", ".join(Mode)
            raise RefusedError(
                "planning a run of flow", self.flow_name, f"mode {chosen!r} is none of {known}"
            )
        return Mode(chosen)

    @property
    def sides(self) -> Sides:
        """The flow with its clusters."""
        return Sides(self.flow_name, self.config, self.source, self.target)

    @property
    def reverse(self) -> Sides:
        """The flow the other way: the one that the configuration has, or the one to be made."""
        name = self.flow_back or f"{self.flow_name}-back"
        flows = self.engine.config.flows
        section = flows.get(name) or FlowConfig.model_validate(reversed_section(self.config))
        return Sides(name, section, self.target, self.source)

    @property
    def flow_back(self) -> str | None:
        """A flow of the configuration that mirrors all of these topics the other way."""
        mirrors = self.mirrors()
        for name, flow in self._other_way():
            if flow.topics == self.config.topics:
                return name
            taken = _taken(flow.topics, mirrors)
            if taken and len(taken) == len(mirrors):
                return name
        return None

    @property
    def flows_in_part(self) -> list[str]:
        """Flows that mirror some of these topics the other way, and not all."""
        mirrors = self.mirrors()
        return [
            name
            for name, flow in self._other_way()
            if name != self.flow_back and _taken(flow.topics, mirrors)
        ]

    def _other_way(self) -> Iterator[tuple[str, FlowConfig]]:
        for name, flow in self.engine.config.flows.items():
            if (flow.source, flow.target) == (self.config.target, self.config.source):
                yield name, flow

    @property
    def promoted_here(self) -> Situation | None:
        """The promoted flow whose way back this is, if it rests in this engine: itself, or the one
        of the other direction.
        """
        for name in (self.flow_name, self.flow_back):
            flow = self.engine.flows.get(name or "")
            if flow is not None and flow.owned_here and flow.record.promotion is not None:
                return replace(self, flow_name=flow.name)
        return None

    def mirrored(self) -> dict[TopicPartition, Mirrored]:
        """Return the partitions that have a position: on the board, or as they were written last.

        An engine that never saw the source knows them from the state topic alone.
        """
        selector = TopicSelector(self.config)
        found = {
            key: Mirrored(
                key,
                (selector.target_name(key[0]), key[1]),
                checkpoint.progress.source,
                checkpoint.progress.target,
            )
            for key, checkpoint in self.flow.record.checkpoints.items()
        }
        for key, partition in self.flow.board.partitions.items():
            if partition.positioned:
                at = partition.acked
                found[key] = Mirrored(key, partition.target_key, at.source, at.target)
        return found

    def topics(self) -> list[str]:
        """Return the source topics, sorted."""
        return sorted({topic for topic, _ in self.mirrored()})

    def mirrors(self) -> list[str]:
        """Return the mirror topics, sorted."""
        return sorted({each.target[0] for each in self.mirrored().values()})


def _taken(selection: TopicSelection, topics: list[str]) -> list[str]:
    """Return the topics that are selected. Raises TooSlowError."""
    include = [Pattern(regex) for regex in selection.include]
    exclude = [Pattern(regex) for regex in selection.exclude]
    return [
        topic
        for topic in topics
        if any(each.matches(topic) for each in include)
        and not any(each.matches(topic) for each in exclude)
    ]


def reversed_section(config: FlowConfig) -> dict[str, Any]:
    """Return a flow's section turned round: what is not about a direction stays."""
    section: dict[str, Any] = config.model_dump(mode="json", exclude_unset=True)
    section |= {"source": config.target, "target": config.source}
    for key in ("start", "replication_factor", "offsets"):
        section.pop(key, None)
    return section
