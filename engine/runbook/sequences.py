"""Which steps a runbook has, in their order."""

from __future__ import annotations

from engine.api.runbook_snapshots import RunKind
from engine.config.switch_section import VerifyExtent
from engine.runbook.situation import Situation
from engine.runbook.steps.base import Action
from engine.runbook.steps.check import Tail, Verify
from engine.runbook.steps.clients import CutOver
from engine.runbook.steps.drain import Drain, Stop
from engine.runbook.steps.fence import LiftFence, RaiseFence, Stand
from engine.runbook.steps.groups import TranslateGroups
from engine.runbook.steps.promote import Grant, Promote
from engine.runbook.steps.reverse import Reverse


def sequence(situation: Situation) -> list[Action]:
    """Return the steps of a run; raises RefusedError for an option that there is not."""
    kinds = _planned(situation) if situation.kind is RunKind.PROMOTE else _FAILOVER
    return [kind(situation) for kind in kinds]


def _planned(situation: Situation) -> list[type[Action]]:
    verify = [] if situation.switch.verify is VerifyExtent.NONE else [Verify]
    reverse = [Reverse] if situation.switch.reverse else []
    return [
        *(RaiseFence, Stand, Drain),
        *verify,
        *(TranslateGroups, Stop, Promote, Grant, CutOver, LiftFence),
        *reverse,
    ]


_FAILOVER: list[type[Action]] = [TranslateGroups, Stop, Tail, Promote, Grant, CutOver]
