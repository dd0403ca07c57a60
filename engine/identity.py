"""Who this engine is, so that others can tell whether it still lives."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """An engine's name for itself: unique id, host name, and process `<machine>/<pid>@<start>`."""

    engine_id: str
    host: str
    process: str


def this_engine() -> EngineIdentity:
    """Describe this process."""
    process = f"{_machine()}/{os.getpid()}@{_start_time(os.getpid())}"
    return EngineIdentity(uuid.uuid4().hex[:12], socket.gethostname(), process)


def surely_dead(process: str) -> bool:
    """Whether a process (`EngineIdentity.process`) ran on this machine and has ended."""
    machine, _, rest = process.rpartition("/")
    pid, _, started = rest.partition("@")
    if not machine or machine != _machine() or not pid.isdigit():
        return False
    return _start_time(int(pid)) != started


def _machine() -> str:
    """Name this boot of this machine and its pid namespace; empty when it cannot be known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{boot}:{namespace}".replace("/", "_")


def _start_time(pid: int) -> str:
    """Clock ticks from boot to the process's start (proc(5), field 22); empty without one."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
