"""Numbers as people read them, the same in the log and in the tables of the command line."""

from __future__ import annotations

from engine.api.retention_snapshots import Overtaking
from engine.api.snapshots import RehearsalBrief, RunBrief

UNKNOWN = "-"


def count(number: float | None) -> str:
    """12,345; unknown is a dash. Fractions are rounded, but a trickle is not called zero."""
    if number is None:
        return UNKNOWN
    if 0 < number < 1:
        return "<1"
    return f"{number:,.0f}"


def size(number: float | None) -> str:
    """1.5 MiB; unknown is a dash."""
    if number is None:
        return UNKNOWN
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1000:
            return (
                f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
            )
        number /= 1024
    return f"{number:,.1f} TiB"


def duration(seconds: float | None) -> str:
    """0.4 s, 12 s, 3 min 5 s, 2 h 7 min, 4 d 3 h; unknown is a dash."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    for big, big_unit, small, small_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= big:
            return f"{whole // big} {big_unit} {whole % big // small} {small_unit}"
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def lag(records: int | None, seconds: float | None) -> str:
    """Word a lag in records and in time."""
    if records is None:
        return "lag not known"
    if records == 0:
        return "in step"
    return f"lag {count(records)} records ({duration(seconds)})"


def overtaken(found: Overtaking, now: float) -> str:
    """Word when retention reaches what is not mirrored; `now` in seconds since the epoch."""
    gone = f"; {count(found.gone_records)} records are gone already" if found.gone_records else ""
    left = found.at - now
    when = f"in {duration(left)}" if left > 0 else "at any moment"
    return f"retention overtakes {when} ({found.by} on the source), as things go now{gone}"


def run(brief: RunBrief, source: str, now: float) -> str:
    """Word a runbook that has not ended; a fence first, as somebody's producers are refused."""
    fence = f"PRODUCERS ON {source} ARE FENCED: " if brief.fenced else ""
    step = f", {brief.step}" if brief.step else ""
    why = f" ({brief.why})" if brief.why else ""
    return f"{fence}{brief.kind} is {brief.state} for {duration(now - brief.began)}{step}{why}"


def rehearsed(brief: RehearsalBrief, now: float) -> str:
    """Word when a switch was rehearsed last, and how that went."""
    went = (
        f"it took {duration(brief.seconds)}"
        if brief.good
        else f"it failed (ccr reports {brief.id})"
    )
    return f"switch rehearsed {duration(now - brief.at)} ago: {went}"
