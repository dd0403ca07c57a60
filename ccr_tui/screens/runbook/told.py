"""What stands above the steps: where the flow is, what stops a plan, what would be lost."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from enum import StrEnum

from ccr_tui import formats
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.columns import Cell, Tone
from engine.api.runbook_snapshots import Plan, Run, RunKind, RunState, StepState
from engine.api.snapshots import FlowSnapshot
from engine.service import loss_wording, run_report, wording

FINDINGS = 4  # shown of each kind; the rest is counted


class View(StrEnum):
    """What is shown: the newest run, or a plan."""

    RUN = "run"
    PROMOTE = "promote"
    FAILOVER = "failover"
    FAILBACK = "failback"
    REHEARSAL = "rehearse"


KINDS = {
    View.PROMOTE: RunKind.PROMOTE,
    View.FAILOVER: RunKind.FAILOVER,
    View.FAILBACK: RunKind.FAILBACK,
    View.REHEARSAL: RunKind.REHEARSAL,
}
_RUN_TONES = {
    RunState.RUNNING: Tone.STRONG,
    RunState.UNDOING: Tone.WARN,
    RunState.DONE: Tone.GOOD,
    RunState.UNDONE: Tone.WARN,
    RunState.FAILED: Tone.BAD,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer: the newest run of the flow, and the plan that is looked at."""

    run: Run | None
    plan: Plan | None


def tabs(view: View) -> Fact:
    """Name all views, the shown one in brackets."""
    cells: list[Cell] = []
    for each in View:
        words = f"[{each}]" if each is view else f" {each} "
        cells.append((f"{words} ", Tone.STRONG if each is view else Tone.DIM))
    return cells


def of_flow(flow: FlowSnapshot | None, symbols: Symbols) -> list[Fact]:
    """Say where the flow is, whatever is shown below."""
    if flow is None:
        return []
    lag = wording.lag(flow.lag_records, flow.lag_seconds)
    return [
        [
            ("Flow   ", Tone.DIM),
            (f"{flow.source} {symbols.crumb} {flow.target}, {flow.state}, {lag}", Tone.PLAIN),
        ]
    ]


def of_plan(plan: Plan) -> list[Fact]:
    """Say what stops it, what would be lost, what is to be known."""
    facts: list[Fact] = []
    stopping = [each for each in plan.findings if each.stops]
    for each in stopping[:FINDINGS]:
        facts.append([("STOPS  ", Tone.BAD), (each.text, Tone.BAD)])
        if each.next_step:
            facts.append([("       ", Tone.DIM), (each.next_step, Tone.STRONG)])
    if len(stopping) > FINDINGS:
        facts.append([(f"       and {len(stopping) - FINDINGS} more", Tone.BAD)])
    if plan.loss is not None:
        bad = plan.loss.lost_records or not plan.loss.looked_at
        sentence = loss_wording.sentence(plan.loss)
        facts.append([("LOST   ", Tone.DIM), (sentence, Tone.BAD if bad else Tone.GOOD)])
    others = [each for each in plan.findings if not each.stops]
    facts += [[("Note   ", Tone.DIM), (each.text, Tone.WARN)] for each in others[:FINDINGS]]
    if len(others) > FINDINGS:
        facts.append([(f"       and {len(others) - FINDINGS} more", Tone.WARN)])
    if not stopping:
        facts.append([("Ready  ", Tone.DIM), ("b begins it", Tone.GOOD)])
    return facts


def of_run(run: Run | None) -> list[Fact]:
    """Say how a run went, or goes."""
    if run is None:
        return [[("No run of this flow is on record. Tab shows what could be done.", Tone.DIM)]]
    facts: list[Fact] = [
        [
            ("Run    ", Tone.DIM),
            (f"{run.kind} {run.id}, asked for by {formats.one_line(run.by)}", Tone.PLAIN),
        ],
        [("State  ", Tone.DIM), (run_report.sentence(run), _RUN_TONES[run.state])],
    ]
    now = [each for each in run.steps if each.state in (StepState.RUNNING, StepState.UNDOING)]
    if now:
        waits = f": waits for {formats.one_line(now[-1].waits_for)}" if now[-1].waits_for else ""
        facts.append([("Now    ", Tone.DIM), (f"{now[-1].title}{waits}", Tone.STRONG)])
    if run.reason is not None and not run.state.ended:
        facts.append([("Why    ", Tone.DIM), (run.reason.text, Tone.WARN)])
    if not run.state.ended:
        words = "behind the point of no return" if run.crossed else "U undoes everything"
        facts.append([("Way    ", Tone.DIM), (words, Tone.WARN if run.crossed else Tone.PLAIN)])
    return facts


def question(plan: Plan) -> tuple[str, str]:
    """Return title and text of what is asked before a plan is carried out."""
    if plan.kind is RunKind.REHEARSAL:
        body = "Throw-away topics are made and deleted; nothing of yours is touched."
        return f"Rehearse a switch of {plan.flow}?", body
    if plan.kind is RunKind.FAILBACK:
        body = (
            f"What never arrived is exported and kept aside (ccr failback has --mode); "
            f"{plan.source} is written to again."
        )
        return f"Fail {plan.flow} back?", body
    lost = f" {loss_wording.sentence(plan.loss)}" if plan.loss is not None else ""
    verb = "Promote" if plan.kind is RunKind.PROMOTE else "Fail over"
    body = f"{plan.target} becomes the primary.{lost}"
    return f"{verb} {plan.flow}: {plan.source} to {plan.target}?", textwrap.fill(body, 1000)
