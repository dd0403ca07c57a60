"""Checking what is on the target before it is promoted: by content, or by where its logs end."""

from __future__ import annotations

from typing import ClassVar

from engine.api.runbook_snapshots import StepName
from engine.config.switch_section import VerifyExtent
from engine.kafka.cluster import LATEST
from engine.printable import plural
from engine.replication.verify.report import PartitionReport
from engine.replication.verify.verifier import Options, verify
from engine.runbook.steps.base import Action, StepFailedError, Telling

NAMED = 5  # partitions in the evidence


class Verify(Action):
    """Compares records of both sides by content."""

    name: ClassVar = StepName.VERIFY

    @property
    def title(self) -> str:
        """What it does."""
        extent = "all records" if self._full else "a sample of records"
        return f"Verify: compare {extent} of both sides by content"

    @property
    def _full(self) -> bool:
        return self.situation.switch.verify is VerifyExtent.FULL

    @property
    def timeout_seconds(self) -> float:
        """How long it may take: comparing everything reads everything, twice."""
        return 86_400.0 if self._full else 600.0

    async def act(self, telling: Telling) -> None:
        """Compare; what differs stops the run."""

        def progress(report: PartitionReport, number: int, total: int) -> None:
            telling.waits_for(f"comparing partition {number} of {total}")

        situation = self.situation
        report = await verify(
            situation.engine.config, situation.flow_name, Options(full=self._full), progress
        )
        compared = sum(partition.compared for partition in report.partitions)
        if report.wrong:
            bad = [f"{p.topic}/{p.partition}" for p in report.partitions if p.wrong]
            raise StepFailedError(
                "verifying flow",
                situation.flow_name,
                f"{plural(report.wrong, 'record')} differ, on {', '.join(bad[:NAMED])}",
                f"See ccr verify {situation.flow_name} --show",
            )
        telling.found(f"{plural(compared, 'record')} compared by content, all equal")
        if report.incomparable:
            telling.found(
                f"{plural(report.incomparable, 'partition')} could not be compared to their end"
            )


class Tail(Action):
    """Looks where the target's logs end, beside where ours do; tells, and stops nothing."""

    name: ClassVar = StepName.TAIL

    @property
    def title(self) -> str:
        """What it does."""
        return f"Check where the logs on {self.situation.config.target} end"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return 15.0

    async def act(self, telling: Telling) -> None:
        """Look."""
        mirrored = self.situation.mirrored()
        target = self.situation.target
        metadata = await target.metadata(self.situation.mirrors())
        wanted = {each.target: LATEST for each in mirrored.values()}
        ends = await target.list_offsets(wanted, metadata)
        short, strange, silent = [], [], []
        for each in mirrored.values():
            end = ends.get(each.target)
            where = f"{each.target[0]}/{each.target[1]}"
            if end is None:
                silent.append(where)
            elif end < each.target_offset:
                short.append(f"{where} ({plural(each.target_offset - end, 'record')})")
            elif end > each.target_offset:
                strange.append(f"{where} ({plural(end - each.target_offset, 'record')})")
        whole = len(mirrored) - len(short) - len(strange) - len(silent)
        telling.found(f"{whole} of {plural(len(mirrored), 'partition')} end where the mirror does")
        for text, where_all in (
            ("acknowledged by the target and lost since", short),
            ("behind the mirror stand records that are not this flow's", strange),
            ("no leader answers for", silent),
        ):
            if where_all:
                more = f" and {len(where_all) - NAMED} more" if len(where_all) > NAMED else ""
                telling.found(f"{text}: {', '.join(where_all[:NAMED])}{more}")
        await telling.keep(ends=[[*key, end] for key, end in sorted(ends.items())])
