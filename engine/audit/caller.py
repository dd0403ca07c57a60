"""Who asks: what the kernel knows of the process at the other end, and what that process says."""

from __future__ import annotations

import getpass
import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from engine.printable import printable

ORIGIN_HEADER = "ccr-origin"
MOST = 200  # characters of what a client says of itself


@dataclass(frozen=True, slots=True)
class Caller:
    """One who asks."""

    user: str
    uid: int
    pid: int
    told: str = ""
    """Where it says that it comes from: the console or the command line, over SSH, by sudo."""


def here(told: str = "the engine itself") -> Caller:
    """Return this process."""
    return Caller(user_of(os.geteuid()), os.geteuid(), os.getpid(), told)


def user_of(uid: int) -> str:
    """Return a user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def origin() -> str:
    """Say where this process is used from, for the audit log of the engine that it asks."""
    verb = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1].isalpha() else ""
    parts = [f"{Path(sys.argv[0]).name} {verb}".strip()]
    ssh = os.environ.get("SSH_CONNECTION", "").split()
    if ssh:
        parts.append(f"ssh from {ssh[0]}")
    if "TMUX" in os.environ:
        parts.append("in tmux")
    behind = os.environ.get("SUDO_USER")
    if behind and behind != getpass.getuser():
        parts.append(f"sudo by {behind}")
    return shortened(", ".join(parts))


def shortened(told: str) -> str:
    """Return what a client says in one printable line of bounded length, ASCII (it is a header)."""
    return printable(" ".join(told.split())).encode("ascii", "replace").decode()[:MOST]


_CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)


def caller() -> Caller:
    """Return who asks now."""
    return _CALLER.get() or here()


@contextmanager
def asked_by(who: Caller) -> Iterator[None]:
    """Let what is done in this context be this caller's."""
    token = _CALLER.set(who)
    try:
        yield
    finally:
        _CALLER.reset(token)
