"""What the console costs on a slow link: bytes a minute and a key press, and key to screen.

`python -m benchmarks.slow_link` runs `ccr demo` (live traffic) on a terminal of 80x24.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from benchmarks.terminal import Terminal

CCR = str(Path(sys.executable).with_name("ccr"))
LOOK = 30.0
PRESSES = 20
SETTLE = 0.5  # seconds a key press may go on being drawn
SLOW_BYTES_PER_SECOND = 64_000 / 8
SLOW_DELAY = 0.075  # each way: a round trip of 150 ms


def _idle(terminal: Terminal) -> float:
    before, began = terminal.written, time.monotonic()
    time.sleep(LOOK)
    return (terminal.written - before) / (time.monotonic() - began)


def _presses(terminal: Terminal, idle: float) -> float:
    costs = []
    for number in range(PRESSES):
        before = terminal.written
        terminal.press("j" if number % 2 else "k")
        time.sleep(SETTLE)
        costs.append(max(0.0, terminal.written - before - idle * SETTLE))
    return statistics.median(costs)


def _answers(terminal: Terminal) -> list[float]:
    """Open and close the help: a full screen each way."""
    took = []
    for _ in range(5):
        since = terminal.press("?")
        took.append(terminal.seconds_until("Esc closes", since) + terminal.delay)
        since = terminal.press("q")
        terminal.seconds_until("Enter", since)
        time.sleep(1)
    return took


def main() -> None:
    """Measure and print one Markdown table."""
    rows: list[tuple[str, str]] = []
    with Terminal([CCR, "demo"]) as terminal:
        terminal.seconds_until("running", 0, within=180)
        for place, keys, text in (("overview", "1", "Events"), ("lag", "2", "Lag")):
            since = terminal.press(keys)
            if place != "overview":
                terminal.seconds_until(text, since)
            time.sleep(2)
            idle = _idle(terminal)
            rows.append((f"{place}: bytes a minute, nothing pressed", f"{idle * 60:,.0f}"))
            rows.append((f"{place}: bytes a cursor key", f"{_presses(terminal, idle):,.0f}"))
        quick = statistics.median(_answers(terminal))
        terminal.bytes_per_second, terminal.delay = SLOW_BYTES_PER_SECOND, SLOW_DELAY
        time.sleep(5)
        slow = _answers(terminal)
        rows.append(("help, key to screen, no limit", f"{1000 * quick:,.0f} ms"))
        rows.append(
            (
                "help, key to screen, 64 kbit/s and 150 ms",
                f"{1000 * statistics.median(slow):,.0f} ms, worst {1000 * max(slow):,.0f} ms",
            )
        )
        terminal.bytes_per_second, terminal.delay = float("inf"), 0.0
        terminal.press("q")
    print("| what | seen |\n|---|---|")
    print("\n".join(f"| {what} | {seen} |" for what, seen in rows))


if __name__ == "__main__":
    main()
