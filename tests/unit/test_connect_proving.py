"""What a status proves of a restart, and what it does not."""

from __future__ import annotations

import pytest

from engine.connect.models import ConnectorStatus, State
from engine.connect.proving import FAILED_FOR_S, Restarted, first_line, has_settled, in_state, told

TRACE = (
    "a.B: it broke\n\tat x.Y\nCaused by: c.D: no disk\n\tat z\nCaused by: e.F: sda1\n\t... 3 more"
)


def status(connector: str, *tasks: str) -> ConnectorStatus:
    return ConnectorStatus.model_validate(
        {
            "name": "c",
            "connector": {"state": connector, "worker_id": "w"},
            "tasks": [
                {"id": number, "state": state, "worker_id": "w",
                 "trace": TRACE if state == "FAILED" else None}
                for number, state in enumerate(tasks)
            ],
        }
    )  # fmt: skip


def watched(steps: list[tuple[float, str]], *, failed: bool) -> tuple[Restarted, float]:
    outcome = Restarted(frozenset({"task 0"}), frozenset({"task 0"} if failed else ()))
    now = 0.0
    for now, state in steps:
        outcome.look(status("RUNNING", state), now)
    return outcome, now


@pytest.mark.parametrize(
    ("failed", "steps", "proven"),
    [
        (True, [(0, "FAILED"), (1, "RUNNING"), (2.1, "RUNNING")], True),
        (True, [(0, "FAILED"), (1, "RUNNING"), (1.5, "RUNNING")], False),  # may fail again yet
        (False, [(0, "RUNNING"), (3, "RUNNING")], False),  # perhaps the old one
        (False, [(0, "RUNNING"), (1, "RESTARTING"), (2, "RUNNING"), (3.1, "RUNNING")], True),
        (False, [(0, "RUNNING"), (1, "UNASSIGNED"), (2, "RUNNING")], False),
        (True, [(0, "RUNNING"), (0.5, "UNASSIGNED"), (1.2, "RUNNING"), (1.4, "RUNNING")], False),
    ],
)
def test_what_counts_as_restarted(
    failed: bool, steps: list[tuple[float, str]], proven: bool
) -> None:
    outcome, now = watched(steps, failed=failed)
    assert (outcome.proven(now) == {"task 0"}) is proven
    assert (outcome.unproven(now) == set()) is proven
    assert not outcome.failed


def test_what_failed_again() -> None:
    """Seen to restart and failed: at once. Not seen: when it had its time."""
    seen, now = watched([(0, "FAILED"), (0.1, "RESTARTING"), (0.2, "FAILED")], failed=True)
    assert seen.failed == {"task 0": "e.F: sda1"}
    assert not seen.unproven(now)
    stale, now = watched([(0, "FAILED"), (FAILED_FOR_S - 0.1, "FAILED")], failed=True)
    assert not stale.failed
    assert stale.unproven(now) == {"task 0"}
    assert not stale.unseen(now)
    stale.look(status("RUNNING", "FAILED"), FAILED_FOR_S)
    assert stale.failed == {"task 0": "e.F: sda1"}
    healthy, _ = watched([(0, "RUNNING"), (1, "FAILED")], failed=False)
    assert healthy.failed == {"task 0": "e.F: sda1"}


def test_one_that_ran_all_along_is_not_waited_for_to_the_end() -> None:
    outcome, _ = watched([(0, "RUNNING"), (4.9, "RUNNING")], failed=False)
    assert not outcome.unseen(4.9)
    assert outcome.unseen(5.0)
    assert outcome.unproven(5.0) == {"task 0"}


def test_states() -> None:
    assert in_state(status("RUNNING", "RUNNING", "RUNNING"), State.RUNNING)
    assert not in_state(status("RUNNING"), State.RUNNING), "it has no tasks yet"
    assert not in_state(status("RUNNING", "RUNNING", "FAILED"), State.RUNNING)
    assert in_state(status("STOPPED"), State.STOPPED)
    assert not in_state(status("STOPPED", "RUNNING"), State.STOPPED)
    assert in_state(status("PAUSED"), State.PAUSED)
    assert has_settled(status("FAILED"))
    assert not has_settled(status("RUNNING", "UNASSIGNED"))


def test_words() -> None:
    assert first_line(TRACE) == "e.F: sda1"
    assert first_line("a.B: it broke\n\tat x.Y") == "a.B: it broke"
    assert first_line(None) == "no trace"
    assert told(status("RUNNING", "RUNNING", "FAILED", "FAILED")) == (
        "the connector is RUNNING, task 0 RUNNING, task 1, 2 FAILED: e.F: sda1"
    )
    assert told(status("STOPPED")) == "the connector is STOPPED, no tasks"
