"""Plain data as YAML, in the least quoting that reads back as the same."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.nodes import ScalarNode

WIDTH = 100
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./:@+-]*(?<!:)")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_TEXT = "tag:yaml.org,2002:str"
_resolver = yaml.SafeLoader("")


def scalar(value: Any, style: str | None = None) -> str:
    """Write a single value; `style` is the quote that is wanted for text."""
    if isinstance(value, str):
        return _text(value, _PLAIN_VALUE, style)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    written: str = yaml.safe_dump(value)
    return written.partition("\n")[0]


def key(name: str) -> str:
    """Write a key."""
    return _text(name, _PLAIN_KEY, None)


def inline(value: Any, style: str | None = None) -> str:
    """Write a value on one line, collections in brackets and braces."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key(k)}: {inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return scalar(value, style)


def pair(name: str, value: Any, column: int, step: int) -> list[str]:
    """Write `name: value` as lines that begin at a column; deeper ones `step` further in."""
    head = " " * column + key(name) + ":"
    if fits(value, len(head) + 1):
        return [f"{head} {inline(value)}"]
    return [head, *block(value, column + step, step)]


def block(value: Any, column: int, step: int) -> list[str]:
    """Write a mapping or list as lines that begin at a column."""
    if isinstance(value, dict):
        return [line for name, each in value.items() for line in pair(name, each, column, step)]
    return [" " * column + f"- {inline(each)}" for each in value]


def fits(value: Any, column: int) -> bool:
    """Whether a value belongs on the line of its key, which it would begin at the column."""
    if isinstance(value, dict):
        return not value
    if isinstance(value, list):
        simple = not any(isinstance(each, dict | list) for each in value)
        return not value or (simple and column + len(inline(value)) <= WIDTH)
    return True


def _text(value: str, plain: re.Pattern[str], style: str | None) -> str:
    if style is None and plain.fullmatch(value) and _is_text(value):
        return value
    if style == '"' or not value.isprintable():
        written: str = yaml.safe_dump(
            value, default_style='"', allow_unicode=True, width=float("inf")
        )
        return written.rstrip("\n")
    return "'" + value.replace("'", "''") + "'"


def _is_text(value: str) -> bool:
    """Whether it is read as text without quotes, not as a number, a time, true or null."""
    tag: str = _resolver.resolve(ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    return tag == _TEXT
