"""`ccr sandbox up|down|status`: real Kafka clusters on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccr_tui.cli import sandbox_security, sandbox_specs
from ccr_tui.cli.tables import Row, indented, table

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from engine.sandbox import ClusterStatus, Progress, Sandbox, SandboxStatus

    Subparsers = _SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add `sandbox` with its verbs."""
    sandbox = subparsers.add_parser(
        "sandbox",
        help="real Kafka clusters on this machine, to try things",
        description="Start and stop real Kafka clusters on this machine. The first start downloads "
        "Kafka (60 MB); no Java needs to be installed.",
    )
    verbs = sandbox.add_subparsers(metavar="VERB", required=True)
    up = _verb(verbs, "up", "start the clusters; they run until ccr sandbox down", run_up)
    sandbox_specs.add_arguments(up)
    down = _verb(verbs, "down", "stop them, and clean up what a killed ccr left behind", run_down)
    down.add_argument("--remove-data", action="store_true", help="delete the clusters' data too")
    _verb(verbs, "status", "which clusters run, and what was left behind", run_status)


def _verb(verbs: Subparsers, name: str, help_: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=help_, description=f"{help_[0].upper()}{help_[1:]}."
    )
    parser.add_argument(
        "--dir", metavar="DIR", type=Path, help="the sandbox's folder (default: in the cache)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object (docs/cli.md)")
    parser.set_defaults(func=run)
    return parser


async def run_up(args: argparse.Namespace) -> int:
    """Start the clusters; returns the exit code."""
    from engine.sandbox import Sandbox, find_leftovers  # noqa: PLC0415  (imports aiokafka: slow)

    there = Sandbox(args.dir)
    specs = sandbox_specs.specs(args, there)
    sandbox = Sandbox(args.dir, specs)
    for leftover in find_leftovers():
        if leftover.root != sandbox.root:
            _narrate("\n".join(_leftover_lines(leftover)))
    meter = ProgressMeter()
    try:
        await sandbox.up(meter)
    finally:
        meter.end()
    await _print_status(sandbox, [], as_json=args.json)
    return 0


async def run_down(args: argparse.Namespace) -> int:
    """Stop the clusters and clean up; returns the exit code."""
    from engine.sandbox import Sandbox, clean_up, find_leftovers  # noqa: PLC0415

    sandbox = Sandbox(args.dir)
    running = [cluster.name for cluster in sandbox.status().clusters if cluster.pids]
    known = bool(sandbox.clusters)
    await sandbox.down(remove_data=args.remove_data)
    if not known:
        _narrate(f"No sandbox in {sandbox.root}.")
    else:
        stopped = f"Stopped {', '.join(running)}." if running else "Nothing was running."
        data = "Its data is deleted." if not sandbox.clusters else f"The data is in {sandbox.root}."
        _narrate(f"{stopped} {data}")
    cleaned = [] if args.dir else find_leftovers()
    for leftover in cleaned:
        await clean_up(leftover)
        _narrate(f"Cleaned up {leftover.root}, which a killed ccr had left behind.")
    if args.json:
        print(
            json.dumps(
                {
                    "dir": str(sandbox.root),
                    "stopped": running,
                    "cleaned_up": [str(leftover.root) for leftover in cleaned],
                },
                indent=2,
            )
        )
    return 0


async def run_status(args: argparse.Namespace) -> int:
    """Print which clusters run; returns the exit code."""
    from engine.sandbox import Sandbox, find_leftovers  # noqa: PLC0415

    sandbox = Sandbox(args.dir)
    leftovers = [found for found in find_leftovers() if found.root != sandbox.root]
    await _print_status(sandbox, leftovers, as_json=args.json)
    return 0


