"""The verbs that steer a running engine: pause, resume, retry, limit, take-over."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from ccr_tui.cli.confirming import require_confirmation
from engine.api.protocol import FlowsApi
from engine.api.snapshots import CommandResult
from engine.config.units import parse_bytes
from engine.errors import ConfigError, ConnectError
from engine.service.client import EngineGoneError, EngineHangsError, RemoteEngineApi
from engine.service.paths import service_paths

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers

_Run = Callable[[argparse.Namespace], Awaitable[int]]


def add_parser(subparsers: Subparsers) -> None:
    """Add the verbs."""
    _verb(subparsers, "pause", run_pause, "stop fetching until resumed, restarts included")
    _verb(subparsers, "resume", run_resume, "undo a pause")
    retry = _verb(subparsers, "retry", run_retry, "start stopped partitions again")
    retry.add_argument("--topic", metavar="T", help="only this source topic (its name, no regex)")
    retry.add_argument("--partition", metavar="N", type=int, help="only this partition of --topic")
    retry.add_argument(
        "--accept",
        action="store_true",
        help="go on, once, over what they stopped for: skip a gap, start over with a topic created "
        "anew, put a record that cannot be mirrored into quarantine (the reason says which)",
    )
    limit = _verb(subparsers, "limit", run_limit, "limit the rate until the engine ends")
    limit.add_argument(
        "rate", metavar="RATE", type=_rate, help="bytes a second, e.g. 50MiB; none lifts the limit"
    )
    limit.add_argument(
        "--topic",
        metavar="REGEX",
        help="limit each source topic whose whole name matches, by itself, not the flow",
    )
    take_over = _verb(
        subparsers, "take-over", run_take_over, "claim a flow from its owner, which stands down"
    )
    take_over.add_argument(
        "--confirm", metavar="FLOW", help="the flow's name again; asked for on a terminal"
    )


def _verb(subparsers: Subparsers, name: str, run: _Run, help_: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=help_,
        description=f"{help_[0].upper()}{help_[1:]}. Steers the engine that runs this "
        "configuration on this host: a ccr --no-ui, or a console's.",
    )
    parser.add_argument("flow", metavar="FLOW")
    parser.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
    parser.set_defaults(func=run)
    return parser


def _rate(text: str) -> int | None:
    if text == "none":
        return None
    try:
        rate = int(str(parse_bytes(text.removesuffix("/s"))))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, or none") from None
    if rate < 1:
        raise argparse.ArgumentTypeError("must be 1 byte a second or more; see also ccr pause")
    return rate


async def run_pause(args: argparse.Namespace) -> int:
    """Pause a flow."""
    return await _command(args, lambda flows: flows.pause(args.flow))


async def run_resume(args: argparse.Namespace) -> int:
    """Resume a flow."""
    return await _command(args, lambda flows: flows.resume(args.flow))


async def run_retry(args: argparse.Namespace) -> int:
    """Retry stopped partitions."""
    if args.partition is not None and args.topic is None:
        raise ConfigError(
            "reading the option", "--partition", "it needs a topic", "Add --topic NAME"
        )
    return await _command(
        args,
        lambda flows: flows.retry(args.flow, args.topic, args.partition, accept=args.accept),
    )


async def run_limit(args: argparse.Namespace) -> int:
    """Limit the rate of a flow, or of its topics."""
    return await _command(args, lambda flows: flows.limit(args.flow, args.rate, args.topic))


async def run_take_over(args: argparse.Namespace) -> int:
    """Take a flow over, once its name was given twice."""
    await asyncio.to_thread(
        require_confirmation,
        args.confirm,
        args.flow,
        "taking over flow",
        f"The engine that owns {args.flow} will stand down.",
    )
    return await _command(args, lambda flows: flows.take_over(args.flow))


async def _command(
    args: argparse.Namespace, command: Callable[[FlowsApi], Awaitable[CommandResult]]
) -> int:
    """Send a command to the engine here and print its answer; raises CcrError."""
    paths = service_paths(args.config)
    api = RemoteEngineApi(paths.socket, read_only=args.read_only)
    try:
        result = await command(api.flows)
    except EngineHangsError:
        raise
    except EngineGoneError:
        raise ConnectError(
            "steering flow",
            args.flow,
            f"no engine runs {paths.config} on this host",
            f"Ask on the host that `ccr status` names, or run: ccr --no-ui --config {paths.config}",
        ) from None
    finally:
        await api.close()
    print(json.dumps(asdict(result), ensure_ascii=False) if args.json else result.text)
    return 0
