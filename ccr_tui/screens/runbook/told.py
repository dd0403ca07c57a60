"""What stands above the steps: where the flow is, what stops a plan, what would be lost."""

from __future__ import annotations

from enum import StrEnum

from ccr_tui import formats
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.columns import Cell, Tone
from engine.api.loss_snapshots import LossSnapshot
from engine.api.runbook_snapshots import (
    Plan,
    Run,
    RunFinding,
    RunKind,
    RunOptions,
    RunsPage,
    RunState,
    Step,
    StepState,
)
from engine.api.snapshots import FlowSnapshot
from engine.service import loss_wording, run_report, wording


class View(StrEnum):
    """What is shown: the newest run, a plan, or all runs on record."""

    RUN = "run"
    PROMOTE = "promote"
    FAILOVER = "failover"
    FAILBACK = "failback"
    REHEARSAL = "rehearse"
    PAST = "reports"


KINDS = {
    View.PROMOTE: RunKind.PROMOTE,
    View.FAILOVER: RunKind.FAILOVER,
    View.FAILBACK: RunKind.FAILBACK,
    View.REHEARSAL: RunKind.REHEARSAL,
}
RUN_TONES = {
    RunState.RUNNING: Tone.STRONG,
    RunState.UNDOING: Tone.WARN,
    RunState.DONE: Tone.GOOD,
    RunState.UNDONE: Tone.WARN,
    RunState.FAILED: Tone.BAD,
}


def newest(page: RunsPage) -> Run | None:
    """Return the run to look at: one that is under way, before all that have ended."""
    under_way = [run for run in page.runs if not run.state.ended]
    real = [run for run in under_way if run.kind is not RunKind.REHEARSAL]
    return next(iter([*real, *under_way, *page.runs]), None)


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


def of_plan(plan: Plan, *, roomy: bool) -> list[Fact]:
    """Say what stops it, what would be lost, what is to be known; the first of each."""
    at_most = 4 if roomy else 2 if plan.loss is None else 1
    facts: list[Fact] = []
    stopping = [each for each in plan.findings if each.stops]
    for each in stopping[:at_most]:
        facts += _stopping(each)
    if len(stopping) > at_most:
        facts.append([(f"       and {len(stopping) - at_most} more: n", Tone.BAD)])
    if plan.loss is not None:
        short = None if roomy else lost_in_short(plan.loss)
        if short is not None:
            words = f"{short[0]} {short[1]}".replace("\n", " ").replace(" would be LOST", "")
            facts.append([("LOST   ", Tone.DIM), (words, _loss_tone(plan))])
        facts.append([("Say    ", Tone.DIM), (loss_wording.sentence(plan.loss), _loss_tone(plan))])
    notes = _notes(plan)
    facts += [[("Note   ", Tone.DIM), (text, Tone.WARN)] for text in notes[:at_most]]
    if len(notes) > at_most:
        facts.append([(f"       and {len(notes) - at_most} more: n", Tone.WARN)])
    if not stopping:
        facts.append([("Ready  ", Tone.DIM), ("b begins it", Tone.GOOD)])
    return facts


def all_of_plan(plan: Plan) -> list[Fact]:
    """Say all that is to be known before it is begun, worst topics and groups included."""
    facts: list[Fact] = []
    for each in plan.findings:
        if each.stops:
            facts += _stopping(each)
    if plan.loss is not None:
        facts.append([("Say    ", Tone.DIM), (loss_wording.sentence(plan.loss), _loss_tone(plan))])
    facts += [[("Note   ", Tone.DIM), (text, Tone.WARN)] for text in _notes(plan)]
    if plan.loss is not None:
        facts += _worst(plan.loss)
    return facts or [[("There is nothing to be known beforehand.", Tone.PLAIN)]]


def _stopping(finding: RunFinding) -> list[Fact]:
    facts: list[Fact] = [[("STOPS  ", Tone.BAD), (finding.text, Tone.BAD)]]
    if finding.next_step:
        facts.append([("       ", Tone.DIM), (finding.next_step, Tone.STRONG)])
    return facts


def _notes(plan: Plan) -> list[str]:
    of_loss = loss_wording.notes(plan.loss) if plan.loss is not None else ()
    notes = [each for each in plan.findings if not each.stops]
    return [*of_loss, *(f"{each.text}. {each.next_step}".rstrip(". ") for each in notes)]


def _loss_tone(plan: Plan) -> Tone:
    """Good only where nothing is lost for certain: an old look says nothing of what came since."""
    loss = plan.loss
    if loss is None or loss.lost_records or not loss.looked_at:
        return Tone.BAD
    return Tone.WARN if loss.at_least or loss.partitions_unknown else Tone.GOOD


