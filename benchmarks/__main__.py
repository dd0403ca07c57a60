"""`python -m benchmarks [--quick] [--pairs N] [--only CASE …] [--json FILE]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from benchmarks.cases import Figures, comparisons, data_of
from benchmarks.report import Row, as_json, rows, table
from benchmarks.stage import Stage, stage


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def run(arguments: argparse.Namespace) -> list[Row]:
    """Run the chosen cases, the two sides in turn."""
    chosen = [
        comparison
        for comparison in comparisons(quick=arguments.quick)
        if not arguments.only or comparison.name in arguments.only
    ]
    found: list[Row] = []
    filled: set[str] = set()
    async with stage() as set_up:
        for comparison in chosen:
            await _fill(set_up, comparison.name, filled, quick=arguments.quick)
            pairs: list[tuple[Figures, Figures]] = []
            for number in range(arguments.pairs):
                pair = []
                for who in comparison.who:
                    figures = await comparison.case(set_up, who)
                    shown = ", ".join(f"{name} {value:,.2f}" for name, value in figures.items())
                    _tell(f"{comparison.name} {number + 1}/{arguments.pairs} {who}: {shown}")
                    pair.append(figures)
                pairs.append((pair[0], pair[1]))
            found += rows(comparison, pairs)
    return found


async def _fill(set_up: Stage, name: str, filled: set[str], *, quick: bool) -> None:
    data = data_of(name, quick=quick)
    if data is not None and data.topic not in filled:
        _tell(f"{data.topic}: producing {data.records:,} records of {data.size} bytes")
        await set_up.fill(data)
        filled.add(data.topic)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved pairs a case")
    parser.add_argument("--only", action="append", help="run this case; may be given again")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    found = asyncio.run(run(arguments))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(found), indent=2) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
