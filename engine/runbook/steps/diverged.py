"""Failback's first half: what the old source has that never arrived, and what becomes of it."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import ClassVar

from engine.api.runbook_snapshots import RunFinding, StepName
from engine.errors import RefusedError
from engine.printable import plural
from engine.runbook.divergence import (
    Divergence,
    Exported,
    Mode,
    export,
    find,
    keep,
    kept,
    set_aside,
    settle,
)
from engine.runbook.steps.base import Action, StepFailedError, Telling

LOOK_S = 0.5
NAMED = 5


class FindDiverged(Action):
    """Finds the records, exactly; keeps what was found for whoever goes on."""

    name: ClassVar = StepName.FIND

    @property
    def title(self) -> str:
        """What it does."""
        config = self.situation.config
        return f"Find what {config.source} has that never arrived on {config.target}"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take: the records behind the promotion are read."""
        return 3600.0

    async def examine(self) -> list[RunFinding]:
        """Look, and say what would be found."""
        flow = self.situation.flow
        if flow.record.promotion is None:
            return [
                self.stop(
                    "it was never promoted: there is nothing to fail back from",
                    f"See ccr failover {flow.name} --dry-run",
                )
            ]
        found = await find(self.situation.sides, flow.record)
        told = [self.warn(each) for each in words(found)]
        stuck = [each for each in found.untold if not each.retriable]
        return told + [
            self.stop(f"{each.topic}/{each.partition}: {each.reason}") for each in stuck[:NAMED]
        ]

    async def act(self, telling: Telling) -> None:
        """Find, again and again while time may tell of what cannot be told yet."""
        flow = self.situation.flow
        while True:
            telling.waits_for("both logs to be compared")
            found = await find(self.situation.sides, flow.record)
            if not any(each.retriable for each in found.untold):
                break
            waiting = next(each for each in found.untold if each.retriable)
            telling.waits_for(f"{waiting.topic}/{waiting.partition}: {waiting.reason}")
            await asyncio.sleep(LOOK_S)
        if found.untold:
            each = found.untold[0]
            raise StepFailedError(
                "finding what never arrived of", f"{each.topic}/{each.partition}", each.reason
            )
        await keep(flow.remember, flow.record, found)
        telling.found(*words(found))


class Export(Action):
    """Writes the records to a file, and puts them aside on the new primary."""

    name: ClassVar = StepName.EXPORT

    @property
    def title(self) -> str:
        """What it does."""
        return (
            f"Export them to a file, and to the quarantine topic on {self.situation.config.target}"
        )

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return 3600.0

    async def act(self, telling: Telling) -> None:
        """Export; what stands there already is not written again."""
        divergence = found_before(self)
        if not divergence.records:
            telling.found("there is nothing to export")
            return
        folder = self.situation.folder or Path(tempfile.gettempdir())
        path = folder / f"{telling.run_id}-diverged.jsonl"
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        telling.waits_for(f"{plural(divergence.records, 'record')} to be written to {path}")
        written = await export(self.situation.sides, divergence, path)
        telling.found(
            f"{plural(written.records, 'record')} in {written.place}, sha256 {written.sha256}"
        )
        flow = self.situation.flow
        aside = await set_aside(self.situation.sides, flow.record, divergence)
        telling.found(f"{plural(aside.records, 'record')} in {aside.place}")
        await telling.keep(place=written.place, records=written.records, sha256=written.sha256)


class Settle(Action):
    """Re-injects, or leaves them out for good: from here on only forward."""

    name: ClassVar = StepName.SETTLE
    crosses: ClassVar = True

    @property
    def title(self) -> str:
        """What it does."""
        target = self.situation.config.target
        match self.situation.mode:
            case Mode.REINJECT:
                return f"Re-inject: append them on {target}, behind what it has"
            case Mode.KEEP_ASIDE:
                return "Keep them aside: they are in the export, and nowhere else"
            case Mode.DISCARD:
                return "Discard them"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return 3600.0

    async def act(self, telling: Telling) -> None:
        """Settle."""
        situation, flow = self.situation, self.situation.flow
        divergence = found_before(self)
        exported = telling.kept_by(StepName.EXPORT)
        telling.waits_for(f"{plural(divergence.records, 'record')} to be settled")
        done = await settle(
            situation.sides,
            flow.record,
            flow.remember,
            divergence,
            situation.mode,
            Exported(exported["place"], exported["records"]) if exported else None,
        )
        if done.failed:
            each = done.failed[0]
            raise StepFailedError(
                "settling what never arrived of", f"{each.topic}/{each.partition}", each.reason
            )
        reinjected = sum(each.reinjected for each in done.partitions)
        lost = sum(each.lost for each in done.partitions)
        telling.found(
            f"{done.mode}: {plural(divergence.records, 'record')}, {reinjected:,} re-injected"
        )
        if lost:
            telling.found(f"{lost:,} of them were gone before (retention)")


def found_before(action: Action) -> Divergence:
    """Return what the first step has found; raises RefusedError when that is gone."""
    flow = action.situation.flow
    found = kept(flow.name, flow.record)
    if found is None:
        raise RefusedError("going on with the failback of", flow.name, "nothing was found yet")
    return found


def words(found: Divergence) -> list[str]:
    """Say what was found."""
    diverged = found.diverged
    where = f"on {len(diverged)} of {plural(len(found.partitions), 'partition')}"
    told = [f"{plural(found.records, 'record')} ({found.bytes:,} bytes) {where} never arrived"]
    worst = sorted(diverged, key=lambda each: -each.records)[:NAMED]
    told += [
        f"{each.topic}/{each.partition}: {plural(each.records, 'record')}, offsets {each.first} to "
        f"{each.end - 1}"
        for each in worst
    ]
    rewritten = sum(each.rewritten_keys or 0 for each in diverged)
    untold = sum(each.rewritten_keys is None for each in diverged)
    if rewritten:
        told.append(
            f"{rewritten:,} of their keys were written on {found.target} since: re-injected, the "
            "older value would come last"
        )
    if untold:
        told.append(
            f"of {plural(untold, 'partition')} it is not told how many keys were written since"
        )
    if found.rebuilt:
        told.append(f"{found.source} is another cluster than before: everything is copied to it")
    gone = sum(each.gone for each in found.partitions)
    if gone:
        told.append(f"{gone:,} offsets were deleted by retention before they had arrived: lost")
    return told
