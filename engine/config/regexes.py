"""Checks topic regexes, and says in a sentence what is wrong and where.

They are Python's (`re`, whole names). People bring theirs from MirrorMaker 2, which has Java's:
what only Java knows is named as such, and what both take but read differently is refused. So is
what engine.config.matching, which matches them, would read differently from `re`.
"""

from __future__ import annotations

import re
import warnings
from typing import Annotated

from pydantic import AfterValidator

from engine.config.matching import Pattern

_AND_NOT_READ_ALIKE = re.compile(r"Possible (?:nested set|set \w+) at position (\d+)")
_JAVA_ONLY = tuple(
    (re.compile(construct), advice)
    for construct, advice in (
        (r"\\[pP]", r"\p{…} is Java's: name the characters, e.g. [A-Za-z]"),
        (r"\\[QE]", r"\Q…\E is Java's: escape each character by itself, e.g. orders\.eu"),
        (r"\(\?<[A-Za-z]", "(?<name>…) is Java's: write (…) or (?P<name>…)"),
        (r"\\k<", r"\k<name> is Java's: write (?P=name)"),
        (r"\\x\{", r"\x{…} is Java's: write the character itself"),
        (r"\\[hHRXGzec]", "this escape is Java's: name the characters"),
        (r"\(\?[a-zA-Z]*[dU]", "the flags d and U are Java's: leave them out"),
    )
)
_FUZZY = re.compile(r"(?<!\\)\{(?!\d*,?\d*\})")  # what `regex` would take for approximate matching
_PLAINER = {
    "unterminated character set": "the character class that begins with [ is not closed",
    "missing ), unterminated subpattern": "the group that begins with ( is not closed",
    "unbalanced parenthesis": "this ) closes nothing",
    "nothing to repeat": "there is nothing to repeat before this; '.*' matches everything",
    "global flags not at the start of the expression": "flags such as (?i) go to the very start",
    "bad escape (end of pattern)": "a lone \\ at the end; write \\\\ for the character itself",
}


def check_regex(pattern: str) -> str:
    """Return the pattern; raises ValueError with the position, and a caret below the pattern."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            re.compile(pattern)
        _check_as_matched(pattern)
    except re.error as error:
        raise ValueError(_described(pattern, error.msg, error.pos)) from None
    except FutureWarning as warning:
        found = _AND_NOT_READ_ALIKE.match(str(warning))
        cause = "Java reads this as an operation on classes, Python does not: escape it with \\"
        raise ValueError(_described(pattern, cause, int(found[1]) if found else None)) from None
    except (OverflowError, RecursionError):
        raise ValueError("the regex is too large") from None
    return pattern


def _check_as_matched(pattern: str) -> None:
    odd = _FUZZY.search(pattern)
    if odd is not None:
        cause = "this { counts no repetitions, e.g. {2,3}: escape it with \\"
        raise ValueError(_described(pattern, cause, odd.start()))
    try:
        Pattern(pattern)
    except ValueError as error:
        raise ValueError(f"the regex does not compile: {error}") from None


Regex = Annotated[str, AfterValidator(check_regex)]


def _described(pattern: str, message: str, position: int | None) -> str:
    if position is None:
        return f"the regex does not compile: {message}"
    cause, position = _cause(pattern, message, position)
    shown = "".join(character if character.isprintable() else "?" for character in pattern)
    caret = f"\n    {shown}\n    {' ' * position}^"
    return f"the regex does not compile at position {position + 1}: {cause}{caret}"


def _cause(pattern: str, message: str, position: int) -> tuple[str, int]:
    # Python points at the ? of a group; the construct begins one before.
    for begin in (position, max(position - 1, 0)):
        for construct, advice in _JAVA_ONLY:
            if construct.match(pattern, begin):
                return advice, begin
    return _PLAINER.get(message, message), position
