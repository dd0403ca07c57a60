"""The control socket's place, taken before anything else is done.

What can fail there must fail before a flow is claimed. Who connects from then on is answered as
soon as the server (engine.service.control) is loaded.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from engine.errors import ConnectError

BACKLOG = 128


def listen(path: Path) -> socket.socket:
    """Bind and listen; raises ConnectError. The caller holds the ServiceLock of the socket."""
    try:
        return _private_socket(path)
    except OSError as error:
        raise ConnectError(
            "opening the control socket",
            str(path),
            error.strerror or str(error),
            "Check the directory, or set CCR_RUNTIME_DIR to another",
        ) from error


def _private_socket(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(path))
        # Before listen(): nobody can have connected while the mode was still the umask's.
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
