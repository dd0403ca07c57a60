"""What a runbook is about: one flow of an engine, and what an operator chose for this run."""

from __future__ import annotations

from dataclasses import dataclass

from engine.api.runbook_snapshots import RunKind, RunOptions
from engine.config.flow_section import FlowConfig
from engine.config.switch_section import FenceKind, SwitchConfig, VerifyExtent
from engine.engine import Engine
from engine.errors import RefusedError
from engine.kafka.cluster import Cluster
from engine.kafka.fetch import TopicPartition
from engine.reload.reloader import Reloader
from engine.replication.flow import Flow
from engine.replication.topics.selection import TopicSelector


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
