"""Plans and runs as the command line tells them: in lines, or as JSON, a line for each change."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from ccr_tui.cli.tables import WIDTH, indented
from engine.api.runbook_snapshots import Plan, Run, RunFinding, Step, StepState
from engine.service import loss_wording, wording
from engine.service.run_report import sentence

_BEGUN = {StepState.RUNNING, StepState.UNDOING}


def plan_lines(plan: Plan) -> Iterator[str]:
    """Word a plan: what stops it first, then what is lost, then the steps."""
    yield f"{plan.kind} {plan.flow}: {plan.source} to {plan.target}"
    for finding in sorted(plan.findings, key=lambda each: not each.stops):
        yield from _finding(finding)
    if plan.loss is not None:
        yield ""
        yield from textwrap.wrap(loss_wording.sentence(plan.loss), WIDTH)
        for note in loss_wording.notes(plan.loss):
            yield from indented(note)
        for topic in plan.loss.topics[:10]:
            yield f"  {topic.topic}: {wording.count(topic.lost_records)} records"
    yield ""
    for number, step in enumerate(plan.steps, 1):
        if step.crosses:
            yield "  -- behind this line there is no way back, only forward --"
        undo = f" (undo: {step.undo})" if step.undo else ""
        yield from textwrap.wrap(f"{number:>2} {step.title}{undo}", WIDTH, subsequent_indent="   ")


def _finding(finding: RunFinding) -> Iterator[str]:
    mark = "STOPS" if finding.stops else "note "
    next_step = f". {finding.next_step}" if finding.next_step else ""
    text = f"  {mark} {finding.text}{next_step}"
    yield from textwrap.wrap(text, WIDTH, subsequent_indent=" " * 8)


class Follower:
    """Tells each change of a run once."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._told: dict[str, tuple[StepState, int]] = {}
        self._waits = ""

    def lines(self, run: Run) -> Iterator[str]:
        """Yield what is new since the last look."""
        for number, step in enumerate(run.steps, 1):
            before, seen = self._told.get(step.name, (StepState.PENDING, 0))
            if before is not step.state:
                yield self._change(run, number, step)
            if not self._as_json:
                for text in step.evidence[seen:]:
                    yield from textwrap.wrap(f"     {text}", WIDTH, subsequent_indent="       ")
            self._told[step.name] = step.state, len(step.evidence)
            if step.state in _BEGUN and step.waits_for and not self._as_json:
                yield from self._waiting(step.waits_for)

    def _waiting(self, waits: str) -> Iterator[str]:
        # Figures in it change several times a second: told when the words do.
        words = "".join(char for char in waits if not char.isdigit())
        if words != self._waits:
            self._waits = words
            yield from textwrap.wrap(f"     waits for {waits}", WIDTH, subsequent_indent="       ")

    def _change(self, run: Run, number: int, step: Step) -> str:
        if self._as_json:
            return json.dumps(_step_json(run, step), ensure_ascii=False)
        took = ""
        if step.ended and step.state not in _BEGUN:
            took = f" after {wording.duration(step.ended - step.began)}"
        reason = f": {step.reason.text}" if step.reason else ""
        return f"{number:>2}/{len(run.steps)} {step.state}{took}: {step.title}{reason}"

    def end(self, run: Run) -> str:
        """Word how it ended, or how far it has got."""
        if self._as_json:
            return json.dumps(_run_json(run), ensure_ascii=False)
        return "\n".join(textwrap.wrap(sentence(run), WIDTH))


def _step_json(run: Run, step: Step) -> dict[str, Any]:
    return {
        "run": run.id,
        "step": step.name,
        "state": step.state,
        "title": step.title,
        "began": step.began,
        "ended": step.ended or None,
        "evidence": list(step.evidence),
        "reason": step.reason.text if step.reason else None,
        "next_step": step.reason.next_step if step.reason else None,
    }


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "kind": run.kind,
        "flow": run.flow,
        "state": run.state,
        "crossed": run.crossed,
        "began": run.began,
        "ended": run.ended or None,
        "reason": run.reason.text if run.reason else None,
        "text": sentence(run),
    }
