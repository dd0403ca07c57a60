"""What a file's data is to become, and the next thing in which it is not that yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from engine.config.editing.edits import HIDDEN, Edit, Put
from engine.config.problems import KeyPath, dotted
from engine.config.sections import is_secret, section_at
from engine.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Change:
    """The value that is at the path becomes another."""

    path: KeyPath
    value: Any


@dataclass(frozen=True, slots=True)
class Add:
    """Something new: behind the key `after`, or first; into a list before the path's index."""

    path: KeyPath
    value: Any
    after: str | None = None
    is_last: bool = True


@dataclass(frozen=True, slots=True)
class Drop:
    """What is at the path goes."""

    path: KeyPath


Difference = Change | Add | Drop


def intended(data: dict[str, Any], edits: Iterable[Edit], file: str) -> dict[str, Any]:
    """Return the data with the edits made; raises ConfigError when one makes no sense."""
    result = deepcopy(data)
    for edit in edits:
        if not edit.path:
            raise ConfigError("editing", file, "an edit needs the path of a key")
        above = _mapping_at(result, edit, file)
        if isinstance(edit, Put) and above is not None:
            before = above.get(edit.path[-1])
            value = _with_hidden(deepcopy(edit.value), before, edit.path, file)
            above[edit.path[-1]] = _in_order(before, value, edit.path)
        elif above is not None:
            above.pop(edit.path[-1], None)
    return result


def _mapping_at(data: dict[str, Any], edit: Edit, file: str) -> dict[str, Any] | None:
    """Return the mapping that the edit's key is in; made for a Put, None when not there."""
    for depth, key in enumerate(edit.path[:-1], 1):
        below = data.get(key)
        if below is None:
            if not isinstance(edit, Put):
                return None
            below = data[key] = {}
        if not isinstance(below, dict):
            raise ConfigError("editing", file, f"{dotted(edit.path[:depth])} is no mapping")
        data = below
    return data


def _with_hidden(value: Any, before: Any, path: KeyPath, file: str) -> Any:
    """Put secrets that were shown as HIDDEN back as they are."""
    if value == HIDDEN and is_secret(path):
        if not isinstance(before, str):
            cause = f"{dotted(path)}: there is no secret in the file that could stay"
            raise ConfigError("editing", file, cause, "Give a reference: keyring:SERVICE/USER")
        return before
    if isinstance(value, dict):
        known = before if isinstance(before, dict) else {}
        return {
            key: _with_hidden(each, known.get(key), (*path, key), file)
            for key, each in value.items()
        }
    return value


def _in_order(before: Any, value: Any, path: KeyPath) -> Any:
    """Keep the order of keys where it means nothing, so that no line moves for it."""
    if not isinstance(value, dict) or not isinstance(before, dict):
        return value
    keys = list(value)
    if not order_matters(path):
        keys = [key for key in before if key in value] + [k for k in value if k not in before]
    return {key: _in_order(before.get(key), value[key], (*path, key)) for key in keys}


def order_matters(path: KeyPath) -> bool:
    """Whether the first of a mapping's keys that fits counts: those whose keys are regexes."""
    return bool(path) and section_at(path) is None and section_at((*path, "x")) is None


def same(one: Any, other: Any, path: KeyPath = ()) -> bool:
    """Whether data is the same: 1 is not true, and the order of keys counts where it matters."""
    return next(differences(one, other, path), None) is None


def differences(now: Any, wanted: Any, path: KeyPath = ()) -> Iterator[Difference]:
    """Yield what is to be done to `now`, one after another; what follows may be outdated then."""
    if isinstance(now, dict) and isinstance(wanted, dict) and (now or not (wanted and path)):
        yield from _of_mappings(now, wanted, path)
    elif isinstance(now, list) and isinstance(wanted, list) and now and wanted:
        yield from _of_lists(now, wanted, path)
    elif type(now) is not type(wanted) or repr(now) != repr(wanted):
        yield Change(path, wanted)


def _of_mappings(
    now: dict[str, Any], wanted: dict[str, Any], path: KeyPath
) -> Iterator[Difference]:
    if order_matters(path) and [k for k in now if k in wanted] != [k for k in wanted if k in now]:
        yield Change(path, wanted)
        return
    for key in now:
        if key not in wanted:
            yield Drop((*path, key))
    for key, value in now.items():
        if key in wanted:
            yield from differences(value, wanted[key], (*path, key))
    keys = list(wanted)
    for index, key in enumerate(keys):
        if key not in now:
            after = keys[index - 1] if index else None
            last = not any(each in now for each in keys[index:])
            yield Add((*path, key), wanted[key], after, last)


def _of_lists(now: list[Any], wanted: list[Any], path: KeyPath) -> Iterator[Difference]:
    matcher = SequenceMatcher(None, list(map(repr, now)), list(map(repr, wanted)), autojunk=False)
    for kind, first, end, other, other_end in matcher.get_opcodes():
        if kind == "replace":
            yield Change((*path, first), wanted[other])
        elif kind == "delete":
            yield Drop((*path, end - 1))
        elif kind == "insert":
            yield Add((*path, first), wanted[other_end - 1])
