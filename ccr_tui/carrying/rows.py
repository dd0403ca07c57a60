"""Rows of a table as JSON and CSV: the snapshots behind them, plain numbers and whole texts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


def plain(row: object) -> Any:
    """Return a snapshot as what JSON can hold."""
    return TypeAdapter(type(row)).dump_python(row, mode="json")


def as_json(row: object) -> str:
    """Write one snapshot, or a sequence of them."""
    content = [plain(each) for each in row] if isinstance(row, Sequence) else plain(row)
    return json.dumps(content, indent=2, ensure_ascii=False)


def as_csv(rows: Sequence[object]) -> str:
    """Write a line a row; inner parts have columns of their own, lists are left to JSON."""
    flat = [dict(_flat(plain(row))) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in flat)
    return out.getvalue()


def _flat(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif not isinstance(value, list):
        yield name or "value", value


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
