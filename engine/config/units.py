"""Sizes and times as people write them: 50MiB, 5s."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

BYTES: Mapping[str, int] = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
SECONDS: Mapping[str, float] = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
BYTES_PATTERN = r"^\s*\d+(\.\d+)?\s*(B|[kKMG]B|[KMG]iB)?\s*$"
SECONDS_PATTERN = r"^\s*\d+(\.\d+)?\s*(ms|s|m|min|h|d)?\s*$"
_Number = TypeVar("_Number", int, float)
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_bytes(value: object) -> object:
    """Turn `50MiB` into bytes; raises ValueError for what is neither a size nor a number."""
    return _parse(value, BYTES, "must be a size in bytes such as 512KiB or 50MiB", int)


def parse_seconds(value: object) -> object:
    """Turn `500ms` or `5s` into seconds; raises ValueError for what is no time and no number."""
    return _parse(value, SECONDS, "must be a time such as 500ms or 5s", float)


def within_bytes(low: str, high: str) -> Callable[[int], int]:
    """Make a check that a size lies between two, both taken in; it raises ValueError."""
    return _within(low, high, lambda text: int(_quantity(text, BYTES)))


def within_seconds(low: str, high: str) -> Callable[[float], float]:
    """Make a check that a time lies between two, both taken in; it raises ValueError."""
    return _within(low, high, lambda text: _quantity(text, SECONDS))


def _within(low: str, high: str, parse: Callable[[str], _Number]) -> Callable[[_Number], _Number]:
    least, most = parse(low), parse(high)

    def check(value: _Number) -> _Number:
        if not least <= value <= most:
            raise ValueError(f"must be between {low} and {high}")
        return value

    return check


def _parse(
    value: object, units: Mapping[str, float], form: str, number: type[int] | type[float]
) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError(form)  # noqa: TRY004  (pydantic collects ValueError only)
    try:
        return number(_quantity(value, units))
    except (ValueError, OverflowError):
        raise ValueError(form) from None


def _quantity(text: str, units: Mapping[str, float]) -> float:
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in units:
        raise ValueError(text)
    return float(match[1]) * units[match[2]]
