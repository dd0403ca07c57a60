"""The flow as the form has it, as far as it can be looked at; and what is wrong in regexes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from ccr_tui.widgets.form.book import Section
from engine.config.flow_section import FlowConfig
from engine.config.regexes import check_regex

_SELECTING = (("topics", "rename", "mm2"), ("topics", "rename"), ("topics",))
"""What decides which topics are taken and what they are called, as much of it as is valid."""
_POSITION = re.compile(r" at position (\d+)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A section that can be looked at."""

    flow: str
    section: FlowConfig
    is_whole: bool
    """Whether it is all that the form says, so that it can be previewed, too."""


def candidate_of(flow: str, section: Section) -> Candidate | None:
    """Return what can be looked at; None without a source or with wrong regexes."""
    source = section.get("source")
    if not source:
        return None
    whole = _valid(section)
    if whole is not None and whole.source != whole.target:
        return Candidate(flow, whole, True)
    ends: Section = {"source": source, "target": section.get("target") or source}
    for keys in _SELECTING:
        part = _valid(ends | {key: section[key] for key in keys if key in section})
        if part is not None:
            return Candidate(flow, part, False)
    return None


def _valid(section: Section) -> FlowConfig | None:
    try:
        return FlowConfig.model_validate(section)
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class WrongRegex:
    """One line of a list of regexes that is none."""

    line: int  # from 0
    column: int  # from 0
    text: str


def wrong_regexes(text: str) -> Iterator[WrongRegex]:
    """Yield the lines that are no regexes."""
    for number, line in enumerate(text.splitlines()):
        indent = len(line) - len(line.lstrip())
        try:
            check_regex(line.strip())
        except ValueError as error:
            at = _POSITION.search(str(error))
            column = indent + (int(at[1]) - 1 if at else 0)
            told = str(error).removeprefix("the regex does not compile at ")
            yield WrongRegex(number, column, f"line {number + 1}, {told}")
