"""What ends with the console, and what goes on without it."""

from __future__ import annotations

from ccr_tui.actions import Question
from ccr_tui.state import ConsoleMode, ConsoleState
from engine.api.snapshots import EngineMode


def question_before_quitting(state: ConsoleState) -> Question | None:
    """Return what must be asked before the console ends; None when nothing ends with it."""
    flows = state.owned_flows()
    if state.mode is ConsoleMode.ATTACHED or not flows:
        return None
    names = ", ".join(flow.name for flow in flows)
    return Question(
        "Quit and stop replication?",
        f"The engine is part of this console and ends with it. Nobody will run {names} from then "
        "on and lag will grow. What is in flight is finished first, nothing is lost, and the next "
        "engine goes on from there. To replicate without a console run: "
        f"ccr --no-ui --config {_path(state)}",
        "Quit and stop",
    )


def farewell(state: ConsoleState) -> str:
    """Return the sentence to leave on the terminal."""
    if state.mode is ConsoleMode.EMBEDDED:
        flows = state.owned_flows()
        return f"ccr: replication of {', '.join(f.name for f in flows)} stopped." if flows else ""
    snapshot = state.snapshot
    if snapshot is not None and snapshot.mode is EngineMode.EMBEDDED:
        return f"ccr: the engine (pid {snapshot.pid}) goes on as long as the console it belongs to."
    if state.failure is not None or snapshot is None:
        return "ccr: the engine was not answering when the console was left."
    return f"ccr: the service (pid {snapshot.pid}) goes on replicating."


def _path(state: ConsoleState) -> str:
    return state.snapshot.config_path if state.snapshot else state.config_name
