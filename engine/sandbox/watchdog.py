"""Ends a sandbox with its owner, however the owner ends; run as a process of its own.

It holds the reading end of a pipe whose only writer is the owner. When that closes (also by
`kill -9`), it kills the processes named in the state file and deletes the sandbox's data. A line
`bye` before the end means that the owner has cleaned up itself.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from engine.sandbox.state import StateFile

_END_TIMEOUT_SECONDS = 10.0


def start(root: Path) -> subprocess.Popen[bytes]:
    """Start the watchdog over the sandbox in `root`; it lives until `dismiss` or our end."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "engine.sandbox.watchdog", str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def dismiss(watchdog: subprocess.Popen[bytes]) -> None:
    """Tell the watchdog that nothing is left to do, and wait for its end."""
    watchdog.communicate(b"bye\n")


def main() -> int:
    """Wait for the owner's end, then clean up."""
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    if sys.stdin.buffer.read() != b"bye\n":
        asyncio.run(_clean_up(StateFile(Path(sys.argv[1]))))
    return 0


async def _clean_up(file: StateFile) -> None:
    state = file.load()
    if state is None:
        return
    for member in state.members():
        process = member.find_process()
        if process is not None:
            process.send(signal.SIGKILL)
            await process.ended(_END_TIMEOUT_SECONDS)
    file.remove_all(state)


if __name__ == "__main__":
    sys.exit(main())
