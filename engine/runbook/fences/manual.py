"""The fence that a person raises and lifts: ccr says what is to be done, and waits for the word."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from engine.config.switch_section import FenceKind
from engine.kafka.cluster import Cluster
from engine.runbook.fences.protocol import (
    Ask,
    Done,
    Evidence,
    FenceRecord,
    ManualChoice,
    ManualRecord,
)
from engine.runbook.fences.wording import named
from engine.runbook.findings import Finding, warn


class ManualFence:
    """Asks the operator."""

    kind = FenceKind.MANUAL

    def __init__(
        self, source: Cluster, flow: str, topics: Iterable[str], choice: ManualChoice, ask: Ask
    ) -> None:
        self._source = source
        self._flow = flow
        self._topics = tuple(sorted(topics))
        self._choice = choice
        self._ask = ask

    async def examine(self) -> list[Finding]:
        """Say that somebody has to be there."""
        text = "A person raises and lifts the fence; standing end offsets tell if it holds"
        return [warn(text, self._choice.raise_by)]

    async def record(self) -> ManualRecord:
        """Keep the sentences as they are now."""
        return ManualRecord(
            flow=self._flow,
            source=self._source.name,
            topics=self._topics,
            raise_by=self._choice.raise_by,
            lift_by=self._choice.lift_by,
        )

    async def raise_up(self, record: FenceRecord) -> Done:
        """Ask the operator to raise it, and wait until that is done."""
        await self._ask(f"Keep producers from {self._where(record)}: {_expected(record).raise_by}")
        return Done("The operator says that the fence stands")

    async def lift(self, record: FenceRecord) -> Done:
        """Ask the operator to lift it, and wait until that is done."""
        await self._ask(f"Let producers write again to {self._where(record)}:"
                        f" {_expected(record).lift_by}")  # fmt: skip
        return Done("The operator says that the fence is lifted")

    async def stands(self, record: FenceRecord, topics: Collection[str] = ()) -> Evidence:
        """Say that only end offsets tell."""
        return Evidence(
            None,
            "the operator's word; end offsets tell",
            outside=tuple(sorted(set(topics) - set(record.topics))),
        )

    @staticmethod
    def _where(record: FenceRecord) -> str:
        return f"{named(record.topics)} on cluster {record.source}"


def _expected(record: FenceRecord) -> ManualRecord:
    if not isinstance(record, ManualRecord):
        raise TypeError(f"a record of fence {record.kind}")
    return record
