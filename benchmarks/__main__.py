"""`python -m benchmarks [--quick] [--pairs N] [--only CASE …] [--json FILE] [--list]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from benchmarks.cases import Comparison, comparisons, prepare
from benchmarks.replicators import missing
from benchmarks.report import Row, as_json, rows, table
from benchmarks.runs import Figures
from benchmarks.stage import Stage, stage


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def run(chosen: list[Comparison], pairs: int) -> list[Row]:
    """Run cases, the two sides in turn."""
    found: list[Row] = []
    shared = [comparison for comparison in chosen if not comparison.idle_topics]
    if shared:
        filled: set[str] = set()
        async with stage() as set_up:
            for comparison in shared:
                found += await _compare(set_up, comparison, pairs, filled)
    for comparison in chosen:
        if comparison.idle_topics:
            async with stage(many_partitions=True) as set_up:
                found += await _compare(set_up, comparison, pairs, set())
    return found


async def _compare(
    set_up: Stage, comparison: Comparison, count: int, filled: set[str]
) -> list[Row]:
    """Run a case's pairs; who goes first changes from pair to pair (A B, B A, …)."""
    reasons = [reason for who in comparison.who if (reason := missing(who))]
    if reasons:
        _tell(f"{comparison.name}: left out, {reasons[0]}")
        return []
    data = comparison.data
    if data is None or data.topic not in filled:
        if data is not None:
            _tell(f"{data.topic}: producing {data.records:,} records of {data.size} bytes")
            filled.add(data.topic)
        await prepare(set_up, comparison)
    pairs: list[tuple[Figures, Figures]] = []
    first, second = comparison.who
    for number in range(count):
        figures: dict[str, Figures] = {}
        for who in (first, second) if number % 2 == 0 else (second, first):
            figures[who] = await comparison.case(set_up, who)
            shown = ", ".join(f"{name} {value:,.2f}" for name, value in figures[who].items())
            _tell(f"{comparison.name} {number + 1}/{count} {who}: {shown}")
        pairs.append((figures[first], figures[second]))
    return rows(comparison, pairs)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved pairs a case")
    parser.add_argument("--only", action="append", help="run this case; may be given again")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--list", action="store_true", help="name the cases and do nothing")
    arguments = parser.parse_args()
    cases = {comparison.name: comparison for comparison in comparisons(quick=arguments.quick)}
    if arguments.list:
        print("\n".join(cases))
        return
    unknown = sorted(set(arguments.only or ()) - set(cases))
    if unknown:
        parser.error(f"no case is called {unknown[0]}; there are {', '.join(cases)}")
    found = asyncio.run(run([cases[name] for name in arguments.only or cases], arguments.pairs))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(found), indent=2) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
