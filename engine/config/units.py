"""Sizes and times as people write them: 50MiB, 5s."""

from __future__ import annotations

import re

_BYTES = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_bytes(value: object) -> object:
    """Turn `50MiB` into bytes; leave what is not text to the model's own check."""
    if not isinstance(value, str):
        return value
    return int(_quantity(value, _BYTES, "a size such as 512KiB or 50MiB"))


def parse_seconds(value: object) -> object:
    """Turn `500ms` or `5s` into seconds; leave what is not text to the model's own check."""
    if not isinstance(value, str):
        return value
    return _quantity(value, _SECONDS, "a time such as 500ms or 5s")


def _quantity(text: str, units: dict[str, float] | dict[str, int], expected: str) -> float:
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in units:
        raise ValueError(f"{text!r} is not {expected}")
    return float(match[1]) * units[match[2]]
