"""Edits of a text: spliced in one by one, each read back, until the text says what was meant."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from engine.config import document
from engine.config.editing import rendering, splicing, tree
from engine.config.editing.differences import Add, Change, Difference, Drop, differences, intended
from engine.config.editing.edits import Edit
from engine.config.editing.tree import CannotSpliceError, Tree
from engine.config.problems import InvalidConfigError, KeyPath, Problem, dotted
from engine.config.sections import section_at
from engine.errors import ConfigError

MAX_SPLICES = 1000
_MAKES_NO_DOCUMENT = (yaml.YAMLError, ValueError, RecursionError, AttributeError)


def new_text(data: dict[str, Any]) -> str:
    """Write a configuration that was nowhere before."""
    lines = rendering.block(data, 0, splicing.DEFAULT_STEP)
    return "\n".join(lines) + "\n" if lines else ""


def values_of(text: str, file: str) -> dict[str, Any]:
    """Return what a text says as plain data, times as text; raises InvalidConfigError."""
    return _read(text, file).data


def edited(text: str, edits: Iterable[Edit], file: str) -> str:
    """Return the text with the edits made, and every other line as it was.

    Read back it is what was meant to the letter: raises ConfigError when that cannot be had, and
    InvalidConfigError when the text as it is cannot be read.
    """
    now = _read(text, file)
    wanted = intended(now.data, edits, file)
    seen = {text}
    for _ in range(MAX_SPLICES):
        difference = next(differences(now.data, wanted), None)
        if difference is None:
            return now.text
        now = _made(now, difference, wanted, file)
        if now.text in seen:
            raise _by_hand(file, difference, now)
        seen.add(now.text)
    raise ConfigError("editing", file, "these are too many changes at once", "Edit it by hand")


def _read(text: str, file: str) -> Tree:
    """Read a text that a file holds; raises InvalidConfigError for all that is wrong with it."""
    if not _says_something(text):
        return Tree(text, None, {})
    findings = document.parse(text, file).findings
    if findings:
        raise InvalidConfigError(
            file,
            [
                Problem(
                    file, each.text, each.place.key_line, each.place.key_column,
                    dotted(each.path), path=each.path,
                )
                for each in findings
            ],
        )  # fmt: skip
    return tree.read(text)


def _says_something(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _made(now: Tree, difference: Difference, wanted: dict[str, Any], file: str) -> Tree:
    """Make one difference as narrowly as can be; raises ConfigError when it cannot be made."""
    for text in _ways(now, difference, wanted):
        try:
            after = tree.read(text)
        except _MAKES_NO_DOCUMENT:
            continue
        if _is_made(after.data, difference):
            return after
    raise _by_hand(file, difference, now)


def _ways(now: Tree, difference: Difference, wanted: dict[str, Any]) -> Iterator[str]:
    """Yield texts that may have the difference made: spliced, then with ever more written anew."""
    with contextlib.suppress(CannotSpliceError):
        yield splicing.splice(now, difference)
    for depth in range(len(difference.path) - 1, 0, -1):
        above = difference.path[:depth]
        if section_at(above) is None and section_at((*above, "x")) is not None:
            return  # all clusters, or all flows
        with contextlib.suppress(CannotSpliceError):
            yield splicing.splice(now, Change(above, _at(wanted, above)))


def _is_made(data: dict[str, Any], difference: Difference) -> bool:
    *above, last = difference.path
    found = _at(data, tuple(above))
    if isinstance(found, list):
        return True  # which items are still missing is seen when all are compared
    if not isinstance(found, dict):
        return isinstance(difference, Drop) and found is None
    if isinstance(difference, Drop):
        return last not in found
    value = difference.value
    return last in found and (isinstance(difference, Add) or _alike(found[last], value))


def _alike(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
        else:
            return None
    return data


def _by_hand(file: str, difference: Difference, now: Tree) -> ConfigError:
    anchored = "&" in now.text and "*" in now.text
    why = "the lines about it share values (& and *) with others" if anchored else "of its form"
    return ConfigError(
        "editing",
        file,
        f"{dotted(difference.path)} cannot be changed without touching something else: {why}",
        "Change it in an editor, then reload",
    )
