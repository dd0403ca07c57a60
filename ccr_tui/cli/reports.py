"""`ccr reports`: the runs of flows, and the report of one."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from ccr_tui.cli.tables import Row, table
from engine.errors import ExitCode, RefusedError

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers
    from engine.api.protocol import EngineApi
    from engine.api.runbook_snapshots import Run


def add_parser(subparsers: Subparsers) -> None:
    """Add `reports`."""
    parser = subparsers.add_parser(
        "reports",
        help="what was promoted or failed over, when, by whom, and how it went",
        description="List the runs that the flows' state topics remember, newest first, or print "
        "the report of one as Markdown. Asks the engine that runs this configuration on this "
        "host, or else the clusters; changes nothing.",
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="print this run's report")
    parser.add_argument("--flow", metavar="FLOW", help="only this flow's")
    parser.add_argument("--json", action="store_true", help="print JSON (docs/cli.md)")
    parser.set_defaults(func=run_reports)


async def run_reports(args: argparse.Namespace) -> int:
    """List, or print one."""
    from ccr_tui.cli.reading import ask  # noqa: PLC0415  (slow imports)
    from engine.runbook.journal import RUN  # noqa: PLC0415
    from engine.service.run_report import markdown  # noqa: PLC0415

    runs = await ask(args.config, args.flow, lambda api: _runs(api, args.flow))
    if args.run is None:
        if args.json:
            listed = [RUN.dump_python(run, mode="json") for run in runs]
            print(json.dumps(listed, indent=2, ensure_ascii=False))
        else:
            _list(runs)
        return ExitCode.OK
    run = next((each for each in runs if each.id == args.run), None)
    if run is None:
        known = ", ".join(each.id for each in runs[:5]) or "there is none"
        raise RefusedError("finding run", args.run, f"no flow remembers it ({known})")
    print(RUN.dump_json(run, indent=2).decode() if args.json else markdown(run), end="")
    return ExitCode.OK


async def _runs(api: EngineApi, flow: str | None) -> list[Run]:
    names = [flow] if flow else [each.name for each in (await api.snapshot()).flows]
    found = [run for name in names for run in (await api.runbooks.runs(name)).runs]
    return sorted(found, key=lambda run: -run.began)


def _list(runs: list[Run]) -> None:
    from engine.service.run_report import moment  # noqa: PLC0415  (slow imports)

    if not runs:
        print("No flow was ever promoted or failed over by a run that its state topic remembers.")
        return
    rows = [
        Row((run.id, run.kind.value, run.flow, run.state.value, moment(run.began), run.by))
        for run in runs
    ]
    print("\n".join(table(("run", "Runbook", "Flow", "State", "began", "By"), rows)))
