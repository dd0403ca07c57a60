"""Plans: the steps of a run with all that could stop it later, found at once, changing nothing."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterable

from engine.api.loss_snapshots import LossSnapshot
from engine.api.runbook_snapshots import Plan, RunFinding, RunKind, Step, StepName
from engine.errors import CcrError
from engine.kafka.connection import ConnectionLostError
from engine.runbook.rehearsal import rehearsal_steps
from engine.runbook.sequences import sequence
from engine.runbook.situation import Situation
from engine.runbook.steps.base import Action

EXAMINE_S = {
    RunKind.PROMOTE: 15.0,
    RunKind.REHEARSAL: 15.0,
    RunKind.FAILOVER: 5.0,  # minutes matter, and the source may be gone
    RunKind.FAILBACK: 50.0,  # records are read for it
}


async def make_plan(situation: Situation, loss: LossSnapshot | None) -> Plan:
    """Plan a run; raises RefusedError (no such flow or option)."""
    actions = sequence(situation)
    rehearsal = situation.kind is RunKind.REHEARSAL
    # What stands in the way of the real topics is no rehearsal's business, but for the fence.
    examined = [each for each in actions if not rehearsal or each.name is StepName.FENCE]
    found = await asyncio.gather(*(_examined(situation, action) for action in examined))
    findings = [*_first(situation), *(each for part in found for each in part)]
    if situation.kind is RunKind.FAILOVER:
        findings += _of_loss(loss)
    steps = tuple(_step(action) for action in actions)
    if rehearsal:
        steps = rehearsal_steps(steps)
    config = situation.config
    return Plan(
        situation.kind,
        situation.flow_name,
        config.source,
        config.target,
        time.time(),
        steps,
        tuple(findings),
        loss,
        _digest(steps, findings),
    )


async def _examined(situation: Situation, action: Action) -> list[RunFinding]:
    seconds = EXAMINE_S[situation.kind]
    try:
        async with asyncio.timeout(seconds):
            return await action.examine()
    except TimeoutError:
        return [action.stop(f"looking took longer than {seconds:.0f} s", "Try again")]
    except CcrError as error:
        return [action.stop(f"{error.operation} {error.object}: {error.cause}", error.next_step)]
    except ConnectionLostError as error:
        return [action.stop(str(error), "Try again")]


def _first(situation: Situation) -> Iterable[RunFinding]:
    """Find what concerns the run as a whole."""
    flow = situation.flow
    promotion = flow.record.promotion
    if promotion is not None and situation.kind in (RunKind.PROMOTE, RunKind.FAILOVER):
        yield RunFinding(None, True, f"its mirrors were promoted already, by run {promotion.run}")
    elif not flow.owned_here and situation.kind is not RunKind.REHEARSAL:
        owner = flow.snapshot().owner
        who = f"engine {owner.engine_id} on {owner.host}" if owner else "nobody"
        yield RunFinding(
            None,
            False,
            f"{who} runs the flow: this engine takes it over first",
        )
    config = situation.config
    fences = situation.kind in (RunKind.PROMOTE, RunKind.REHEARSAL)
    if fences and situation.engine.config.clusters[config.source].read_only:
        yield RunFinding(
            StepName.FENCE,
            True,
            f"cluster {config.source} is read-only in the config: nobody can be fenced there",
            "Change that, or fail over",
        )
    if flow.record.in_a_run and situation.kind is not RunKind.REHEARSAL:
        yield RunFinding(None, True, "another run of this flow is under way", "See ccr reports")


def _of_loss(loss: LossSnapshot | None) -> Iterable[RunFinding]:
    if loss is None or not loss.looked_at:
        yield RunFinding(
            None,
            False,
            "the source's ends were never seen by this engine: what is lost is not known",
        )
    elif loss.partitions_unknown:
        yield RunFinding(
            None, False, f"the ends of {loss.partitions_unknown} partitions were never seen"
        )


def _step(action: Action) -> Step:
    return Step(
        action.name,
        action.title,
        action.undoing,
        action.timeout_seconds,
        action.crosses,
    )


def _digest(steps: Iterable[Step], findings: Iterable[RunFinding]) -> str:
    """Say in short what an operator has agreed to: the steps, not figures that change meanwhile."""
    parts: list[tuple[StepName | None, str]] = [(step.name, step.title) for step in steps]
    parts += [(finding.step, finding.text) for finding in findings if finding.stops]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
