"""All fields of an entry of the configuration: what they make of it, and what is wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import JsonValue, SecretStr

from ccr_tui.widgets.form.rows import FieldRow, SecretRow
from ccr_tui.widgets.form.specs import FieldPath

Section = dict[str, JsonValue]
Told = tuple[tuple[str | int, ...], str]
"""A path within the entry, and what is wrong there."""


class FieldBook:
    """Rows by path, over the entry as the file has it. What has no row stays as it is."""

    def __init__(self, rows: Iterable[FieldRow]) -> None:
        self.rows: dict[FieldPath, FieldRow] = {row.spec.path: row for row in rows}
        for place, row in enumerate(self.rows.values(), 1):
            row.place = place
        self._original: Section = {}
        self._left_out: frozenset[FieldPath] = frozenset()

    def __getitem__(self, key: str) -> FieldRow:
        return self.rows[tuple(key.split("."))]

    def load(self, section: Mapping[str, JsonValue]) -> None:
        """Show an entry."""
        self._original = copy.deepcopy(dict(section))
        for path, row in self.rows.items():
            row.load(_at(self._original, path))

    def leave_out(self, paths: Iterable[FieldPath]) -> None:
        """Hide fields that are of no use now; the entry does without them, whatever they say."""
        self._left_out = frozenset(paths)
        for path, row in self.rows.items():
            row.display = path not in self._left_out

    @property
    def changed(self) -> bool:
        """Whether anything was edited."""
        return any(row.changed for row in self.rows.values())

    def section(self) -> tuple[Section, list[Told]]:
        """Return the entry as the fields say it, and what cannot be written like that."""
        section = copy.deepcopy(self._original)
        wrong: list[Told] = []
        for path, row in self.rows.items():
            try:
                value = None if path in self._left_out else row.value()
            except ValueError as error:
                wrong.append((path, str(error)))
                continue
            _set(section, path, value)
        return section, wrong

    def show_problems(self, told: Iterable[Told]) -> list[Told]:
        """Show each problem under its field; return those that no field in sight stands for."""
        by_row: dict[FieldPath, str] = {}
        others = []
        for path, text in told:
            row = self._row_of(path)
            if row is None:
                others.append((path, text))
            else:
                by_row.setdefault(row.spec.path, _within(row, path, text))
        for path, row in self.rows.items():
            row.problem = by_row.get(path, "")
        return others

    def _row_of(self, path: tuple[str | int, ...]) -> FieldRow | None:
        """Find the field at a path or around it, or the first one below it."""
        plain = tuple(map(str, path))
        for length in range(len(plain), 0, -1):
            row = self.rows.get(plain[:length])
            if row is not None:
                return row if row.display else None
        below = (row for at, row in self.rows.items() if at[: len(plain)] == plain and row.display)
        return next(below, None) if plain else None

    def first_wrong(self) -> FieldRow | None:
        """Return the first field with a problem."""
        return next((row for row in self.rows.values() if row.problem and row.display), None)

    def secrets(self) -> Iterator[tuple[str, SecretStr]]:
        """Yield what is to be put into the keyring: references and secrets."""
        for path, row in self.rows.items():
            if isinstance(row, SecretRow) and path not in self._left_out:
                taken = row.taken()
                if taken is not None:
                    yield row.reference, taken

    def forget_secrets(self) -> None:
        """Empty every masked line."""
        for row in self.rows.values():
            if isinstance(row, SecretRow):
                row.forget()


def _at(section: Mapping[str, JsonValue], path: FieldPath) -> JsonValue:
    value: Any = section
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    found: JsonValue = value
    return found


def _set(section: Section, path: FieldPath, value: JsonValue) -> None:
    """Put a value at a path; None takes it out, and what is empty without it."""
    first, *rest = path
    if not rest:
        if value is None:
            section.pop(first, None)
        else:
            section[first] = value
        return
    inner = section.get(first)
    below: Section = inner if isinstance(inner, dict) else {}
    had = bool(below)
    _set(below, tuple(rest), value)
    if below:
        section[first] = below
    elif had:
        section.pop(first, None)


def _within(row: FieldRow, path: tuple[str | int, ...], text: str) -> str:
    """Say which line is meant, of several."""
    rest = path[len(row.spec.path) :]
    if not rest:
        return text
    if isinstance(rest[0], int):
        return f"line {rest[0] + 1}: {text}"
    return f"{rest[0]}: {text}"
