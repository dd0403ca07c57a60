"""Which steps a runbook has, in their order."""

from __future__ import annotations

from engine.api.runbook_snapshots import RunKind
from engine.config.switch_section import VerifyExtent
from engine.runbook.divergence import Mode
from engine.runbook.situation import Situation
from engine.runbook.steps.base import Action
from engine.runbook.steps.check import Tail, Verify
from engine.runbook.steps.clients import CutOver
from engine.runbook.steps.diverged import Export, FindDiverged, Settle
from engine.runbook.steps.drain import Drain, Stop
from engine.runbook.steps.fence import LiftFence, RaiseFence, Stand
from engine.runbook.steps.groups import TranslateGroups
from engine.runbook.steps.promote import Grant, Promote
from engine.runbook.steps.reverse import Reverse
from engine.runbook.steps.way_back import CatchUp, PassOver, Seed


def sequence(situation: Situation) -> list[Action]:
    """Return the steps of a run; raises RefusedError for an option that there is not."""
    match situation.kind:
        case RunKind.PROMOTE:
            kinds = _planned(situation)
        case RunKind.FAILOVER:
            kinds = [TranslateGroups, Stop, Tail, Promote, Grant, CutOver]
        case RunKind.REHEARSAL:
            kinds = [kind for kind in _planned(situation) if kind is not Reverse]
        case RunKind.FAILBACK:
            kinds = _failback(situation)
    return [kind(situation) for kind in kinds]


def _planned(situation: Situation) -> list[type[Action]]:
    verify = [] if situation.switch.verify is VerifyExtent.NONE else [Verify]
    reverse = [Reverse] if situation.switch.reverse else []
    return [
        *(RaiseFence, Stand, Drain),
        *verify,
        *(PassOver, TranslateGroups, Stop, Promote, Grant, CutOver, LiftFence),
        *reverse,
    ]


def _failback(situation: Situation) -> list[type[Action]]:
    exported = [] if situation.mode is Mode.DISCARD else [Export]
    return [FindDiverged, *exported, Settle, Seed, Reverse, CatchUp, PassOver]
