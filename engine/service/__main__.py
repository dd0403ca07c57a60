"""`python -m engine.service`: the engine as a child of the console (see engine.service.attach).

Standard input: an open pipe; its end ends the engine after a drain. Standard output: one line of
JSON, codec.Ready when it answers or an ErrorBody when it could not start, then nothing.
Standard error: the log.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from engine.errors import CcrError
from engine.service import codec
from engine.service.headless import DRAIN_TIMEOUT_S, ServiceOptions, serve


def main() -> int:
    """Run an embedded engine; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engine.service", description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--read-only", action="store_true")
    parser.add_argument("--drain-timeout", type=float, default=DRAIN_TIMEOUT_S)
    arguments = parser.parse_args()
    options = ServiceOptions(
        arguments.config,
        drain_timeout=arguments.drain_timeout,
        read_only=arguments.read_only,
        embedded=True,
    )
    try:
        return serve(options, _tell_ready)
    except CcrError as error:
        _tell_parent(codec.dump_error(error))
        return error.exit_code


def _tell_ready(socket: Path, log: Path | None) -> None:
    _tell_parent(codec.READY.dump_json(codec.Ready(str(socket), str(log) if log else None)))


def _tell_parent(line: bytes) -> None:
    """Write the one line and close the pipe: whatever is printed later must not block or fail."""
    try:
        os.write(1, line + b"\n")
    except BrokenPipeError:
        return  # the console has gone; standard input says so too
    finally:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
