"""Failback's second half: the old source gets what it lacks, and nothing twice."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from engine.api.runbook_snapshots import StepName
from engine.printable import plural
from engine.runbook.divergence import Late, pass_over, read_record, seed, way_back
from engine.runbook.steps.base import Action, Telling
from engine.runbook.steps.diverged import found_before
from engine.runbook.steps.drain import mirrored_to_the_end

LOOK_S = 0.2


class Seed(Action):
    """Writes down where the flow back begins, so that only the delta is copied."""

    name: ClassVar = StepName.WAY_BACK

    @property
    def title(self) -> str:
        """What it does."""
        return f"Plan the way back to {self.situation.config.source}: only what it lacks"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take: the new primary's own records are counted."""
        return 3600.0

    async def act(self, telling: Telling) -> None:
        """Plan, and write it down; an engine that runs the flow back stands by meanwhile."""
        reverse = self.situation.reverse
        telling.waits_for("the new primary's own records to be counted")
        back = await read_record(reverse.flow, reverse.target)
        planned = await way_back(found_before(self), self.situation.flow.record, reverse, back)
        written = await seed(reverse, planned)
        telling.found(
            f"{plural(planned.records, 'record')} ({planned.bytes:,} bytes) are to be copied back, "
            f"on {plural(sum(1 for each in planned.partitions if each.records), 'partition')}",
            f"{reverse.flow} begins there: {written} positions written",
        )
        whole = [each for each in planned.partitions if each.full]
        if whole:
            telling.found(f"{plural(len(whole), 'partition')} are copied whole")
        await telling.keep(records=planned.records, bytes=planned.bytes)


class CatchUp(Action):
    """Waits until the old source has all that the new primary has."""

    name: ClassVar = StepName.CATCH_UP

    @property
    def title(self) -> str:
        """What it does."""
        return f"Wait until {self.situation.config.source} has what it lacked"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return 86_400.0

    async def act(self, telling: Telling) -> None:
        """Wait for all that the new primary has now."""
        reverse = self.situation.reverse
        flow = self.situation.engine.flow(reverse.flow)
        wanted = {each.target for each in self.situation.mirrored().values()}
        while not wanted <= flow.board.partitions.keys():
            telling.waits_for(f"{reverse.flow} to find all partitions")
            await asyncio.sleep(LOOK_S)
        ends = await mirrored_to_the_end(flow, reverse.source, telling)
        measures = [partition.measures for partition in flow.board.partitions.values()]
        records = sum(each.records_total for each in measures)
        size = sum(each.bytes_total for each in measures)
        telling.found(
            f"lag 0 on all {plural(len(ends), 'partition')}; {plural(records, 'record')} "
            f"({size:,} bytes) were copied back by this engine"
        )


class PassOver(Action):
    """Notes in the promoted flow what the flow back has brought: groups are translated over it."""

    name: ClassVar = StepName.PASS_OVER

    @property
    def title(self) -> str:
        """What it does."""
        return "Note what was copied back, so that groups are translated over it"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return 600.0

    async def act(self, telling: Telling) -> None:
        """Pass over; what others wrote to the old source meanwhile is told."""
        forward = self.situation.promoted_here
        if forward is None:
            telling.found("no promoted flow of the other direction rests here")
            return
        flow, reverse = forward.flow, forward.reverse
        back = await read_record(reverse.flow, reverse.target)
        late = await pass_over(forward.sides, flow.record, flow.remember, back)
        telling.found(*(map(_words, late) if late else ["nobody else wrote there meanwhile"]))


def _words(late: Late) -> str:
    return (
        f"{late.topic}/{late.partition}: somebody wrote {plural(late.records, 'record')} "
        f"meanwhile, offsets {late.first} to {late.end - 1}: they are not on the new primary"
    )
