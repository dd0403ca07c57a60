"""The report of a run, as Markdown: what was done when, by whom, and what was seen."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine.api.runbook_snapshots import Run, RunKind, RunState, Step, StepState
from engine.service import loss_wording, wording

_TITLES = {
    RunKind.PROMOTE: "Planned promotion",
    RunKind.FAILOVER: "Failover",
    RunKind.FAILBACK: "Failback",
    RunKind.REHEARSAL: "Rehearsal",
}
WORST_TOPICS = 10


def markdown(run: Run) -> str:
    """Return the report; of a run that has not ended, as far as it has got."""
    return "\n".join(_lines(run)) + "\n"


def sentence(run: Run) -> str:
    """Say in one sentence how it went."""
    took = wording.duration((run.ended or time.time()) - run.began)
    match run.state:
        case RunState.DONE if run.kind is RunKind.REHEARSAL:
            return f"Rehearsed with throw-away topics in {took}; nothing else was touched."
        case RunState.UNDONE if run.kind is RunKind.REHEARSAL:
            why = f": {run.reason.text}" if run.reason else ""
            return f"The rehearsal failed after {took}{why}. Nothing else was touched."
        case RunState.DONE if run.kind is RunKind.FAILBACK:
            return f"{run.source} has all that {run.target} has, since {moment(run.ended)}."
        case RunState.DONE:
            return f"{run.target} is the primary for flow {run.flow} since {moment(run.ended)}."
        case RunState.UNDONE:
            why = f": {run.reason.text}" if run.reason else ""
            return f"Undone after {took}{why}. {run.source} is the primary as before."
        case RunState.FAILED:
            why = f": {run.reason.text}" if run.reason else ""
            return f"Stopped behind the point of no return{why}. It has to be gone on with."
        case RunState.UNDOING:
            return "It is being undone."
        case RunState.RUNNING:
            return f"Under way for {took}."


def _lines(run: Run) -> Iterator[str]:
    yield f"# {_TITLES[run.kind]} of {run.flow}: {run.source} to {run.target}"
    yield ""
    yield f"**{sentence(run)}**"
    yield ""
    yield f"- run `{run.id}`, {run.state}"
    yield f"- asked for by {run.by}; carried out on {run.host} by ccr {run.version}"
    yield f"- began {moment(run.began)}" + (f", ended {moment(run.ended)}" if run.ended else "")
    if run.interrupted:
        yield f"- taken up {run.interrupted} times where an engine had died or let go of it"
    yield f"- options: {_options(run)}"
    yield ""
    yield from _loss(run)
    yield "## Steps"
    yield ""
    yield "| began | took | step | state |"
    yield "|---|---|---|---|"
    for step in run.steps:
        began = moment(step.began) if step.began else ""
        took = wording.duration(step.ended - step.began) if step.ended and step.began else ""
        yield f"| {began} | {took} | {_cell(step.title)} | {step.state} |"
    yield ""
    for step in run.steps:
        yield from _evidence(step)
    yield from _undo_left(run)


def _options(run: Run) -> str:
    chosen = {
        "fence": run.options.fence,
        "verify": run.options.verify,
        "reverse": run.options.reverse,
        "mode": run.options.mode,
    }
    told = [f"{name} {value}" for name, value in chosen.items() if value is not None]
    return ", ".join(told) or "as the flow's switch section has them"


def _loss(run: Run) -> Iterator[str]:
    loss = run.loss
    if loss is None:
        return
    yield "## What would be lost, as shown beforehand"
    yield ""
    yield loss_wording.sentence(loss)
    yield ""
    for topic in loss.topics[:WORST_TOPICS]:
        yield f"- {topic.topic}: {topic.lost_records:,} records"
    for group in loss.groups[:WORST_TOPICS]:
        again = "?" if group.again_records is None else f"{group.again_records:,}"
        yield f"- group {group.group} reads {again} records again"
    yield ""


def _evidence(step: Step) -> Iterator[str]:
    if step.state is StepState.PENDING or not (step.evidence or step.reason):
        return
    yield f"### {step.title}"
    yield ""
    for text in step.evidence:
        yield f"- {text}"
    if step.reason is not None:
        next_step = f" {step.reason.next_step}" if step.reason.next_step else ""
        yield f"- **{step.reason.text}**{next_step}"
    yield ""


def _undo_left(run: Run) -> Iterator[str]:
    yield "## The way back"
    yield ""
    if run.state is RunState.UNDONE or run.kind is RunKind.REHEARSAL:
        yield "Nothing is left to undo: everything is as it was before."
    elif run.kind is RunKind.FAILBACK and run.state is RunState.DONE:
        yield (
            f"{run.target} is still the primary. `ccr promote` of the flow from {run.target} to "
            f"{run.source} leads home, planned."
        )
    elif run.crossed:
        yield (
            f"The promotion stands. The way back is a switch in the other direction, from "
            f"{run.target} to {run.source}, once a flow mirrors that way."
        )
    else:
        yield f"`ccr runbook {run.flow} --abort` undoes it."


def moment(at: float) -> str:
    """Word a time in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
