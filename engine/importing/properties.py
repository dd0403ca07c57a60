r"""Java's .properties files, read as `java.util.Properties.load` reads them from a stream.

Bytes are Latin-1, as Kafka's tools read them; other characters stand as \uXXXX. A key that is
there twice counts the last time; both are returned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_BLANKS = " \t\f"
_LINE_ENDS = "\r\n"
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "f": "\f"}
_HEX = frozenset("0123456789abcdefABCDEF")


class MalformedError(ValueError):
    r"""A \u that is not followed by four hexadecimal digits, with its line (from 1)."""

    def __init__(self, line: int) -> None:
        super().__init__("has a \\u that four hexadecimal digits do not follow")
        self.line = line


@dataclass(frozen=True, slots=True)
class Property:
    """A key with its value, and the line (from 1) that it begins on."""

    key: str
    value: str
    line: int


def parse(content: bytes) -> list[Property]:
    """Read a file's properties in its order; raises MalformedError."""
    found = []
    for line, text in _logical_lines(content.decode("latin-1")):
        key, value = _split(text)
        try:
            found.append(Property(_unescaped(key), _unescaped(value), line))
        except ValueError:
            raise MalformedError(line) from None
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, joined where a backslash continues one."""
    number = 0
    lines = iter(_natural_lines(text))
    for natural in lines:
        number += 1
        line = natural.lstrip(_BLANKS)
        start = number
        while True:
            # What continues nothing begins anew: there a comment is one.
            if not line or line[0] in "#!":
                break
            if not _is_continued(line):
                yield start, line
                break
            more = next(lines, None)
            if more is None:
                yield start, line[:-1]
                break
            number += 1
            line = line[:-1] + more.lstrip(_BLANKS)


def _natural_lines(text: str) -> Iterator[str]:
    r"""Split at \r, \n and \r\n only: str.splitlines knows more line ends than Java."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()  # a line end ends the file, it begins no line
    yield from lines


def _is_continued(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _split(line: str) -> tuple[str, str]:
    """Split at the first =, : or blank that is not escaped."""
    at, escaped = 0, False
    while at < len(line) and (escaped or line[at] not in "=:" + _BLANKS):
        escaped = line[at] == "\\" and not escaped
        at += 1
    key, rest = line[:at], line[at:].lstrip(_BLANKS)
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(_BLANKS)
    return key, rest


def _unescaped(text: str) -> str:
    r"""Resolve escapes; raises ValueError for a malformed \u."""
    if "\\" not in text:
        return text
    parts, at = [], 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == "\\":
            character = text[at : at + 1]
            at += 1
            if character == "u":
                digits = text[at : at + 4]
                if len(digits) < 4 or not set(digits) <= _HEX:
                    raise ValueError
                character = chr(int(digits, 16))
                at += 4
            else:
                character = _ESCAPES.get(character, character)
        parts.append(character)
    # Java's strings are UTF-16: two escapes may make one character.
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
