"""`ccr demo`: two real Kafka clusters on this machine, live traffic, and ccr between them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from engine.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers
    from engine.demo.headless import DemoResult
    from engine.demo.stage import Stage

DEFAULT_RATE = 2_000.0
DEFAULT_SECONDS = 20.0
# What the console script `ccr` does, wherever that is installed.
CCR = (
    sys.executable,
    "-P",
    "-c",
    "import sys; from ccr_tui.cli.main import main; sys.exit(main())",
)

HINTS = (
    "Enter on the flow shows its topics, h there the last hour; ? helps, Esc goes back, q ends.",
    "p pauses the flow and its lag grows; p again resumes it, and the lag drains.",
    "kill -STOP {west} freezes west: the flow says what it waits for; kill -CONT {west} ends that.",
    "From another terminal: ccr lag --config {config}",
)

_Result = TypeVar("_Result")


def add_parser(subparsers: Subparsers) -> None:
    """Add `demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="two local Kafka clusters with live traffic",
        description="Start two real Kafka clusters on this machine, produce to one of them, mirror "
        "it to the other, and open the console on it. The first start downloads Kafka (60 MB). "
        "All of it ends with the demo. Without a terminal the headless form runs.",
    )
    parser.add_argument(
        "--no-ui",
        action="store_true",
        help="headless: produce for a while, drain, compare both clusters record by record; "
        "exit code 0 only when every record arrived once, unaltered and in order",
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        metavar="N",
        help=f"how long to produce, headless (default {DEFAULT_SECONDS:g})",
    )
    parser.add_argument(
        "--rate",
        type=_positive,
        default=DEFAULT_RATE,
        metavar="N",
        help=f"records/s to produce, all three topics together (default {DEFAULT_RATE:,.0f})",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="what the records are made up from"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(func=run_demo)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def run_demo(args: argparse.Namespace) -> int:
    """Run the form that was asked for, or that the terminal allows; returns the exit code."""
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    if args.no_ui or not terminal:
        if args.read_only:
            cause = "--read-only would have nothing replicated to compare"
            raise ConfigError("", "", cause, "Leave it out, or open the console with it")
        return _headless(args)
    if args.json or args.seconds is not None:
        option = "--json" if args.json else "--seconds"
        raise ConfigError("", "", f"{option} goes only with --no-ui", "See `ccr demo --help`")
    return _interactive(args)


def _headless(args: argparse.Namespace) -> int:
    from engine.demo.headless import HeadlessOptions, run_headless  # noqa: PLC0415  (slow)

    options = HeadlessOptions(
        engine=CCR,
        seconds=DEFAULT_SECONDS if args.seconds is None else args.seconds,
        rate=args.rate,
        seed=args.seed,
    )
    result = _until_interrupted(run_headless(options, _narrate))
    if result is None:
        return ExitCode.INTERRUPTED
    print(json.dumps(result.to_json(), indent=2) if args.json else _summary(result))
    return ExitCode.OK if result.ok else ExitCode.FAILED


def _interactive(args: argparse.Namespace) -> int:
    from engine.demo.stage import Stage  # noqa: PLC0415  (slow)

    stage = Stage()
    try:
        if not _until_interrupted(_raise_curtain(stage, args)):
            return ExitCode.INTERRUPTED
        return _console(stage, read_only=args.read_only)
    finally:
        _narrate("Stopping the traffic and both clusters …")
        _until_interrupted(_drop_curtain(stage))


async def _raise_curtain(stage: Stage, args: argparse.Namespace) -> bool:
    from ccr_tui.cli.sandbox import ProgressMeter  # noqa: PLC0415

    meter = ProgressMeter()
    try:
        await stage.up(meter)
    finally:
        meter.end()
    await stage.start_traffic(rate=args.rate, seed=args.seed)
    return True


async def _drop_curtain(stage: Stage) -> None:
    try:
        report = await stage.stop_traffic()
        if report.error:
            _narrate(f"the traffic had failures ({report.failed:,} records): {report.error}")
    finally:
        await stage.down()


def _console(stage: Stage, *, read_only: bool) -> int:
    from ccr_tui.cli.console import open_console  # noqa: PLC0415

    pids = {cluster.name: cluster.pids for cluster in stage.sandbox.status().clusters}
    west = " ".join(map(str, pids["west"]))
    hints = tuple(hint.format(west=west, config=stage.config) for hint in HINTS)
    for hint in hints:
        _narrate(hint)
    config = str(stage.config)
    return open_console(
        argparse.Namespace(config=config, read_only=read_only, theme=None, hints=hints)
    )


def _until_interrupted(work: Coroutine[Any, Any, _Result]) -> _Result | None:
    """Run to the end, or until SIGINT, SIGTERM or SIGHUP: then clean up and return None.

    A second signal ends the process at once; what it started sees that and ends as well.
    """

    async def run() -> _Result | None:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        interrupted = False

        def interrupt() -> None:
            nonlocal interrupted
            if interrupted:
                os._exit(ExitCode.INTERRUPTED)
            interrupted = True
            _narrate("stopping; once more ends at once")
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, interrupt)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    return asyncio.run(run())


def _summary(result: DemoResult) -> str:
    return "\n".join(f"{name:<12}{text}" for name, text in _summary_rows(result))


def _summary_rows(result: DemoResult) -> Iterator[tuple[str, str]]:
    traffic, found, usage = result.traffic, result.comparison, result.usage
    megabytes, mebibytes = traffic.bytes / 1e6, usage.peak_rss_bytes / 2**20
    yield (
        "produced",
        f"{traffic.records:,} records, {megabytes:,.1f} MB, in {traffic.seconds:.1f} s",
    )
    if traffic.failed:
        yield "", f"{traffic.failed:,} could not be produced: {traffic.error}"
    yield "replicated", f"{found.target_records:,} records"
    in_step = f"in step {result.drain_seconds:.1f} s after the last record"
    yield "drained", result.not_drained or in_step
    faults = f"{found.lost:,} lost, {found.duplicated:,} duplicated"
    yield "compared", f"{faults}, {found.reordered:,} reordered, {found.mismatched:,} mismatched"
    for example in found.examples:
        yield "", str(example)
    yield "engine", f"{usage.cpu_seconds:.1f} s of CPU, {mebibytes:,.0f} MiB at its peak"
    if usage.exit_code != 0:
        yield "", f"it ended with exit code {usage.exit_code}"
    yield "verdict", "every record once, unaltered, in order" if result.ok else "FAILED"


def _narrate(text: str) -> None:
    # The terminal may be gone; what is to be stopped must be stopped all the same.
    with contextlib.suppress(OSError):
        print(f"ccr demo: {text}", file=sys.stderr, flush=True)
