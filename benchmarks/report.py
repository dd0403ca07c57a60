"""Medians, spread and ratios of interleaved runs."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass

from benchmarks.cases import Comparison
from benchmarks.runs import Figures


@dataclass(frozen=True)
class Row:
    """One figure of one case: medians, spread, and the median of the ratios of the pairs."""

    case: str
    figure: str
    first: str
    second: str
    first_median: float
    first_range: tuple[float, float]
    second_median: float
    second_range: tuple[float, float]
    ratio: float
    ratio_range: tuple[float, float]


def rows(comparison: Comparison, pairs: list[tuple[Figures, Figures]]) -> list[Row]:
    """Reduce the pairs of a comparison."""
    out = []
    for figure in comparison.figures:
        ours = [first[figure] for first, _ in pairs]
        theirs = [second[figure] for _, second in pairs]
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        out.append(
            Row(
                comparison.name,
                figure,
                *comparison.who,
                statistics.median(ours),
                (min(ours), max(ours)),
                statistics.median(theirs),
                (min(theirs), max(theirs)),
                statistics.median(ratios),
                (min(ratios), max(ratios)),
            )
        )
    return out


def table(found: list[Row]) -> str:
    """Render Markdown."""
    lines = [
        "| case | figure | A | B | A, median (range) | B, median (range) | A / B (range) |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.case} | {row.figure} | {row.first} | {row.second} "
        f"| {_span(row.first_median, row.first_range)} "
        f"| {_span(row.second_median, row.second_range)} "
        f"| {_span(row.ratio, row.ratio_range)} |"
        for row in found
    ]
    return "\n".join(lines)


def _span(median: float, spread: tuple[float, float]) -> str:
    return f"{_number(median)} ({_number(spread[0])} to {_number(spread[1])})"


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def as_json(found: list[Row]) -> list[dict[str, object]]:
    """Return what `--json` writes."""
    return [asdict(row) for row in found]
