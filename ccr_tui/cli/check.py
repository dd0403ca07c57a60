"""`ccr check`: are the clusters reachable, and may we do there what the flows need?"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccr_tui.cli.steps import step_lines
from ccr_tui.cli.tables import Row, indented, table
from engine.errors import ExitCode
from engine.kafka.releases import or_newer
from engine.service import wording

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers
    from engine.api.cluster_snapshots import ConnectionTest
    from engine.checking import CheckReport, ClusterReport, FlowReport, Problem
    from engine.config.model import Config

_DAY_S = 86400
_LISTED = ("missing", "unknown")


def add_parser(subparsers: Subparsers) -> None:
    """Add `check`."""
    parser = subparsers.add_parser(
        "check",
        help="connections, certificates, and the permissions that flows need",
        description="Connect to each cluster and broker, and ask whether every flow may do what it "
        "needs there (docs/permissions.md). Nothing is changed. Exit code: 3 a cluster cannot be "
        "reached, 1 something is missing, else 0.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="clusters and flows (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
    parser.set_defaults(func=run_check)


async def run_check(args: argparse.Namespace) -> int:
    """Check and print; returns the exit code."""
    from engine.checking import check  # noqa: PLC0415  (imports aiokafka: slow)
    from engine.config.loader import load  # noqa: PLC0415

    config = load(Path(args.config))
    report = await check(config, args.names)
    if args.json:
        print(json.dumps(check_json(report), indent=2, ensure_ascii=False))
        return exit_code(report)
    print("\n".join(check_lines(report)))
    for cluster in report.clusters:
        if not cluster.reachable:
            print("", *step_lines(await _by_step(cluster.name, config)), sep="\n")
    return exit_code(report)


async def _by_step(name: str, config: Config) -> ConnectionTest:
    from engine.clusters.tester import ConnectionTester  # noqa: PLC0415  (imports aiokafka: slow)

    tester = ConnectionTester(1, name, config.clusters[name], config)
    await tester.run()
    return tester.snapshot()


def exit_code(report: CheckReport) -> ExitCode:
    """3: a cluster or broker is away; 1: a permission or something else is missing; else 0."""
    if not all(cluster.reachable for cluster in report.clusters):
        return ExitCode.CANNOT_CONNECT
    if any(flow.missing or flow.problems for flow in report.flows):
        return ExitCode.FAILED
    return ExitCode.OK


def check_json(report: CheckReport) -> dict[str, Any]:
    """Return the report as JSON has it."""
    return asdict(report)


def check_lines(report: CheckReport) -> Iterator[str]:
    """Word a report in lines of 80 columns."""
    rows = [_cluster_row(cluster, report.checked_at) for cluster in report.clusters]
    yield from table(("cluster", "State", "brokers", "Kafka", "Login"), rows)
    for flow in report.flows:
        yield ""
        yield from _flow_lines(flow)


def _cluster_row(cluster: ClusterReport, now: float) -> Row:
    reached = sum(broker.problem is None for broker in cluster.brokers)
    state = "reachable" if cluster.reachable else "away" if cluster.problem else "partly away"
    cells = (
        cluster.name,
        state,
        f"{reached}/{len(cluster.brokers)}" if cluster.brokers else wording.UNKNOWN,
        _release(cluster.kafka),
        cluster.login or "none",
    )
    return Row(cells, tuple(_cluster_notes(cluster, now)))


def _release(kafka: str) -> str:
    return or_newer(kafka) if kafka else wording.UNKNOWN


def _cluster_notes(cluster: ClusterReport, now: float) -> Iterator[str]:
    problems = [cluster.problem, *(broker.problem for broker in cluster.brokers)]
    for problem in filter(None, problems):
        yield _sentence(problem)
    if cluster.certificate_expires_at is not None:
        ours = f"our certificate {cluster.certificate}"
        yield f"{ours} {_expiry(cluster.certificate_expires_at, now)}"
    ends = [b.certificate_expires_at for b in cluster.brokers if b.certificate_expires_at]
    if ends:
        yield f"the first of the brokers' certificates {_expiry(min(ends), now)}"


def _expiry(at: float, now: float) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(at))
    days = int((at - now) // _DAY_S)
    if at <= now:
        return f"expired on {day}"
    return f"expires on {day}, in {days} day{'' if days == 1 else 's'}"


def _flow_lines(flow: FlowReport) -> Iterator[str]:
    topics = f"{flow.topics} topic{'' if flow.topics == 1 else 's'}"
    missing = len(flow.missing)
    state = f"{missing} missing" if missing else "no permission is missing"
    yield f"{flow.name}: {flow.source} to {flow.target}, {topics}, {state}"
    for problem in flow.problems:
        yield from indented(_sentence(problem))
    for word in _LISTED:
        for permission in flow.permissions:
            if permission.grant == word:
                yield from indented(str(permission))


def _sentence(problem: Problem) -> str:
    return f"{problem.text.rstrip('.')}. {problem.next_step}" if problem.next_step else problem.text
