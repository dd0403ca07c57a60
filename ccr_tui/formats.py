"""Numbers, times and text as the console writes them. Unknown is `?`, never 0."""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.printable import printable

UNKNOWN = "?"

_SI = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_IEC = ((2.0**50, "PiB"), (2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))


def count(value: int | None, width: int = 9) -> str:
    """Write a count exactly where it fits into `width` cells, else rounded (12.3M)."""
    if value is None:
        return UNKNOWN
    exact = f"{value:,}"
    return exact if len(exact) <= width else _scaled(float(value), _SI, "")


def offset(value: int | None) -> str:
    """Write an offset; always exact."""
    return UNKNOWN if value is None else f"{value:,}"


def rate(per_second: float) -> str:
    """Write events a second, without the unit: 0, 3.2, 9,876, 48.1k."""
    if 0 < per_second < 9.95:
        return f"{per_second:.1f}"
    if per_second < 9_999.5:
        return f"{per_second:,.0f}"
    return _scaled(per_second, _SI, "")


def size(value: float) -> str:
    """Write bytes with a binary unit: 0 B, 12.3 MiB."""
    if value < 1024:
        return f"{value:.0f} B"
    return _scaled(value, _IEC, " ")


def _scaled(value: float, units: Sequence[tuple[float, str]], space: str) -> str:
    for factor, unit in units:
        # 999.95 and up would be written as 1000.0: that is 1.0 of the next unit.
        if value >= factor * 0.99995:
            number = value / factor
            return (
                f"{number:.1f}{space}{unit}" if number < 999.95 else f"{number:,.0f}{space}{unit}"
            )
    return f"{value:.0f}"


def seconds(value: float | None) -> str:
    """Write a span in at most six cells: 0s, 0.4s, 12s, 3m12s, 3h12m, 2d03h, 412d."""
    if value is None:
        return UNKNOWN
    value = max(0.0, value)
    return f"{value:.1f}s" if 0.05 <= value < 9.95 else _whole_seconds(int(value + 0.5))


def _whole_seconds(whole: int) -> str:
    if whole < 60:
        return f"{whole}s"
    minutes, second = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{second:02}s"
    hours, minute = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minute:02}m"
    days, hour = divmod(hours, 24)
    return f"{days}d{hour:02}h" if days < 100 else f"{days}d"


def coarse(value: float) -> str:
    """Write a span by its largest unit alone, rounded down: 45s, 58m, 9h, 6d."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if value >= length:
            return f"{int(value // length)}{unit}"
    return f"{max(0, int(value))}s"


def age(value: float | None) -> str:
    """Write how old something is, in whole seconds: it would flicker otherwise."""
    return UNKNOWN if value is None else _whole_seconds(int(max(0.0, value)))


def clock(at: float) -> str:
    """Write the local time of day of an epoch time."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def moment(at: float) -> str:
    """Write an epoch time in six cells: 14:05 today, 25 Nov another day."""
    when = time.localtime(at)
    today = when[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%d %b", when)


def timestamp(at: float) -> str:
    """Write date, local time and zone of an epoch time."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))


def plural(number: int, noun: str) -> str:
    """Write `1 partition`, `2,000 partitions`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def one_line(text: str) -> str:
    """Return text as one printable line: brokers' messages go to a terminal."""
    return printable(" ".join(text.split()))


def sparkline(values: Sequence[float], width: int, ramp: str) -> str:
    """Draw values, oldest first, into at most `width` cells scaled from 0 to their maximum.

    Where several values share a cell the highest counts: a spike must not be averaged away.
    """
    if not values or width <= 0:
        return ""
    recent = _highest_each(values, width)
    top = max(recent)
    if top <= 0:
        return ramp[0] * len(recent)
    last = len(ramp) - 1
    # Anything above nothing is drawn above nothing.
    return "".join(ramp[0 if v <= 0 else max(1, round(v / top * last))] for v in recent)


def _highest_each(values: Sequence[float], cells: int) -> list[float]:
    if len(values) <= cells:
        return list(values)
    per_cell = -(-len(values) // cells)
    # Counted from the newest end, so that a cell's values stay together while time moves on.
    ends = range(len(values), 0, -per_cell)
    return [max(values[max(0, end - per_cell) : end]) for end in reversed(ends)]
