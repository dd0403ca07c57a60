"""`ccr --no-ui`: the engine as a service."""

from __future__ import annotations

import argparse

from engine.config.units import parse_seconds

LOG_FORMATS = ("human", "json")
DRAIN_TIMEOUT_S = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only a service takes; `--config` and `--no-ui` are the frame's."""
    group = parser.add_argument_group("as a service (with --no-ui)")
    group.add_argument(
        "--log-format",
        choices=LOG_FORMATS,
        default="human",
        help="human: lines for people, to standard error (default); "
        "json: one JSON object a line, to standard output. A rotating log file is always written",
    )
    group.add_argument(
        "--take-over",
        action="store_true",
        help="claim flows that another engine owns; that engine stands down",
    )
    group.add_argument(
        "--drain-timeout",
        type=_seconds,
        default=DRAIN_TIMEOUT_S,
        metavar="TIME",
        help="how long the first SIGTERM or SIGINT waits for what is in flight, e.g. 30s "
        "(default); a second one ends at once",
    )


def run_headless(args: argparse.Namespace) -> int:
    """Run until asked to end; exit codes: 0 drained, 1 not drained in time, 130 ended at once.

    Raises ConfigError (the file), RefusedError (an engine of this configuration runs already).
    """
    # The engine's imports take a third of a second, which `ccr --help` need not wait for.
    from engine.service.headless import ServiceOptions, serve  # noqa: PLC0415
    from engine.service.logs import LogFormat  # noqa: PLC0415

    return serve(
        ServiceOptions(
            args.config,
            log_format=LogFormat(args.log_format),
            drain_timeout=args.drain_timeout,
            take_over=args.take_over,
            read_only=args.read_only,
        )
    )


def _seconds(text: str) -> float:
    try:
        seconds = parse_seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return float(str(seconds))
