"""Failback's second half: the old source gets what it lacks, and nothing twice."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from engine.api.runbook_snapshots import StepName
from engine.runbook.divergence import Late, pass_over, read_record, seed, way_back
from engine.runbook.steps.base import Action, Telling
from engine.runbook.steps.diverged import found_before

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
            f"{planned.records:,} records ({planned.bytes:,} bytes) are to be copied back, on "
            f"{sum(1 for each in planned.partitions if each.records)} partitions",
            f"{reverse.flow} begins there: {written} positions written",
        )
        whole = [each for each in planned.partitions if each.full]
        if whole:
            telling.found(f"{len(whole)} partitions are copied whole")
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
        """Wait for lag 0 once, with every partition where it belongs."""
        while True:
            flow = self.situation.engine.flow(self.situation.reverse.flow)
            board = flow.board
            placed = board.partitions and all(p.positioned for p in board.partitions.values())
            if flow.owned_here and placed and board.lag_records == 0:
                break
            telling.waits_for(f"{board.lag_records or 0:,} records to be copied back")
            await asyncio.sleep(LOOK_S)
        copied = flow.board
        telling.found(
            f"lag 0; {copied.records_total:,} records ({copied.bytes_total:,} bytes) copied back "
            "since this engine began"
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
        f"{late.topic}/{late.partition}: somebody wrote {late.records:,} records meanwhile, "
        f"offsets {late.first} to {late.end - 1}: they are not on the new primary"
    )
