"""`ccr audit`: who did what to the engines of a configuration, from where, and how it ended."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ccr_tui.cli.tables import indented
from engine.audit.file import Act, read_acts
from engine.config.units import parse_seconds
from engine.errors import CcrError, ConfigError, ExitCode
from engine.service.paths import service_paths

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add `audit`."""
    parser = subparsers.add_parser(
        "audit",
        help="who did what to the engine, from where, and how it ended",
        description="Print the audit log of the engines that run this configuration on this host: "
        "every command, also those that were refused, the oldest first. The user and the process "
        "are the kernel's word, where they come from is their own. Exit code: 0.",
    )
    parser.add_argument("--since", metavar="TIME", help="of the last TIME only, e.g. 12h or 7d")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")
    parser.set_defaults(func=run_audit)


def run_audit(args: argparse.Namespace) -> int:
    """Print the acts; returns the exit code."""
    path = service_paths(args.config).audit
    since = time.time() - _span(args.since) if args.since else 0.0
    try:
        acts = list(read_acts(path, since))
    except OSError as error:
        raise CcrError(
            "reading the audit log", str(path), error.strerror or str(error), "Run it as its owner"
        ) from error
    lines = (json.dumps(asdict(act), ensure_ascii=False) for act in acts)
    for line in lines if args.json else audit_lines(acts):
        print(line)
    return ExitCode.OK


def audit_lines(acts: Iterable[Act]) -> Iterable[str]:
    """Word the acts, a line each and one for how it ended."""
    none = True
    for act in acts:
        none = False
        at = datetime.fromtimestamp(act.at, UTC).isoformat(timespec="seconds")
        arguments = " ".join(
            f"{name}={value}" for name, value in act.arguments.items() if value not in (None, False)
        )
        yield f"{at.replace('+00:00', 'Z')} {act.user} {act.did} {arguments}".rstrip()
        yield from indented(
            f"{act.outcome}: {act.text}  [{act.origin or 'unknown'}, pid {act.pid}]"
        )
    if none:
        yield "Nothing was done."


def _span(text: str) -> float:
    try:
        seconds = parse_seconds(text)
    except ValueError as error:
        raise ConfigError("reading the option", "--since", str(error)) from None
    if not isinstance(seconds, float):
        raise ConfigError("reading the option", "--since", "must be a time such as 12h or 7d")
    return seconds
