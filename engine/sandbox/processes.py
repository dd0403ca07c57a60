"""Processes that must be told apart for certain before they are signalled.

A process of ours is known by its pid, its start time and a random token in its arguments; where
the three do not fit, the process is not ours, whatever its pid.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TOKEN_PROPERTY = "ccr.sandbox.node"  # noqa: S105 - the name of a system property, not a secret
_PROC = Path("/proc")
_PS = "/bin/ps"
_POLL_SECONDS = 0.05

_children: dict[int, tuple[subprocess.Popen[bytes], str]] = {}
"""Children of this process with their tokens, kept so that they can be reaped."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """What makes a process that one and no other. `started` is opaque: compare it only."""

    pid: int
    started: str
    token: str

    def is_alive(self) -> bool:
        """Tell whether this very process still runs (a mere zombie does not)."""
        if self.pid in _children:
            return _child_runs(self.pid, self.token)
        if start_time(self.pid) != self.started:
            return False
        if run_state(self.pid) == "Z":
            return _has_threads(self.pid)
        # A process that is dying has given up its arguments, but not yet its ports.
        given = arguments(self.pid)
        return not self.token or not any(given) or token_argument(self.token) in given

    def is_frozen(self) -> bool:
        """Tell whether it was stopped by SIGSTOP."""
        return run_state(self.pid) == "T"

    def send(self, signal_number: signal.Signals) -> bool:
        """Send a signal if this very process still runs; tell whether it did."""
        if not hasattr(os, "pidfd_open"):
            return self.is_alive() and _kill(self.pid, signal_number)
        # The descriptor pins the process: its pid cannot be given to another between the
        # check and the signal.
        try:
            pinned = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if not self.is_alive():
                return False
            signal.pidfd_send_signal(pinned, signal_number)
        except ProcessLookupError:
            return False
        finally:
            os.close(pinned)
        return True

    async def freeze(self) -> bool:
        """Stop it (SIGSTOP) and wait until it stands still; False when it does not run."""
        return self.send(signal.SIGSTOP) and await self._comes_to(frozen=True)

    async def thaw(self) -> bool:
        """Let it go on (SIGCONT) and wait until it does; False when it does not run."""
        return self.send(signal.SIGCONT) and await self._comes_to(frozen=False)

    async def _comes_to(self, *, frozen: bool) -> bool:
        while self.is_alive():
            if self.is_frozen() == frozen:
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def ended(self, timeout_seconds: float) -> bool:
        """Wait until the process is gone; False when it still runs after the timeout."""
        deadline = time.monotonic() + timeout_seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True


def this_process() -> ProcessIdentity:
    """Return this process's identity (it has no token)."""
    return ProcessIdentity(os.getpid(), start_time(os.getpid()) or "", "")


def token_argument(token: str) -> str:
    """Return the argument by which a Java process of the sandbox is known."""
    return f"-D{TOKEN_PROPERTY}={token}"


def spawn(
    command: Sequence[str],
    *,
    token: str,
    environment: Mapping[str, str],
    output: Path,
    folder: Path,
) -> ProcessIdentity:
    """Start a process in a session of its own, so that ctrl-c in our terminal does not reach it.

    `command` must hold `token_argument(token)`. Both outputs are appended to `output`.
    """
    with output.open("ab") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
    _children[child.pid] = (child, token)
    return ProcessIdentity(child.pid, start_time(child.pid) or "", token)


def find_by_token(token: str) -> ProcessIdentity | None:
    """Look for a process by its token alone (its pid was never written down)."""
    wanted = token_argument(token)
    for pid in _all_pids():
        if wanted in arguments(pid) and (started := start_time(pid)):
            return ProcessIdentity(pid, started, token)
    return None


def start_time(pid: int) -> str | None:
    """Return when the process started (opaque), None when there is none."""
    return _stat_field(pid, 19) if _PROC.is_dir() else _ps(pid, "lstart")


def run_state(pid: int) -> str | None:
    """Return the process's state as ps(1) abbreviates it: T frozen, Z zombie; None: no process."""
    if not _PROC.is_dir():
        return (_ps(pid, "stat") or "")[:1] or None
    return _stat_field(pid, 0)


def _has_threads(pid: int) -> bool:
    """Tell whether a zombie has threads left, which may still hold its ports and files."""
    try:
        return sum(1 for _ in (_PROC / str(pid) / "task").iterdir()) > 1
    except OSError:
        return False


def _stat_field(pid: int, index: int) -> str | None:
    """Return a field of /proc/PID/stat, counted after the process's name."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The name in parentheses may itself hold spaces and parentheses: search from the end.
    return stat[stat.rindex(")") + 2 :].split()[index]


def all_arguments() -> Iterator[list[str]]:
    """Yield the arguments of each of this user's processes."""
    return (arguments(pid) for pid in _all_pids())


def arguments(pid: int) -> list[str]:
    """Return the process's arguments, none when it is gone or not ours to read."""
    if not _PROC.is_dir():
        return (_ps(pid, "command") or "").split()
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return raw.decode(errors="replace").split("\0")


def _all_pids() -> list[int]:
    """Return this user's processes."""
    user = os.getuid()
    if not _PROC.is_dir():
        command = [_PS, "-x", "-o", "pid=", "-U", str(user)]
        listing = subprocess.run(command, capture_output=True, text=True, check=False)
        return [int(line) for line in listing.stdout.split()]
    pids: list[int] = []
    for entry in _PROC.iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == user:
                pids.append(int(entry.name))
    return pids


def _ps(pid: int, column: str) -> str | None:
    """Ask ps(1), where there is no /proc (macOS)."""
    answer = subprocess.run(
        [_PS, "-ww", "-o", f"{column}=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or None


def _kill(pid: int, signal_number: signal.Signals) -> bool:
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return False
    return True


def _child_runs(pid: int, token: str) -> bool:
    """Tell whether a child of ours runs and bears the token; reap it when it has ended.

    A child counts until it can be reaped: before that some of its threads may still hold its
    ports, although its first one is a zombie.
    """
    child, its_token = _children[pid]
    if child.poll() is None:
        return token == its_token
    del _children[pid]
    return False
