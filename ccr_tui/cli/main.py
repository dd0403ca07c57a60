"""`ccr`: reads the command line, does what it says, and turns every outcome into an exit code.

Standard output is data, standard error is for people.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import io
import os
import select
import sys
from collections.abc import Awaitable, Sequence

from ccr_tui.cli.parsing import parse
from engine.errors import CcrError, ExitCode


def main(argv: Sequence[str] | None = None) -> int:
    """Run ccr; returns the process's exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a character gets it escaped rather than a crash.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except CcrError as error:
        _tell(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _tell("interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the last resort: told, logged, exit code 1)
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            return ExitCode.FAILED
        return _crashed(error)
    return code


def _run(argv: Sequence[str]) -> int:
    try:
        args = parse(argv)
    except SystemExit as ended:  # --help and --version
        return ended.code if isinstance(ended.code, int) else ExitCode.OK
    outcome = _command(args)
    return outcome if isinstance(outcome, int) else _awaited(outcome)


def _command(args: argparse.Namespace) -> int | Awaitable[int]:
    # Imported only when needed: `ccr validate` waits for neither the engine nor Textual.
    if "func" in args:
        command = args.func
    elif args.no_ui:
        command = importlib.import_module("ccr_tui.cli.run").run_headless
    elif "none_found" in args:
        module = importlib.import_module("ccr_tui.cli.welcome")
        command = functools.partial(module.welcome, none_found=args.none_found)
    else:
        command = importlib.import_module("ccr_tui.cli.console").open_console
    outcome: int | Awaitable[int] = command(args)
    return outcome


def _awaited(outcome: Awaitable[int]) -> int:
    import asyncio  # noqa: PLC0415  (slow to import, and only needed here)

    async def run() -> int:
        return await outcome

    return asyncio.run(run())


def _reader_is_gone() -> bool:
    """Whether standard output (or error) leads to a pipe that nobody reads any more.

    If so it is pointed at nothing, as the interpreter would complain about it at its end. Other
    broken pipes are failures like any other.
    """
    gone = [descriptor for descriptor in (1, 2) if _hung_up(descriptor)]
    for descriptor in gone:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
    return bool(gone)


def _hung_up(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"ccr: {text}", file=sys.stderr, flush=True)


def _crashed(error: Exception) -> int:
    from ccr_tui.cli.crash import describe  # noqa: PLC0415  (not needed when all is well)

    _tell(describe(error))
    return ExitCode.FAILED
