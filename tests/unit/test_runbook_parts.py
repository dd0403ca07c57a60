"""Runbooks without brokers: which flow is the way back, who carries a fence on, what is told."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from ccr_tui.cli.run_lines import Follower
from engine.api.runbook_snapshots import (
    Run,
    RunKind,
    RunOptions,
    RunState,
    Step,
    StepName,
    StepState,
)
from engine.api.snapshots import EngineMode, Reason
from engine.config.model import Config
from engine.engine import Engine
from engine.errors import RefusedError
from engine.reload.reloader import Reloader
from engine.replication.run_brief import last_rehearsal, run_brief
from engine.replication.state_records import FlowRecord, run_entry
from engine.runbook.journal import RUN, runs_of
from engine.runbook.situation import Situation, reversed_section
from engine.runbook.steps.fence import RaiseFence
from engine.service import wording
from engine.service.run_report import markdown

STEPS = (
    Step(StepName.FENCE, "Fence producers on a", "lifts the fence", 60),
    Step(StepName.DRAIN, "Drain", "", 60),
    Step(StepName.PROMOTE, "Promote", "", 30, crosses=True),
    Step(StepName.LIFT, "Lift the fence on a", "", 60),
)
RUN_ = Run(
    "20261123-010203-abcd", RunKind.PROMOTE, "there", "a", "b", RunState.RUNNING, 1000.0, 0.0,
    "alice, ccr promote", "host-a", "0.1.0", RunOptions(fence="acl"), STEPS,
)  # fmt: skip


def situation(
    flows: dict[str, Any], options: RunOptions = RUN_.options, kind: RunKind = RunKind.PROMOTE
) -> Situation:
    clusters = {name: {"bootstrap_servers": ["127.0.0.1:1"]} for name in "abc"}
    config = Config.model_validate({"version": 1, "clusters": clusters, "flows": flows})
    engine = Engine(config, config_path="test", mode=EngineMode.SERVICE)
    return Situation(engine, Reloader(engine), kind, "there", options, None)


def flow(source: str, target: str, *include: str, **more: Any) -> dict[str, Any]:
    return {"source": source, "target": target, "topics": {"include": list(include)}, **more}


def test_the_way_back_takes_the_same_topics() -> None:
    flows = {
        "there": flow("a", "b", "orders.*"),
        "others": flow("b", "a", "clicks.*"),
        "further": flow("b", "c", "orders.*"),
        "home": flow("b", "a", "orders.*"),
    }
    assert situation(flows).flow_back == "home"
    del flows["home"]
    assert situation(flows).flow_back is None
    assert situation(flows).reverse.flow == "there-back"


def test_a_section_is_turned_round() -> None:
    there = flow(
        "a", "b", "x", start="latest", replication_factor=2, offsets="identical",
        switch={"cut_over": "move"}, groups={"interval": "2s"},
    )  # fmt: skip
    config = situation({"there": there}).config
    assert reversed_section(config) == {
        "source": "b",
        "target": "a",
        "topics": {"include": ["x"]},
        "switch": {"cut_over": "move"},
        "groups": {"interval": 2.0},
    }


def test_a_flow_that_would_carry_the_fence_on_stops_the_plan() -> None:
    flows = {
        "there": flow("a", "b", "x"),
        "fan-out": flow("a", "c", "x", sync={"acls": True}),
        "no-acls": flow("a", "c", "y"),
        "other": flow("b", "c", "x", sync={"acls": True}),
    }
    [found] = RaiseFence(situation(flows))._carried_on()
    assert found.stops
    assert found.text == "flow fan-out carries ACLs from a to c: this fence, too"
    by_size = RunOptions(fence="max-message-bytes")
    assert RaiseFence(situation(flows, by_size))._carried_on() == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            RunOptions(fence="wall"),
            "fence 'wall' is none of max-message-bytes, acl, command, manual",
        ),
        (RunOptions(verify="some"), "verify 'some' is none of sample, full, none"),
    ],
)
def test_an_option_that_there_is_not_is_refused(options: RunOptions, told: str) -> None:
    with pytest.raises(RefusedError, match=told):
        _ = situation({"there": flow("a", "b", "x")}, options).switch


def test_a_mode_that_there_is_not_is_refused() -> None:
    options = RunOptions(mode="burn")
    with pytest.raises(RefusedError, match="'burn' is none of reinject, keep-aside, discard"):
        _ = situation({"there": flow("a", "b", "x")}, options, RunKind.FAILBACK).mode


def stepped(**states: StepState) -> Run:
    """Return the run with steps in states; the fence has kept what it takes to lift it."""
    steps = tuple(
        replace(
            step,
            state=states.get(step.name.value, StepState.PENDING),
            kept={"fence": {}} if step.name is StepName.FENCE else {},
        )
        for step in STEPS
    )
    return replace(RUN_, steps=steps)


def recorded(run: Run) -> FlowRecord:
    record = FlowRecord()
    key, value = run_entry(run.id, RUN.dump_python(run, mode="json"))
    record.fold(key, value, 0)
    return record


@pytest.mark.parametrize(
    ("run", "fenced"),
    [
        (RUN_, False),
        (stepped(fence=StepState.RUNNING), True),  # nobody knows whether it was raised
        (stepped(fence=StepState.DONE, drain=StepState.RUNNING), True),
        (stepped(fence=StepState.UNDOING), True),
        (stepped(fence=StepState.UNDONE), False),
        (stepped(fence=StepState.DONE, promote=StepState.DONE, lift=StepState.RUNNING), True),
        (stepped(fence=StepState.DONE, promote=StepState.DONE, lift=StepState.DONE), False),
    ],
)
def test_whether_a_fence_may_be_up(run: Run, fenced: bool) -> None:
    brief = run_brief(recorded(run))
    assert brief is not None
    assert brief.fenced is fenced


def test_a_run_that_has_ended_is_not_told_of() -> None:
    assert run_brief(recorded(replace(RUN_, state=RunState.DONE))) is None
    assert run_brief(recorded(replace(RUN_, state=RunState.UNDONE))) is None
    assert run_brief(recorded(replace(RUN_, state=RunState.FAILED))) is not None
    assert run_brief(FlowRecord()) is None


def test_the_journal_reads_what_it_writes_and_passes_over_what_it_does_not_know() -> None:
    record = recorded(stepped(fence=StepState.DONE))
    record.fold("runbook/newer", {"state": "running", "began": 1.0, "what": "?"}, 0)
    assert runs_of(record) == [stepped(fence=StepState.DONE)]


def test_the_report_has_what_was_seen() -> None:
    reason = Reason("producer 7 still writes to orders/3", "Stop that producer")
    steps = (
        replace(
            STEPS[0], state=StepState.UNDONE, began=1000.0, ended=1002.0, evidence=("78 on 3",)
        ),
        replace(STEPS[1], state=StepState.FAILED, began=1002.0, ended=1062.0, reason=reason),
        *STEPS[2:],
    )
    run = replace(RUN_, state=RunState.UNDONE, ended=1070.0, steps=steps, reason=reason)
    lines = markdown(run).splitlines()
    assert lines[0] == "# Planned promotion of there: a to b"
    assert lines[2] == (
        "**Undone after 1 min 10 s: producer 7 still writes to orders/3. "
        "a is the primary as before.**"
    )
    assert "- asked for by alice, ccr promote; carried out on host-a by ccr 0.1.0" in lines
    assert "- options: fence acl" in lines
    assert "| 1970-01-01 00:16:42 UTC | 1 min 0 s | Drain | failed |" in lines
    assert "- 78 on 3" in lines
    assert "- **producer 7 still writes to orders/3** Stop that producer" in lines
    assert lines[-1] == "Nothing is left to undo: everything is as it was before."


def test_each_change_is_told_once() -> None:
    follower = Follower(as_json=False)
    assert list(follower.lines(RUN_)) == []
    began = stepped(fence=StepState.RUNNING)
    waits = replace(
        began.steps[0], waits_for="5 brokers to know of it", evidence=("78 on 3 topics",)
    )
    run = replace(began, steps=(waits, *began.steps[1:]))
    assert list(follower.lines(run)) == [
        " 1/4 running: Fence producers on a",
        "     78 on 3 topics",
        "     waits for 5 brokers to know of it",
    ]
    fewer = replace(waits, waits_for="4 brokers to know of it")
    assert list(follower.lines(replace(run, steps=(fewer, *run.steps[1:])))) == []
    done = replace(waits, state=StepState.DONE, began=1000.0, ended=1003.0)
    told = list(follower.lines(replace(run, steps=(done, *run.steps[1:]))))
    assert told == [" 1/4 done after 3.0 s: Fence producers on a"]
    assert asdict(run)["steps"][0]["name"] == "fence"


def test_the_last_rehearsal_is_told_with_the_time_of_the_switch_alone() -> None:
    steps = (
        Step(StepName.MAKE, "Make", "", 60, state=StepState.DONE, began=100.0, ended=130.0),
        replace(STEPS[0], state=StepState.DONE, began=130.0, ended=131.0),
        replace(STEPS[2], state=StepState.DONE, began=131.0, ended=134.5),
        Step(StepName.CLEAN, "Clean", "", 60, state=StepState.DONE, began=134.5, ended=140.0),
    )
    run = replace(RUN_, kind=RunKind.REHEARSAL, state=RunState.DONE, ended=140.0, steps=steps)
    record = recorded(run)
    older = replace(run, id="older", ended=90.0, state=RunState.UNDONE)
    record.fold(*run_entry("older", RUN.dump_python(older, mode="json")), 0)
    brief = last_rehearsal(record)
    assert brief is not None
    assert (brief.id, brief.at, brief.seconds, brief.good) == (RUN_.id, 140.0, 4.5, True)
    told = wording.rehearsed(brief, 140.0 + 3 * 86_400)
    assert told == "switch rehearsed 3 d 0 h ago: it took 4.5 s"
    assert run_brief(record) is None
    assert last_rehearsal(recorded(RUN_)) is None
