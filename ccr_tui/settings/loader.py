"""Reads the user's console settings. What is wrong with them is named, and never stops anything."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ccr_tui.settings.model import ConsoleSettings
from ccr_tui.user_files import SETTINGS_VARIABLE, settings_path
from engine.config.document import Document, Place, parse
from engine.config.loader import content_of, decoded
from engine.config.nearest import did_you_mean, listed
from engine.config.problems import InvalidConfigError, KeyPath, Problem, dotted, in_file_order
from engine.config.wording import path_of, sentence


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set, with what is wrong left out."""

    values: ConsoleSettings = field(default_factory=ConsoleSettings)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Other keys than an action's own, by its id."""
    problems: tuple[Problem, ...] = ()


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings; without a file (at the usual place) there are none."""
    file = path or settings_path()
    if path is None and SETTINGS_VARIABLE not in os.environ and not file.exists():
        return Settings()
    try:
        text = decoded(content_of(file)[0], str(file))
        if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
            return Settings()
        document = parse(text, str(file))
    except InvalidConfigError as error:
        # Its next step is about another file.
        return Settings(problems=tuple(_without_step(each) for each in error.problems))
    return _checked(document, str(file))


def _without_step(problem: Problem) -> Problem:
    return Problem(problem.file, problem.text, problem.line, problem.column, problem.key)


def _checked(document: Document, file: str) -> Settings:
    problems = [_problem(file, each.path, each.text, each.place) for each in document.findings]
    values, wrong = _validated(document)
    keys: dict[str, tuple[str, ...]] = {}
    if values.keys:
        # Which screens there are, is asked only here: that imports all of them.
        from ccr_tui.catalog import REGISTRY  # noqa: PLC0415
        from ccr_tui.screens.everywhere import PLACES  # noqa: PLC0415
        from ccr_tui.settings.keys import resolved  # noqa: PLC0415

        keys, more = resolved(values.keys, REGISTRY.with_own_keys(), PLACES)
        wrong += more
    problems += [_problem(file, path, text, document.nearest(path)) for path, text in wrong]
    return Settings(values, keys, in_file_order(problems))


def _validated(document: Document) -> tuple[ConsoleSettings, list[tuple[KeyPath, str]]]:
    """Validate once, and again without what was wrong."""
    data: dict[str, Any] = dict(document.data)
    known = {finding.path for finding in document.findings}
    for path in known:
        _leave_out(data, path)
    wrong: list[tuple[KeyPath, str]] = []
    try:
        return ConsoleSettings.model_validate(data), wrong
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            path = path_of(each)
            if each["type"] == "extra_forbidden":
                fields = ConsoleSettings.model_fields
                hint = did_you_mean(str(path[-1]), fields) or f"; known are {listed(fields)}"
                wrong.append((path, f"is not a known setting{hint}"))
            else:
                wrong.append((path, sentence(each, _value_at(document.data, path))))
    for path, _ in wrong:
        _leave_out(data, path)
    return ConsoleSettings.model_validate(data), wrong


def _leave_out(data: dict[str, Any], path: KeyPath) -> None:
    """Leave a setting out; of `keys`, the one action."""
    keys = data.get("keys")
    if len(path) > 1 and path[0] == "keys" and isinstance(keys, dict):
        data["keys"] = {name: value for name, value in keys.items() if name != path[1]}
    else:
        data.pop(str(path[0]), None)


def _value_at(data: object, path: KeyPath) -> object:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        else:
            data = data[part] if isinstance(data, list) and isinstance(part, int) else None
    return data


def _problem(file: str, path: KeyPath, text: str, place: Place | None) -> Problem:
    line = place.key_line if place else None
    column = place.key_column if place else None
    return Problem(file, text, line, column, dotted(path), path=path)
