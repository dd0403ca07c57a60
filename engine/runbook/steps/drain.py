"""Draining: until all of the source is on the target; or stopping, with what has arrived."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from engine.api.runbook_snapshots import RunFinding, StepName
from engine.api.snapshots import PartitionState
from engine.kafka.cluster import LATEST, Cluster
from engine.kafka.fetch import TopicPartition
from engine.printable import plural
from engine.replication.flow import Flow
from engine.runbook.steps.base import Action, StepFailedError, Telling

LOOK_S = 0.1
NAMED = 5  # partitions in a sentence


class Drain(Action):
    """Waits until the mirror has all that the source had when producers stood still."""

    name: ClassVar = StepName.DRAIN

    @property
    def title(self) -> str:
        """What it does."""
        return f"Drain: wait until {self.situation.config.target} has every record"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return self.situation.switch.drain_timeout

    async def examine(self) -> list[RunFinding]:
        """Find partitions that do not move."""
        found = []
        partitions = self.situation.flow.board.partitions.values()
        halted = [p for p in partitions if p.state == PartitionState.STOPPED]
        for partition in halted[:NAMED]:
            reason = partition.reason
            found.append(
                self.stop(
                    f"{partition.topic}/{partition.partition} is stopped"
                    + (f": {reason.text}" if reason else ""),
                    reason.next_step if reason else "",
                )
            )
        if len(halted) > NAMED:
            found.append(self.stop(f"{len(halted) - NAMED} more partitions are stopped"))
        if not partitions:
            found.append(self.stop("the flow has no partitions yet", "See ccr preview"))
        if self.situation.flow.owned_here and self.situation.flow.mirroring.paused:
            found.append(self.stop("the flow is paused", f"ccr resume {self.situation.flow_name}"))
        return found

    async def act(self, telling: Telling) -> None:
        """Wait."""
        ends = await mirrored_to_the_end(self.situation.flow, self.situation.source, telling)
        await self.situation.flow.mirroring.checkpoint()
        telling.found(
            f"lag 0 on all {plural(len(ends), 'partition')}, to the offset that they ended at"
        )
        await telling.keep(ends=[[*key, end] for key, end in sorted(ends.items())])


async def mirrored_to_the_end(
    flow: Flow, source: Cluster, telling: Telling
) -> dict[TopicPartition, int]:
    """Wait until a flow has mirrored all that its source has now; return the source's ends.

    Raises ConnectError and KafkaError.
    """
    board = flow.board
    metadata = await source.metadata({topic for topic, _ in board.partitions})
    committed = flow.config.isolation == "read_committed"
    ends = await source.list_offsets(
        dict.fromkeys(board.partitions, LATEST), metadata, isolation=1 if committed else 0
    )
    unknown = board.partitions.keys() - ends.keys()
    if unknown:
        topic, number = min(unknown)
        raise StepFailedError(
            "draining", f"{topic}/{number}", "its end on the source is not told",
            "Check its leader",
        )  # fmt: skip
    while True:
        behind = {
            key: ends[key] - partition.acked.source
            for key, partition in board.partitions.items()
            if key in ends and not (partition.positioned and partition.acked.source >= ends[key])
        }
        if not behind:
            return ends
        worst = max(behind, key=lambda key: behind[key])
        telling.waits_for(
            f"{plural(sum(behind.values()), 'record')} on {plural(len(behind), 'partition')}; "
            f"most on {worst[0]}/{worst[1]}: {behind[worst]:,}"
        )
        await asyncio.sleep(LOOK_S)


class Stop(Action):
    """Stops fetching, with what is in flight acknowledged."""

    name: ClassVar = StepName.STOP

    @property
    def title(self) -> str:
        """What it does."""
        return "Stop mirroring; what is in flight is acknowledged"

    @property
    def undoing(self) -> str:
        """What undoing it does."""
        return "goes on mirroring"

    async def act(self, telling: Telling) -> None:
        """Stop."""
        flow = self.situation.flow
        if flow.record.promotion is not None:
            return
        telling.waits_for(f"acknowledgements of {self.situation.config.target}")
        await flow.mirroring.drain()
        await flow.mirroring.checkpoint()
        mirrored = self.situation.mirrored().values()
        telling.found(f"{plural(len(mirrored), 'partition')} stand; nothing is in flight")
        await telling.keep(mirrored=[[*m.key, m.source_offset, m.target_offset] for m in mirrored])

    async def undo(self, telling: Telling) -> None:
        """Go on."""
        flow = self.situation.flow
        if flow.owned_here and flow.record.promotion is None:
            flow.mirroring.undrain()
