"""Regexes that cannot run away: a match that takes too long is given up.

Python's `re` cannot be stopped, and holds the interpreter's lock for as long as a match takes: one
`(a|a)+$` would freeze the engine. The package `regex` reads the same syntax and takes a time limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import regex

from engine.errors import RefusedError

GLANCE_S = 0.002
"""Processor time within which nearly every match ends; only so long does one hold the lock."""
MATCH_S = 0.25
"""Processor time after which a match is given up."""


_SHORT = 256
"""Length of names that harmless regexes are quick on; a topic's is 249 at most."""
_REPEATED_GROUP = re.compile(r"\)[*+?{]")
_REPETITION = re.compile(r"[*+{]")


class TooSlowError(RefusedError):
    """A regex takes longer on a name than it may."""

    def __init__(self, pattern: str, name: str, cause: str = "") -> None:
        super().__init__(
            "matching the regex",
            pattern,
            cause or f"it takes longer than {MATCH_S:g} s on {name!r}",
            "Write it without repetitions of repetitions, such as (a+)+ or (a|a)*",
        )
        self.pattern = pattern
        self.name = name


class Pattern:
    """A regex in Python's syntax that matches whole names."""

    __slots__ = ("_compiled", "_harmless", "text")

    def __init__(self, text: str) -> None:
        """Raises ValueError for what is none; engine.config.regexes.check_regex says it better."""
        self.text = text
        try:
            self._compiled = regex.compile(text, regex.VERSION0)
        except regex.error as error:
            raise ValueError(str(error)) from None
        self._harmless = re.compile(text) if _is_harmless(text) else None

    def matches(self, name: str, seconds: float = MATCH_S) -> bool:
        """Whether the whole name matches; raises TooSlowError.

        Other threads run on meanwhile. On an event loop only with few `seconds`.
        """
        if self._harmless is not None and len(name) <= _SHORT:
            return self._harmless.fullmatch(name) is not None
        return self._match(self._compiled.fullmatch, name, seconds) is not None

    def occurs(self, text: str, seconds: float = MATCH_S) -> bool:
        """Whether it matches anywhere in a text; else as `matches`."""
        return self._match(self._compiled.search, text, seconds) is not None

    def replaced(self, name: str, template: str, seconds: float = MATCH_S) -> str | None:
        r"""Return the template (`\\1`, `\\g<name>`) filled in; None when the name does not match.

        Raises TooSlowError; IndexError or regex.error for a template that names no group.
        """
        found = self._match(self._compiled.fullmatch, name, seconds)
        return None if found is None else found.expand(template)

    def _match(
        self, how: Callable[..., regex.Match[str] | None], name: str, seconds: float
    ) -> regex.Match[str] | None:
        try:
            return how(name, concurrent=False, timeout=GLANCE_S)
        except TimeoutError:
            pass
        try:
            return how(name, concurrent=True, timeout=seconds)
        except TimeoutError:
            raise TooSlowError(self.text, name) from None


def _is_harmless(text: str) -> bool:
    """Whether a regex cannot take long on a short name: then `re`, ten times as fast, will do.

    With at most two repetitions, none of them of a group, a match takes at most as many steps as
    the square of the name's length (and as there are alternatives). Escaped characters are counted
    too: what is taken for more than it is only loses the shortcut.
    """
    return len(_REPETITION.findall(text)) <= 2 and not _REPEATED_GROUP.search(text)
