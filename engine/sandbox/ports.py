"""TCP ports on the loopback address that stay a broker's own."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

from engine.errors import SandboxError

HOST = "127.0.0.1"
# Below the range that systems hand out for outgoing connections (from 32768 on Linux, 49152
# elsewhere): nothing takes a port by chance while its broker is down.
FIRST_PORT, LAST_PORT = 20_000, 32_000


def free_ports(count: int, taken: Collection[int] = ()) -> list[int]:
    """Choose `count` ports that nobody listens on and that are not in `taken`."""
    candidates = random.sample(range(FIRST_PORT, LAST_PORT), LAST_PORT - FIRST_PORT)
    found: list[int] = []
    for port in candidates:
        if len(found) == count:
            break
        if port not in taken and is_free(port):
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
