"""What is typed after `/`: text, `!text`, `re:regex`, `!re:regex`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.config.matching import Pattern, TooSlowError

RowT = TypeVar("RowT")
_MATCH_S = 0.05  # a regex that takes longer on a name is given up


class FilterError(ValueError):
    """The text is not a filter; says why."""


@dataclass(frozen=True, slots=True)
class Words(Generic[RowT]):
    """What of a row a filter looks at."""

    name: Callable[[RowT], str]
    states: Callable[[RowT], Collection[str]]


@dataclass(frozen=True, slots=True)
class Filter(Generic[RowT]):
    """A filter and the text it came from."""

    text: str
    matches: Callable[[RowT], bool]
    regex: RegexFilter[RowT] | None = None

    @property
    def trouble(self) -> str:
        """Why it finds nothing any more."""
        return self.regex.trouble if self.regex else ""


class RegexFilter(Generic[RowT]):
    """A regex looked for in a row's name, until it takes too long."""

    def __init__(self, pattern: str, words: Words[RowT]) -> None:
        """Raises FilterError."""
        try:
            re.compile(pattern)
            self._pattern = Pattern(pattern)
        except re.error as error:
            at = "" if error.pos is None else f" at position {error.pos + 1}"
            raise FilterError(f"not a regex: {error.msg}{at}") from None
        except ValueError as error:
            raise FilterError(f"not a regex: {error}") from None
        self._words = words
        self.trouble = ""

    def __call__(self, row: RowT) -> bool:
        """Whether it occurs."""
        if self.trouble:
            return False
        name = self._words.name(row)
        try:
            return self._pattern.occurs(name, _MATCH_S)
        except TooSlowError:
            self.trouble = f"takes too long on {name}"
            return False


def parse(text: str, words: Words[RowT]) -> Filter[RowT] | None:
    """Read a filter; None when the text asks for nothing. Raises FilterError.

    Text is looked for anywhere in a row's name, whatever its case; a whole state word (stopped,
    waiting, growing, stalled, draining, in step, overtaken, …) also finds the rows it is true of.
    """
    wanted = text.strip()
    inverse = wanted.startswith("!")
    wanted = wanted.removeprefix("!")
    if wanted in ("", "re:"):
        return None
    regex = RegexFilter(wanted.removeprefix("re:"), words) if wanted.startswith("re:") else None
    matches = regex or _substring(wanted, words)
    return Filter(text.strip(), _inverted(matches) if inverse else matches, regex)


def _substring(wanted: str, words: Words[RowT]) -> Callable[[RowT], bool]:
    lowered = wanted.lower()

    def matches(row: RowT) -> bool:
        return lowered in words.name(row).lower() or lowered in words.states(row)

    return matches


def _inverted(matches: Callable[[RowT], bool]) -> Callable[[RowT], bool]:
    return lambda row: not matches(row)
