"""The real console on a pseudo-terminal of 120x40, its output read and thrown away."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_console(config: Path, *, enabled: bool) -> Iterator[None]:
    """Attach a console to the service of a config, or do nothing."""
    if not enabled:
        yield
        return
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("ccr")), "--config", str(config)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"},
    )
    os.close(terminal)
    reader = threading.Thread(target=_read_all, args=(controller,), daemon=True)
    reader.start()
    try:
        yield
    finally:
        if process.poll() is not None:
            raise SystemExit("the console ended during the measurement")
        process.kill()
        process.wait()
        reader.join(5)
        os.close(controller)


def _read_all(controller: int) -> None:
    try:
        while os.read(controller, 65_536):
            pass
    except OSError:
        return  # the terminal is closed
