"""`ccr verify`: is the mirror, record by record, what the source has?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccr_tui.cli.tables import Row, table
from engine.config.matching import Pattern
from engine.config.regexes import check_regex
from engine.errors import ConfigError, ExitCode
from engine.service import wording

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers
    from engine.replication.verify.findings import Mismatch
    from engine.replication.verify.report import FlowReport, PartitionReport

_SHOWN_MISMATCHES = 20  # of each partition; --json has up to 100


def add_parser(subparsers: Subparsers) -> None:
    """Add `verify`."""
    parser = subparsers.add_parser(
        "verify",
        help="compare a mirror with its source, record by record",
        description="Compare key, value, headers, timestamp and order of a flow's mirrors with "
        "their sources through the offset map. Reads both clusters from here, with or without a "
        "running engine, and changes nothing. What retention or compaction took is counted as "
        "such. Exit code: 1 something differs or could not be compared, 3 a cluster cannot be "
        "reached, else 0.",
    )
    parser.add_argument("flow", metavar="FLOW")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--sample",
        action="store_true",
        help="the oldest, the newest and random ranges of each partition (default)",
    )
    extent.add_argument("--full", action="store_true", help="all that both sides still have")
    parser.add_argument("--topic", metavar="REGEX", help="only topics whose whole name matches")
    parser.add_argument(
        "--show", action="store_true", help="show records that differ, cut off at 120 bytes a part"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
    parser.set_defaults(func=run_verify)


async def run_verify(args: argparse.Namespace) -> int:
    """Compare and print; returns the exit code."""
    from engine.config.loader import load  # noqa: PLC0415  (slow imports)
    from engine.replication.verify.verifier import Options, verify  # noqa: PLC0415

    options = Options(args.full, _pattern(args.topic), args.show)
    report = await verify(load(Path(args.config)), args.flow, options, _tell)
    if args.json:
        print(json.dumps(report_json(report), indent=2, ensure_ascii=False))
    else:
        print("\n".join(report_lines(report)))
    return ExitCode.FAILED if report.wrong or report.incomparable else ExitCode.OK


def _pattern(text: str | None) -> Pattern | None:
    if text is None:
        return None
    try:
        return Pattern(check_regex(text))
    except ValueError as error:
        raise ConfigError("reading the option", f"--topic {text}", str(error)) from None


def _tell(report: PartitionReport, number: int, total: int) -> None:
    verdict = report.reason or (f"{report.wrong} wrong" if report.wrong else "equal")
    print(
        f"{number}/{total} {report.topic}/{report.partition}: "
        f"{report.compared} records compared, {verdict}",
        file=sys.stderr,
    )


def report_json(report: FlowReport) -> dict[str, Any]:
    """Return the report as JSON has it."""
    return {**asdict(report), "wrong": report.wrong, "incomparable": report.incomparable}


def report_lines(report: FlowReport) -> Iterator[str]:
    """Word a report in lines of 80 columns."""
    yield from table(
        ("topic", "part", "compared", "equal", "differ", "lacking", "strange", "up to"),
        [_row(partition) for partition in report.partitions],
    )
    yield ""
    compared = sum(partition.compared for partition in report.partitions)
    extent = "all that both sides have" if report.full else "a sample"
    yield f"{report.flow}: {compared} records compared ({extent}), " + (
        f"{report.wrong} wrong" if report.wrong else "none wrong"
    )
    if report.incomparable:
        yield f"partitions not compared to their end: {report.incomparable}"


def _row(report: PartitionReport) -> Row:
    cells = (
        report.topic,
        str(report.partition),
        wording.count(report.compared),
        wording.count(report.equal),
        wording.count(report.mismatched),
        wording.count(report.only_source + report.missing_on_source),
        wording.count(report.only_target),
        wording.UNKNOWN if report.end is None else str(report.end),
    )
    return Row(cells, tuple(_notes(report)))


def _notes(report: PartitionReport) -> Iterator[str]:
    if report.reason:
        yield report.reason
    for count, words in (
        (report.gone_source, "gone from the source (retention or compaction)"),
        (report.gone_target, "gone from the mirror by retention"),
        (report.compacted, "gone from the mirror by compaction"),
        (report.left_out, "left out by the flow's policies"),
        (report.only_target, "in the mirror, written by somebody else"),
    ):
        if count:
            yield f"{wording.count(count)} records {words}"
    for mismatch in report.mismatches[:_SHOWN_MISMATCHES]:
        yield from _mismatch(mismatch)
    if report.wrong > _SHOWN_MISMATCHES:
        yield f"… and {report.wrong - _SHOWN_MISMATCHES} more"


def _mismatch(mismatch: Mismatch) -> Iterator[str]:
    place = "-" if mismatch.target_offset is None else str(mismatch.target_offset)
    what = ", ".join(mismatch.differs)
    yield f"source offset {mismatch.source_offset}, target offset {place}: {what}"
    for side, record in (("source", mismatch.source), ("target", mismatch.target)):
        if record is not None:
            yield f"{side}: {record}"
