"""The console's own cost with 10,000 partitions: share of a core, and from key to screen.

`python -m benchmarks.busy [--changes N] [--seconds S]` runs a console of 120x40 on a real control
socket whose engine (benchmarks.busy_engine, in another process) changes N partitions four times a
second, and has the console look four times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from benchmarks.terminal import Terminal

UPDATES = 4  # a second
PRESSES = 40
SETTLE = 6.0  # seconds for the first pages, and for what was started with them


def _console(socket: Path) -> None:
    """Be the console, as `ccr` runs it but for how often it looks."""
    from ccr_tui.app import CcrApp  # noqa: PLC0415
    from ccr_tui.cli.console import until_left  # noqa: PLC0415
    from ccr_tui.pace import Pace  # noqa: PLC0415
    from ccr_tui.state import ConsoleMode  # noqa: PLC0415
    from engine.service.client import RemoteEngineApi  # noqa: PLC0415

    async def run() -> None:
        app = CcrApp(
            RemoteEngineApi(socket),
            mode=ConsoleMode.ATTACHED,
            config_name="busy.yaml",
            pace=Pace(fastest=0.88 / UPDATES),  # it waits so long after each answer
        )
        await until_left(app, mouse=False)
        if app.crash is not None:
            raise app.crash

    asyncio.run(run())


def _share(process: psutil.Process, asked: Path, seconds: float) -> str:
    """Return how much of a core a process takes, and how many updates a second it does so."""
    before, updates, began = _cpu(process), int(asked.read_text()), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    share = 100 * (_cpu(process) - before) / took
    return f"{share:.1f} % at {(int(asked.read_text()) - updates) / took:.1f} updates/s"


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _key_to_screen(terminal: Terminal, first: int) -> list[float]:
    """Move the cursor down row by row; the title says on which row it is."""
    took = []
    for row in range(first, first + PRESSES):
        since = terminal.press("j")
        took.append(1000 * terminal.seconds_until(f"{row:,} of 10,000", since))
        time.sleep(0.13)  # out of step with the updates
    return took


def measure(changes: int, seconds: float) -> list[tuple[str, str]]:
    """Run both processes; return rows of what and how much."""
    rows: list[tuple[str, str]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ccr-busy-")))
        socket = folder / "engine.sock"
        options = [str(socket), str(changes), str(1 / UPDATES)]
        engine = subprocess.Popen([sys.executable, "-m", "benchmarks.busy_engine", *options])
        stack.callback(engine.wait)
        stack.callback(engine.terminate)
        while not socket.exists():
            time.sleep(0.05)
        command = [sys.executable, "-m", "benchmarks.busy", "--console", str(socket)]
        terminal = stack.enter_context(Terminal(command, size=(120, 40)))
        console, asked = psutil.Process(terminal.process.pid), folder / "asked"
        terminal.seconds_until("running", 0)
        rows.append(("overview", _share(console, asked, seconds / 2)))
        since = terminal.press("2")
        terminal.seconds_until("200 topics", since)
        time.sleep(SETTLE)
        rows.append(("lag, 200 topics", _share(console, asked, seconds)))
        since = terminal.press("v")
        terminal.seconds_until("1 of 10,000 partitions", since)
        time.sleep(SETTLE)
        rows.append(("lag, 10,000 partitions in one list", _share(console, asked, seconds)))
        took = _key_to_screen(terminal, 2)
        worst = f"median {statistics.median(took):.0f} ms, worst {max(took):.0f} ms"
        rows.append((f"key to screen there, {PRESSES} keys", worst))
        terminal.press("h")
        time.sleep(SETTLE)
        rows.append(("the same with the hour plotted", _share(console, asked, seconds / 2)))
        rows.append(("memory (RSS)", f"{console.memory_info().rss / 2**20:.0f} MB"))
    return rows


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.busy", description=__doc__)
    parser.add_argument("--changes", type=int, default=400, help="partitions changed an update")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each look at the CPU")
    parser.add_argument("--console", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.console:
        _console(arguments.console)
        return
    load = os.getloadavg()[0]
    rows = measure(arguments.changes, arguments.seconds)
    print(
        f"10,000 partitions, {arguments.changes:,} changed an update, {UPDATES} updates a second; "
        f"load before: {load:.2f}\n\n| what | seen |\n|---|---|"
    )
    print("\n".join(f"| {what} | {seen} |" for what, seen in rows))


if __name__ == "__main__":
    main()
