"""Finds what somebody most likely meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_SEPARATORS = re.compile(r"[^a-z0-9]+")


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate most like the word, if one is like it.

    Case and separators do not count, so `bootstrap.servers` and `bootstrapServers` find
    `bootstrap_servers`.
    """
    by_form = {_form(candidate): candidate for candidate in candidates}
    found = difflib.get_close_matches(_form(word), by_form, n=1, cutoff=0.65)
    return by_form[found[0]] if found else None


def same(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that differs from the word by case and separators at most."""
    return next((each for each in candidates if _form(each) == _form(word)), None)


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Write `; did you mean 'x'?`, or nothing when no candidate is like the word."""
    found = nearest(word, candidates)
    return f"; did you mean {found!r}?" if found else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Write names for a sentence, sorted; beyond `most` only how many more."""
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more


def _form(word: str) -> str:
    return _SEPARATORS.sub("", word.lower())
