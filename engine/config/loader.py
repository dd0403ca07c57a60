"""Reads a configuration file; all that is wrong with it comes as one error, by file and line."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.config.checks import (
    circles,
    clusters_of_flows,
    connect_logins_in_the_clear,
    dotted_heartbeats,
    plaintext_secrets,
    protocols_of_clusters,
    secrets_in_the_clear,
    writes_to_read_only,
)
from engine.config.context import FileContext
from engine.config.document import Document, Place, parse
from engine.config.home import expanded
from engine.config.model import Config
from engine.config.problems import (
    InvalidConfigError,
    KeyPath,
    Problem,
    dotted,
    in_file_order,
)
from engine.config.sections import holds_secrets, section_at
from engine.config.wording import is_about_key, path_of, sentence, suggestion

LOG = logging.getLogger(__name__)
MAX_BYTES = 1024 * 1024
_START = "Run `ccr config init` to write a starter"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, and what its owner should still know."""

    config: Config
    warnings: tuple[Problem, ...]


def load(path: Path) -> Config:
    """Read the file; its warnings go to the log. Raises ConfigError with every problem in it."""
    loaded = read(path)
    for warning in loaded.warnings:
        LOG.warning("%s", warning)
    return loaded.config


def read(path: Path) -> Loaded:
    """Read the file; raises InvalidConfigError with every problem in it."""
    content, mode = content_of(path)
    return check(decoded(content, str(path)), path, mode)


def check(text: str, path: Path, mode: int = 0) -> Loaded:
    """Read a text as if the file had it; raises InvalidConfigError with every problem in it.

    `mode` are the file's permission bits: what others can read is warned about.
    """
    file = str(path)
    document = parse(text, file)
    teller = _Teller(document, file)
    allowed = document.data.get("allow_plaintext_secrets") is True
    context = FileContext(expanded(path).resolve().parent, plaintext_secrets=allowed)
    problems = teller.of_findings()
    for check in (clusters_of_flows, protocols_of_clusters, writes_to_read_only):
        problems += [teller.at(path, text) for path, text in check(document.data)]
    try:
        config = Config.model_validate(document.data, context=context)
    except ValidationError as error:
        problems += teller.of_validation(error)
    if problems:
        raise InvalidConfigError(file, _one_a_place(problems))
    return Loaded(config, in_file_order(_warnings(config, mode, teller)))


class _Teller:
    """Turns paths into places, and errors into problems."""

    def __init__(self, document: Document, file: str) -> None:
        self._document = document
        self._file = file

    def at(self, path: KeyPath, text: str, *, key: bool = False) -> Problem:
        """Make a problem at a value (or its key), or at the nearest section that is there."""
        place = self._document.nearest(path)
        if place is None:
            return Problem(self._file, text, 1, 1, dotted(path), path=path)
        by_key = key or place.is_section or path not in self._document.places
        return self._problem(path, text, place, by_key=by_key)

    def of_findings(self) -> list[Problem]:
        """Tell what is wrong with the document itself."""
        return [
            self._problem(finding.path, finding.text, finding.place, by_key=True)
            for finding in self._document.findings
        ]

    def of_validation(self, error: ValidationError) -> Iterator[Problem]:
        """Tell what the model says, but for what follows from something told already."""
        errors = error.errors(include_url=False, include_input=False)
        unknown = [path_of(each) for each in errors if each["type"] == "extra_forbidden"]
        meant = {(path[:-1], suggestion(path)) for path in unknown}
        told = {finding.path for finding in self._document.findings}
        for each in errors:
            path = path_of(each)
            misspelt = each["type"] == "missing" and (path[:-1], path[-1]) in meant
            if path not in told and not misspelt:
                text = sentence(each, _value_at(self._document.data, path))
                yield self.at(path, text, key=is_about_key(each))

    def _problem(self, path: KeyPath, text: str, place: Place, *, by_key: bool) -> Problem:
        line = place.key_line if by_key else place.value_line
        column = place.key_column if by_key else place.value_column
        if _may_be_secret(path, place):
            path, text = path[:-1], "has an unknown key here; a value with a comma needs quotes"
        return Problem(self._file, text, line, column, dotted(path), path=path)


def _may_be_secret(path: KeyPath, place: Place) -> bool:
    """Whether the last key may be a part of a password, as in {password: one,two}."""
    section = section_at(path[:-1]) if place.in_braces else None
    if section is None or path[-1] in section.model_fields or not holds_secrets(section):
        return False
    return place.is_empty or suggestion(path) is None


def _value_at(data: Any, path: KeyPath) -> object:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def _one_a_place(problems: Iterable[Problem]) -> list[Problem]:
    """Keep the first problem of each key; a second one tends to be the same in other words."""
    first: dict[tuple[int | None, int | None, str], Problem] = {}
    for problem in problems:
        first.setdefault((problem.line, problem.column, problem.key), problem)
    return list(first.values())


def _warnings(config: Config, mode: int, teller: _Teller) -> Iterator[Problem]:
    for path, text in circles(config):
        yield teller.at(path, text, key=True)
    for path, text in _warned(config):
        yield teller.at(path, text)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        for path in plaintext_secrets(config):
            yield teller.at(path, "is plain text in a file that others can read; run chmod 600")


def _warned(config: Config) -> Iterator[tuple[KeyPath, str]]:
    yield from dotted_heartbeats(config)
    yield from secrets_in_the_clear(config)
    yield from connect_logins_in_the_clear(config)


def content_of(path: Path) -> tuple[bytes, int]:
    """Return the file's bytes and its permission bits (0 for what is no regular file: a pipe).

    Raises InvalidConfigError when it cannot be read.
    """
    file = str(path)
    try:
        with expanded(path).open("rb") as opened:
            found = os.fstat(opened.fileno())
            content = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(file, "there is no such file", _START) from None
    except IsADirectoryError:
        raise _unreadable(file, "it is a folder", "Name a file in it") from None
    except OSError as error:
        raise _unreadable(file, _reason(error), "") from None
    if len(content) > MAX_BYTES:
        raise _unreadable(file, "it is larger than 1 MiB, which no configuration is", "")
    return content, stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else 0


def decoded(content: bytes, file: str) -> str:
    """Decode a file's content; raises InvalidConfigError when it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = Problem(file, "it is not UTF-8 text", line, next_step="Save it as UTF-8")
        raise InvalidConfigError(file, [problem]) from None


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


def _unreadable(file: str, text: str, next_step: str) -> InvalidConfigError:
    return InvalidConfigError(file, [Problem(file, text, next_step=next_step)])