def _worst(loss: LossSnapshot) -> list[Fact]:
    facts: list[Fact] = []
    for topic in loss.topics:
        size = "" if topic.lost_bytes is None else f", about {wording.size(topic.lost_bytes)}"
        since = (
            ""
            if topic.lost_seconds is None
            else f", of the last {wording.duration(topic.lost_seconds)}"
        )
        records = f"{topic.lost_records:,} records{size}{since}"
        facts.append([("Topic  ", Tone.DIM), (f"{formats.one_line(topic.topic)}: ", Tone.STRONG),
                      (records, Tone.BAD)])  # fmt: skip
    for group in loss.groups:
        again = "?" if group.again_records is None else f"{group.again_records:,}"
        facts.append([("Group  ", Tone.DIM), (f"{formats.one_line(group.group)}: ", Tone.STRONG),
                      (f"reads {again} records again", Tone.PLAIN)])  # fmt: skip
    return facts


def lost_in_short(loss: LossSnapshot | None) -> tuple[str, str] | None:
    """Return the number of records that would be lost, and what stands beside it."""
    if loss is None or not loss.looked_at:
        return None
    bounds = {(True, False): " at least", (False, True): " at most", (True, True): " or so"}
    bound = bounds.get((loss.at_least, loss.at_most), "")
    old = wording.duration(loss.taken_at - loss.looked_at)
    return f"{loss.lost_records:,}", (
        f"records{bound} would be LOST,\nas {loss.source} was seen {old} ago"
    )


def of_run(run: Run | None) -> list[Fact]:
    """Say how a run went, or goes."""
    if run is None:
        return [[("No run of this flow is on record. Tab shows what could be done.", Tone.DIM)]]
    facts: list[Fact] = [
        [
            ("Run    ", Tone.DIM),
            (f"{run.kind} {run.id}, asked for by {formats.one_line(run.by)}", Tone.PLAIN),
        ],
        [("State  ", Tone.DIM), (run_report.sentence(run), RUN_TONES[run.state])],
    ]
    now = [each for each in run.steps if each.state in (StepState.RUNNING, StepState.UNDOING)]
    if now:
        waits = f": waits for {formats.one_line(now[-1].waits_for)}" if now[-1].waits_for else ""
        facts.append([("Now    ", Tone.DIM), (f"{now[-1].title}{waits}", Tone.STRONG)])
    if run.reason is not None and not run.state.ended:
        facts.append([("Why    ", Tone.DIM), (run.reason.text, Tone.WARN)])
        if run.reason.next_step:
            facts.append([("Next   ", Tone.DIM), (run.reason.next_step, Tone.STRONG)])
    if not run.state.ended:
        facts.append([("Keys   ", Tone.DIM), _keys(run, asked=_is_asked(now))])
    return facts


def _is_asked(now: list[Step]) -> bool:
    """Whether the run waits for an operator to say that something is done."""
    return any("--confirm-step" in each.waits_for for each in now)


def _keys(run: Run, *, asked: bool) -> Cell:
    if asked:
        return "d says that it is done; U undoes everything", Tone.STRONG
    if run.state is RunState.FAILED:
        return "o tries that step again; there is no way back any more, only forward", Tone.STRONG
    if run.crossed:
        return "behind the point of no return: it only goes forward", Tone.WARN
    if run.state is RunState.UNDOING:
        return "nothing to do: it is being undone", Tone.PLAIN
    return "U undoes everything", Tone.PLAIN


def question(plan: Plan, options: RunOptions) -> tuple[str, str]:
    """Return title and text of what is asked before a plan is carried out."""
    if plan.kind is RunKind.REHEARSAL:
        body = "Throw-away topics are made and deleted; nothing of yours is touched."
        return f"Rehearse a switch of {plan.flow}?", body
    if plan.kind is RunKind.FAILBACK:
        fate = _FATES[options.mode or "keep-aside"].format(target=plan.target)
        body = f"What never arrived is {fate}; {plan.source} is written to again."
        return f"Fail {plan.flow} back?", body
    lost = f" {loss_wording.sentence(plan.loss)}" if plan.loss is not None else ""
    verb = "Promote" if plan.kind is RunKind.PROMOTE else "Fail over"
    return (
        f"{verb} {plan.flow}: {plan.source} to {plan.target}?",
        f"{plan.target} becomes the primary.{lost}",
    )


_FATES = {
    "keep-aside": "exported and kept aside",
    "reinject": "exported, and appended on {target} behind all that is there",
    "discard": "GIVEN UP FOR GOOD: not even exported",
}


def to_type(plan: Plan, options: RunOptions) -> str | None:
    """Return what has to be typed before a plan is carried out; None: nothing."""
    if plan.kind is RunKind.REHEARSAL:
        return None
    discards = plan.kind is RunKind.FAILBACK and options.mode == "discard"
    return f"discard {plan.flow}" if discards else plan.flow
