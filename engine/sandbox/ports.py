"""TCP ports on the loopback address that stay a broker's own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Collection
from functools import cache
from pathlib import Path

from engine.errors import SandboxError

HOST = "127.0.0.1"
# Below the range that systems hand out for outgoing connections (from 32768 on Linux, 49152
# elsewhere): nothing takes a port by chance while its broker is down.
FIRST_PORT, LAST_PORT = 20_000, 32_000


# Ports that this process has chosen: it may be seconds until a broker listens there.
_chosen: set[int] = set()


def free_ports(count: int, taken: Collection[int] = ()) -> list[int]:
    """Choose `count` ports that nobody listens on and that are not in `taken`.

    Nor does any sandbox of this user choose them as long as this process lives.
    """
    candidates = random.sample(range(FIRST_PORT, LAST_PORT), LAST_PORT - FIRST_PORT)
    found: list[int] = []
    for port in candidates:
        if len(found) == count:
            break
        if port not in taken and is_free(port) and _reserve(port):
            found.append(port)
    if len(found) < count:
        raise SandboxError(
            "choose", "ports", f"fewer than {count} of {FIRST_PORT} to {LAST_PORT} are free",
            "Stop programs that listen there.",
        )  # fmt: skip
    return found


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Keep a port from other processes' sandboxes; False when one of them has it."""
    if port in _chosen:
        return False
    with contextlib.suppress(_NoLocksError):
        try:
            fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
    _chosen.add(port)
    return True


class _NoLocksError(Exception):
    """The file of locks cannot be had."""


@cache
def _locks() -> int:
    """Open the file whose byte N is locked by who has chosen port N; it is never closed."""
    path = Path(tempfile.gettempdir()) / f"ccr-ports-{os.getuid()}"
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _NoLocksError from error
