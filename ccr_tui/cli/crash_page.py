"""What stands on the terminal after the console failed: what happened, what goes on, what to do.

It is plain text: the widgets are what may have failed. The engine goes on meanwhile, one that
belongs to the console too, and the console can be opened on it again.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version

from ccr_tui.cli.crash import describe
from ccr_tui.state import ConsoleMode, ConsoleState

AGAIN = "Enter opens the console again, q and Enter leaves: "


async def open_again(error: Exception, state: ConsoleState, trail: Sequence[str]) -> bool:
    """Report a fault of the console, and ask what to do.

    `trail` names the actions that were done last.
    """
    told = await asyncio.to_thread(describe, error, _notes(state, trail))
    lines = ["", f"ccr: {told}.", f"     {_engine_goes_on(state)}", ""]
    sys.stderr.write("\n".join(lines))
    sys.stderr.write(f"     {AGAIN}")
    sys.stderr.flush()
    answer = await _typed_line()
    return answer != "" and answer.strip().lower() not in ("q", "quit", "n", "no")


async def _typed_line() -> str:
    # Not in a thread: nobody could end its waiting, at ctrl+c for one.
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sys.stdin, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


def _engine_goes_on(state: ConsoleState) -> str:
    if state.mode is ConsoleMode.ATTACHED:
        return "The engine is a service of its own and goes on; nothing happened to replication."
    flows = ", ".join(flow.name for flow in state.owned_flows())
    return (
        f"The engine still runs{f' {flows}' if flows else ''}; nothing happened to replication. "
        "It ends when you leave."
    )


def _notes(state: ConsoleState, trail: Sequence[str]) -> list[str]:
    try:
        columns, lines = os.get_terminal_size(sys.stderr.fileno())
        size = f"{columns}x{lines}"
    except OSError:
        size = "of unknown size"
    versions = f"Python {platform.python_version()}, Textual {version('textual')}"
    terminal = [os.environ.get("TERM", "unknown"), size]
    terminal += [name for name in ("TMUX", "NO_COLOR", "SSH_TTY") if name in os.environ]
    return [
        f"the console, {state.mode}, {versions}, {platform.system()} {platform.release()}",
        f"terminal {', '.join(terminal)}",
        f"done last: {', '.join(trail) or 'nothing'}",
    ]
