"""Consumer groups: translated once more, so that each goes on with its very next record."""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

from engine.api.group_snapshots import GroupsPage
from engine.api.runbook_snapshots import RunFinding, RunKind, StepName
from engine.errors import RefusedError
from engine.printable import plural
from engine.runbook.steps.base import Action, StepFailedError, Telling

DEAD_SOURCE_S = 5.0  # a failover waits no longer for a source that may be gone
NAMED = 5


class TranslateGroups(Action):
    """Looks at both sides and commits on the target."""

    name: ClassVar = StepName.GROUPS

    @property
    def title(self) -> str:
        """What it does."""
        return f"Translate consumer groups once more, and commit on {self.situation.config.target}"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return 120.0

    @property
    def _planned(self) -> bool:
        return self.situation.kind is RunKind.PROMOTE

    async def examine(self) -> list[RunFinding]:
        """Find groups that are not kept in step."""
        if not self.situation.config.sync.groups:
            return [
                self.warn(
                    "consumer groups are not kept in step: they begin where they choose",
                    "Set sync: {groups: true}, and wait for a round",
                )
            ]
        try:
            page = self.situation.flow.mirroring.in_step.groups
        except RefusedError:
            return []
        return [
            self.warn(f"group {group.name} is {group.state}: {reason.text}", reason.next_step)
            for group in (page.groups if page else ())
            if (reason := group.reason) is not None
        ]

    async def act(self, telling: Telling) -> None:
        """Translate."""
        flow = self.situation.flow
        if flow.record.promotion is not None:
            return  # by an engine that died behind the promotion: it was done before
        if not self.situation.config.sync.groups:
            telling.found("groups are not kept in step (sync.groups is false)")
            return
        telling.waits_for("a round over all groups")
        in_step = flow.mirroring.in_step
        try:
            async with asyncio.timeout(None if self._planned else DEAD_SOURCE_S):
                page = await in_step.translate_groups()
        except TimeoutError:
            page = in_step.groups
        if page is None or not page.looked_at:
            telling.found("the groups were never looked at by this engine")
            return
        self._tell(page, telling)
        if page.reason is not None and self._planned:
            raise StepFailedError(
                "translating groups of flow",
                self.situation.flow_name,
                page.reason.text,
                page.reason.next_step,
            )

    def _tell(self, page: GroupsPage, telling: Telling) -> None:
        age = time.time() - page.looked_at
        telling.found(f"{plural(len(page.groups), 'group')}, as of {age:.1f} s ago")
        self._count("would read records again", [(g.again, g.name) for g in page.groups], telling)
        self._count(
            "would miss records that are on the target",
            [(g.ahead, g.name) for g in page.groups],
            telling,
        )
        self._count(
            "had not read records that are not on the target",
            [(g.lost, g.name) for g in page.groups],
            telling,
        )

    @staticmethod
    def _count(text: str, counts: list[tuple[int | None, str]], telling: Telling) -> None:
        concerned = sorted(((n, name) for n, name in counts if n), reverse=True)
        if concerned:
            named = ", ".join(f"{name} ({n:,})" for n, name in concerned[:NAMED])
            telling.found(f"{plural(len(concerned), 'group')} {text}: {named}")
