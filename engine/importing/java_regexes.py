r"""Java's regexes as Python's: what means the same is rewritten, the rest is refused by name.

Names of topics, groups and configs are ASCII, so \w and \d mean the same in both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.config.regexes import check_regex

_CLASSES = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "Alpha": "A-Za-z",
    "Digit": "0-9",
    "Alnum": "A-Za-z0-9",
    "XDigit": "0-9A-Fa-f",
    "L": "A-Za-z",
    "IsAlphabetic": "A-Za-z",
    "IsDigit": "0-9",
    "N": "0-9",
    "Nd": "0-9",
    "Lu": "A-Z",
    "Ll": "a-z",
}
_NAMED_GROUP = re.compile(r"\(\?<(?=[A-Za-z])")
_BACK_REFERENCE = re.compile(r"\\k<([A-Za-z][A-Za-z0-9]*)>")
_QUOTED = re.compile(r"\\Q(.*?)(?:\\E|$)", re.DOTALL)
_PROPERTY = re.compile(r"\\p(?:\{(\w+)\}|([LN]))")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A regex in Python's syntax, or why there is none."""

    pattern: str
    problem: str = ""


def rewritten(pattern: str) -> Rewritten:
    """Return a Java regex as ours."""
    text = _QUOTED.sub(lambda found: re.escape(found[1]), pattern)
    text = _NAMED_GROUP.sub("(?P<", text)
    text = _BACK_REFERENCE.sub(r"(?P=\1)", text)
    text = _without_properties(text)
    try:
        return Rewritten(check_regex(text))
    except ValueError as error:
        first, *_ = str(error).splitlines()
        return Rewritten("", first)


def literal(name: str) -> str:
    """Return a regex that matches a name and nothing else."""
    return name.replace(".", r"\.") if _NAME.fullmatch(name) else re.escape(name)


def is_name(text: str) -> bool:
    """Whether a text may be the name of a topic."""
    return _NAME.fullmatch(text) is not None


def _without_properties(text: str) -> str:
    r"""Write \p{Alpha} out, where its characters are known; in a class without brackets."""
    parts: list[str] = []
    at, in_class = 0, False
    while at < len(text):
        found = _PROPERTY.match(text, at)
        characters = _CLASSES.get(found[1] or found[2]) if found else None
        if found and characters:
            parts.append(characters if in_class else f"[{characters}]")
            at = found.end()
            continue
        piece = text[at : at + 2] if text[at] == "\\" else text[at]
        if piece == "[":
            in_class = True
        elif piece == "]":
            in_class = False
        parts.append(piece)
        at += len(piece)
    return "".join(parts)