class ProgressMeter:
    """Shows progress on stderr: rewriting one line on a terminal, else a line now and then."""

    _EVERY = 20  # percent between two lines where there is no terminal

    def __init__(self) -> None:
        self._rewrites = sys.stderr.isatty()
        self._message = ""
        self._percent = 0
        self._open = False

    def __call__(self, progress: Progress) -> None:
        """Show one step."""
        if self._rewrites and progress.total is not None:
            sys.stderr.write(f"\r\x1b[K{progress}")
            sys.stderr.flush()
            self._open = True
        elif self._is_due(progress):
            self.end()
            _narrate(str(progress))

    def end(self) -> None:
        """Finish a line that was being rewritten."""
        if self._open:
            sys.stderr.write("\n")
            self._open = False

    def _is_due(self, progress: Progress) -> bool:
        percent = 100 * (progress.done or 0) // (progress.total or 1)
        due = progress.message != self._message or percent >= self._percent + self._EVERY
        if due:
            self._message, self._percent = progress.message, percent
        return due


def status_json(status: SandboxStatus, leftovers: Iterable[SandboxStatus] = ()) -> dict[str, Any]:
    """Return the JSON object that `up` and `status` print."""
    return {
        **_sandbox_json(status),
        "leftovers": [_sandbox_json(leftover) for leftover in leftovers],
    }


def _sandbox_json(status: SandboxStatus) -> dict[str, Any]:
    return {
        "dir": str(status.root),
        "owner_pid": status.owner_pid,
        "left_behind": status.left_behind,
        "files": sandbox_security.files_json(status),
        "clusters": [
            {
                "name": cluster.name,
                "state": cluster.state,
                "bootstrap": cluster.bootstrap,
                "pids": list(cluster.pids),
                "data": str(cluster.folder),
                "kafka_version": cluster.kafka_version,
                "listeners": sandbox_security.listeners_json(cluster),
                "brokers": [
                    {
                        "id": broker.id,
                        "port": broker.port,
                        "pid": broker.pid,
                        "state": broker.state,
                        "reason": broker.reason or None,
                    }
                    for broker in cluster.brokers
                ],
                "connect": [
                    {
                        "id": worker.id,
                        "url": worker.url,
                        "pid": worker.pid,
                        "state": worker.state,
                        "reason": worker.reason or None,
                    }
                    for worker in cluster.workers
                ],
            }
            for cluster in status.clusters
        ],
    }


def status_lines(status: SandboxStatus, leftovers: Iterable[SandboxStatus] = ()) -> Iterator[str]:
    """Lay out what `up` and `status` print for people."""
    if not status.clusters:
        yield f"No sandbox in {status.root}. Start one with: ccr sandbox up"
    else:
        rows = [
            Row(
                (
                    cluster.name,
                    cluster.state,
                    cluster.kafka_version,
                    " ".join(map(str, cluster.pids)) or "-",
                    cluster.bootstrap,
                ),
                sandbox_security.listener_notes(cluster)
                + tuple(
                    f"broker {broker.id}: {', '.join(filter(None, (broker.state, broker.reason)))}"
                    for broker in cluster.brokers
                    if cluster.state == "partly running" or broker.reason
                )
                + _worker_notes(cluster),
            )
            for cluster in status.clusters
        ]
        yield from table(("Cluster", "State", "Kafka", "Pids", "Bootstrap"), rows)
        yield f"Data in {status.root}"
        yield from sandbox_security.file_lines(status)
    if status.left_behind:
        yield from _leftover_lines(status)
    for leftover in leftovers:
        yield from _leftover_lines(leftover)


def _worker_notes(cluster: ClusterStatus) -> tuple[str, ...]:
    return tuple(
        f"Connect worker {worker.id}, {worker.url}: "
        f"{', '.join(filter(None, (worker.state, worker.reason)))}"
        for worker in cluster.workers
    )


def _leftover_lines(leftover: SandboxStatus) -> Iterator[str]:
    pids = [str(pid) for cluster in leftover.clusters for pid in cluster.pids]
    running = f"brokers still running: {', '.join(pids)}" if pids else "no broker runs"
    yield f"Left behind by process {leftover.owner_pid}, which was killed: {leftover.root}"
    yield from indented(f"{running}. Clean up with: ccr sandbox down --dir {leftover.root}")


async def _print_status(sandbox: Sandbox, leftovers: list[SandboxStatus], *, as_json: bool) -> None:
    status = await sandbox.probed_status()
    if as_json:
        print(json.dumps(status_json(status, leftovers), indent=2))
    else:
        print("\n".join(status_lines(status, leftovers)))


def _narrate(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
