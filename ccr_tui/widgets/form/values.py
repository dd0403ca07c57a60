"""Values of the file as they stand in fields, and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import Enum

from pydantic import JsonValue

NO, YES = "no", "yes"
_SIZES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
_TIMES = (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 0.001))
_DIGITS = re.compile(r"[0-9]{1,18}")
_WORDS = ("earliest", "latest")


def size(number: float) -> str:
    """Write bytes as the file has them: 32MiB."""
    unit, factor = next((each for each in _SIZES if number % each[1] == 0), ("", 1))
    return f"{int(number) // factor}{unit}"


def time(seconds: float) -> str:
    """Write seconds as the file has them: 500ms, 5s, 1min."""
    unit, factor = next((each for each in _TIMES if seconds >= each[1]), _TIMES[-1])
    return f"{seconds / factor:g}{unit}"


def shown(default: object, unit: Callable[[float], str] | None) -> str:
    """Return how a default is shown."""
    if default is None:
        return ""
    if isinstance(default, Enum):
        return str(default.value)
    if isinstance(default, bool):
        return YES if default else NO
    if isinstance(default, list | dict):
        return ", ".join(map(str, default)) or "none"
    return unit(float(str(default))) if unit else str(default)


def text_of(value: object) -> str:
    """Return a simple value as text: of text, a number, a choice, true or false."""
    if isinstance(value, bool):
        return YES if value else NO
    return "" if value is None else str(value)


def lines_of(value: object) -> str:
    """Return a list, one item a line."""
    return "\n".join(map(text_of, value)) if isinstance(value, list) else text_of(value)


def pairs_of(value: object) -> str:
    """Return a mapping, one `key: value` a line; of a mapping of mappings `key: name=value`."""
    if not isinstance(value, Mapping):
        return text_of(value)
    return "\n".join(
        f"{key}: {name}={text_of(each)}" if name else f"{key}: {text_of(each)}"
        for key, found in value.items()
        for name, each in (found.items() if isinstance(found, Mapping) else (("", found),))
    )


def start_of(value: object) -> str:
    """Return where a flow starts: a word, a time or an offset."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((_, inner),) = value.items()
        return inner.isoformat() if isinstance(inner, datetime) else text_of(inner)
    return text_of(value)


def plain(text: str) -> JsonValue:
    """Return text; None when it is empty."""
    return text.strip() or None


def number(text: str) -> JsonValue:
    """Return a whole number where it is one; what else it is the engine refuses."""
    text = text.strip()
    return int(text) if _DIGITS.fullmatch(text) else text or None


def yes(text: str) -> JsonValue:
    """Return whether the choice is yes."""
    return {YES: True, NO: False}.get(text)


def lines(text: str) -> JsonValue:
    """Return the lines that are not empty; None for none."""
    return [line.strip() for line in text.splitlines() if line.strip()] or None


def pairs(text: str) -> JsonValue:
    """Return `key: value` lines as a mapping; raises ValueError naming the line."""
    found: dict[str, JsonValue] = {}
    for at, key, value in _split(text):
        if key in found:
            raise ValueError(f"line {at} has a key that was there before")
        found[key] = value
    return found or None


def pinned(text: str) -> JsonValue:
    """Return `key: name=value` lines as a mapping of mappings; raises ValueError."""
    found: dict[str, dict[str, JsonValue]] = {}
    for at, key, rest in _split(text):
        name, equals, value = rest.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"line {at} must be REGEX: config=value")
        found.setdefault(key, {})[name.strip()] = value.strip()
    return {key: dict(each) for key, each in found.items()} or None


def _split(text: str) -> Iterator[tuple[int, str, str]]:
    for at, line in enumerate(text.splitlines(), 1):
        if line.strip():
            key, colon, value = line.strip().partition(": ")
            if not colon or not key.strip() or not value.strip():
                raise ValueError(f"line {at} must be KEY: VALUE, with a blank after the colon")
            yield at, key.strip(), value.strip()


def start(text: str) -> JsonValue:
    """Return where a flow starts as the file has it; raises ValueError for what is no form."""
    text = text.strip()
    if not text:
        return None
    if text in _WORDS:
        return text
    if _DIGITS.fullmatch(text):
        return {"offset": int(text)}
    if text[0].isdigit():
        return {"timestamp": text}
    raise ValueError("must be earliest, latest, a time such as 2026-11-01T00:00:00Z, or an offset")
