"""The parsers of `engine.importing`, and where secrets go (beside Java's: tests/kafka)."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from engine.errors import RefusedError
from engine.importing import jaas, keeping, properties
from engine.importing.placeholders import secret_place
from engine.importing.report import FoundSecret

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


def pairs(text: str) -> list[tuple[str, str]]:
    return [(each.key, each.value) for each in properties.parse(text.encode("latin-1"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", [("a", "b")]),
        ("a = b ", [("a", "b ")]),
        ("a:b", [("a", "b")]),
        ("a b=c", [("a", "b=c")]),
        ("a\t=\f b", [("a", "b")]),
        ("a==b", [("a", "=b")]),
        ("a->b.topics = x", [("a->b.topics", "x")]),
        ("a\\=b\\:c\\ d=e", [("a=b:c d", "e")]),
        ("a", [("a", "")]),
        ("#a=b\n!c=d\n  # e\nf=g", [("f", "g")]),
        ("a=b,\\\n   c", [("a", "b,c")]),
        ("a=b\\\\\nc=d", [("a", "b\\"), ("c", "d")]),
        ("a=b\\\n#c", [("a", "b#c")]),
        ("a=b\\", [("a", "b")]),
        ("a=\\u00e9\\t\\q", [("a", "\u00e9\tq")]),
        ("a=\\ud83d\\ude00", [("a", "\U0001f600")]),
        ("a=\u00e9\x85b\x1cc", [("a", "\u00e9\x85b\x1cc")]),
        ("a=1\r\nb=2\rc=3\n\n", [("a", "1"), ("b", "2"), ("c", "3")]),
    ],
)
def test_properties(text: str, expected: list[tuple[str, str]]) -> None:
    assert pairs(text) == expected


def test_lines_are_those_on_which_something_begins() -> None:
    found = properties.parse(b"# x\na=1,\\\n  2\n\n  b=2\r\nc=3")
    assert [(each.key, each.line) for each in found] == [("a", 2), ("b", 5), ("c", 6)]


@pytest.mark.parametrize("text", ["a=\\u12", "\\u00g0=1", "x=1\na=\\uu000"])
def test_a_malformed_escape_is_told_with_its_line(text: str) -> None:
    with pytest.raises(properties.MalformedError) as raised:
        pairs(text)
    assert raised.value.line == text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (f'{PLAIN} required username="u" password="p";', {"username": "u", "password": "p"}),
        (f"{PLAIN} required username='u' password=p ;", {"username": "u", "password": "p"}),
        (f'{PLAIN} required\n  a = "1"\n  b="";', {"a": "1", "b": ""}),
        (f'{PLAIN} required a="x\\"y\\\\z\\101;=" ;', {"a": 'x"y\\zA;='}),
        (f'{PLAIN} required /* all */ a="b // c"; // end', {"a": "b // c"}),
        (f"{PLAIN} required;", {}),
    ],
)
def test_jaas(text: str, options: dict[str, str]) -> None:
    login = jaas.parse(text)
    assert (login.name, dict(login.options)) == ("PlainLoginModule", options)
    assert "password" not in repr(login)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "semicolon"),
        (f'{PLAIN} required password="hunter2"', "semicolon"),
        (f'{PLAIN} required password="hunter2;', "quotes"),
        (f'{PLAIN} required password="hunt"er2"";', "quotes"),
        (f"{PLAIN} required password hunter2;", "NAME=VALUE"),
        (f'{PLAIN} required a="1"; {PLAIN} required b="hunter2";', "more than one"),
        (f'{PLAIN} required a="1"; hunter2', "behind its semicolon"),
        (f"{PLAIN};", "login module and required"),
    ],
)
def test_a_login_that_cannot_be_read_is_told_without_its_values(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as raised:
        jaas.parse(text)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ("${env:NAME}", "env:NAME"),
        ("${directory:/run/secrets:kafka}", "file:/run/secrets/kafka"),
        ("${file:/etc/x.properties:password}", ""),
        ("${securepass:/etc/x.properties:a/b}", ""),
        ("${whatever:x}", ""),
        ("pre${env:NAME}", ""),
    ],
)
def test_what_config_providers_fetch(value: str, reference: str) -> None:
    found = secret_place(value)
    assert found is not None
    assert found.reference == reference
    assert bool(found.why_none) == (not reference)


@pytest.mark.parametrize("value", ["", "p$w{x}", "${topic}", "plain"])
def test_what_is_the_secret_itself(value: str) -> None:
    assert secret_place(value) is None


SECRET = FoundSecret(
    "a.x", ("clusters", "a", "sasl", "password"), "keyring:ccr-a/u", SecretStr("hunter2")
)


def test_secrets_in_files_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    keeping.into_files([SECRET], folder, overwrite=False)
    path = folder / "ccr-a-u"
    assert path.read_text() == "hunter2"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (put,) = keeping.file_references([SECRET], folder)
    assert (put.path, put.value) == (SECRET.path, f"file:{path}")
    keeping.into_files([SECRET], folder, overwrite=False)  # the same once more
    path.write_text("another")
    with pytest.raises(RefusedError, match="there already"):
        keeping.into_files([SECRET], folder, overwrite=False)
    assert path.read_text() == "another"
    path.chmod(0o644)
    keeping.into_files([SECRET], folder, overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
