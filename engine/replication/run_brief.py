"""A runbook under way, in short, as the flow's state topic has it; whoever carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.api.snapshots import RehearsalBrief, RunBrief
from engine.replication.state_records import FlowRecord

_ENDED = ("done", "undone")
_NOT_THE_SWITCH = ("make", "clean")


def run_brief(record: FlowRecord) -> RunBrief | None:
    """Return the newest run that has not ended; None when there is none."""
    left = [run for run in record.runbooks.values() if run["state"] not in _ENDED]
    if not left:
        return None
    run = max(left, key=lambda each: each["began"])
    under_way = [step for step in run["steps"] if step["state"] in ("running", "undoing", "failed")]
    reason = run.get("reason") or {}
    return RunBrief(
        run["id"],
        run["kind"],
        run["state"],
        under_way[-1]["title"] if under_way else "",
        run["began"],
        fenced=_fenced(run["steps"]),
        crossed=run["crossed"],
        why=reason.get("text", ""),
    )


def last_rehearsal(record: FlowRecord) -> RehearsalBrief | None:
    """Return the newest rehearsal; None when there was none."""
    ended = [run for run in record.runbooks.values() if run["kind"] == "rehearsal"]
    if not ended:
        return None
    run = max(ended, key=lambda each: each["ended"])
    steps = [step for step in run["steps"] if step["name"] not in _NOT_THE_SWITCH and step["ended"]]
    seconds = max((s["ended"] for s in steps), default=0) - min(
        (s["began"] for s in steps), default=0
    )
    return RehearsalBrief(run["id"], run["ended"], seconds, good=run["state"] == "done")


def _fenced(steps: list[Mapping[str, Any]]) -> bool:
    """Whether a fence may be up: from before it is raised until it was lifted for certain."""
    states = {step["name"]: step["state"] for step in steps}
    kept = any("fence" in step["kept"] for step in steps)
    return kept and states.get("fence") != "undone" and states.get("lift") != "done"
