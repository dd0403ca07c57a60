"""Runs a command that must not outlive us, and tells what it cost; `python -m engine.demo.tether`.

Standard input: a pipe; when it closes (its writer asks for the end, or is dead), the command gets
SIGTERM, and SIGKILL when it has not ended GRACE_S later. Standard output: a JSON line
`{"pid": …}`, and after the command's end another with `exit_code` (negative: the signal),
`cpu_seconds` (user and system) and `peak_rss_bytes`, as the operating system counts them.

A process of its own because a peak counts from the fork: measured from a big process, a small
command would seem as big.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from engine.demo.saying import say

GRACE_S = 45.0


def main() -> int:
    """Run the command given as arguments; returns 0 once it has ended, however it did."""
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    child = subprocess.Popen(
        sys.argv[1:],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        # What is ignored here would be ignored there as well.
        preexec_fn=_default_signals,  # noqa: PLW1509 - there are no threads yet
    )
    say({"pid": child.pid})
    ended = threading.Event()
    threading.Thread(target=_end_with_stdin, args=(child.pid, ended), daemon=True).start()
    _, status, usage = os.wait4(child.pid, 0)
    ended.set()
    child.returncode = os.waitstatus_to_exitcode(status)
    say(
        {
            "exit_code": child.returncode,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_rss_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        }
    )
    return 0


def _default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _end_with_stdin(pid: int, ended: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    for number, patience in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        if ended.is_set():
            return
        os.kill(pid, number)
        ended.wait(patience)


if __name__ == "__main__":
    sys.exit(main())
