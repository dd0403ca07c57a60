"""The value of `sasl.jaas.config`: a login module with its options (JAAS, as Kafka reads it).

    org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p";

Kafka splits it with java.io.StreamTokenizer: words, quoted texts with C's escapes, comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+|//[^\r\n]*|/\*.*?\*/)
    |(?P<quote>["'])(?P<quoted>(?:\\.|(?!(?P=quote))[^\\\r\n])*)(?P=quote)
    |(?P<sign>[=;])
    |(?P<word>[^\s=;"'/]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\([0-3]?[0-7]{1,2}|.)", re.DOTALL)
_NAMED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Login:
    """One login module. The options may be secret."""

    module: str
    options: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """The module without its package."""
        return self.module.rpartition(".")[2]


def parse(text: str) -> Login:
    """Read a login; raises ValueError, which never repeats an option's value."""
    tokens = list(_tokens(text))
    if ";" not in [text for text, is_sign in tokens if is_sign]:
        raise ValueError("does not end with a semicolon")
    if sum(each == (";", True) for each in tokens) > 1:
        raise ValueError("has more than one login module")
    if tokens.pop() != (";", True):
        raise ValueError("goes on behind its semicolon")
    words, options = tokens[:2], tokens[2:]
    if len(words) < 2 or any(is_sign for _, is_sign in words):
        raise ValueError("must begin with a login module and required")
    return Login(words[0][0], dict(_options(options)))


def _options(tokens: list[tuple[str, bool]]) -> Iterator[tuple[str, str]]:
    if len(tokens) % 3:
        raise ValueError("has an option that is not NAME=VALUE; are its quotes closed?")
    for (name, odd), equals, (value, odder) in zip(
        tokens[::3], tokens[1::3], tokens[2::3], strict=True
    ):
        if odd or odder or equals != ("=", True):
            raise ValueError("has an option that is not NAME=VALUE; are its quotes closed?")
        yield name, value


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Yield words and signs; the flag tells signs."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"cannot be read from position {at + 1} on; are its quotes closed?")
        at = found.end()
        if found["quote"]:
            yield _ESCAPE.sub(_character, found["quoted"]), False
        elif found["sign"]:
            yield found["sign"], True
        elif found["word"]:
            yield found["word"], False


def _character(escape: re.Match[str]) -> str:
    text = escape[1]
    if text[0] in "01234567":
        return chr(int(text, 8))
    return _NAMED.get(text, text)
