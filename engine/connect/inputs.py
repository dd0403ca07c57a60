"""A connector as people hand it over: Connect's JSON, a properties file, or a curl command."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from engine.connect.models import Settings
from engine.errors import ConfigError
from engine.importing import properties

_OPERATION = "reading the connector in"
_FORMS = 'Give {"name": …, "config": {…}}, the config alone, a properties file, or a curl command'
_DATA = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json")
_IN_URL = re.compile(r"/connectors/([^/?]+)")
STATES = ("RUNNING", "PAUSED", "STOPPED")


@dataclass(frozen=True, slots=True)
class Given:
    """A connector that is to be; the name is empty where nothing tells it."""

    name: str
    settings: Settings = field(repr=False)
    initial_state: str | None = None


def parse(content: str, file: str) -> Given:
    """Read a connector; raises ConfigError, which names places and never values."""
    text = content.removeprefix("\ufeff").strip()
    if not text:
        raise _wrong(file, "it is empty")
    if text.startswith("curl"):
        return _curl(text, file)
    if text.startswith(("{", "[")):
        return _json(text, file)
    return _properties(text, file)


def _wrong(file: str, cause: str) -> ConfigError:
    return ConfigError(_OPERATION, file, cause, _FORMS)


def _json(text: str, file: str) -> Given:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise _wrong(file, f"line {error.lineno}: it is no JSON: {error.msg}") from None
    if not isinstance(found, dict):
        raise _wrong(file, "it is not one connector")
    if not isinstance(found.get("config"), dict):
        return Given(str(found.get("name") or ""), dict(_settings(found, file)))
    config = dict(_settings(found["config"], file))
    name = str(found.get("name") or config.get("name") or "")
    state = found.get("initial_state")
    if state is not None and state not in STATES:
        raise _wrong(file, f"initial_state is none of {', '.join(STATES)}")
    return Given(name, config, state)


def _settings(found: dict[str, Any], file: str) -> Iterator[tuple[str, str | None]]:
    for key, value in found.items():
        if isinstance(value, dict | list):
            raise _wrong(file, f"{key} is no single value, and a connector has no others")
        if isinstance(value, bool):
            yield key, str(value).lower()
        else:
            yield key, None if value is None else str(value)


def _properties(text: str, file: str) -> Given:
    try:
        found = properties.parse(text.encode("ascii", "backslashreplace"))
    except properties.MalformedError as error:
        raise _wrong(file, f"line {error.line} {error}") from None
    settings: Settings = {each.key: each.value for each in found}
    if "connector.class" not in settings:
        raise _wrong(file, "it has no connector.class")
    return Given(settings.get("name") or "", settings)


def _curl(text: str, file: str) -> Given:
    """Read the body of a curl command; what the URL says is the name, where the body has none."""
    try:
        words = shlex.split(re.sub(r"\\\r?\n", " ", text))
    except ValueError:
        raise _wrong(file, "a quote of the curl command is not closed") from None
    body = _body_of(words)
    if body is None:
        raise _wrong(file, "the curl command has no --data")
    if body.startswith("@"):
        raise _wrong(file, f"the curl command sends the file {body[1:]}; give that one")
    given = _json(body, file)
    for word in words:
        in_url = _IN_URL.search(urlsplit(word).path) if "://" in word else None
        if in_url and not given.name:
            return Given(unquote(in_url[1]), given.settings, given.initial_state)
    return given


def _body_of(words: list[str]) -> str | None:
    for index, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in _DATA and equals:
            return value
        if word in _DATA and index + 1 < len(words):
            return words[index + 1]
        if word.startswith("-d") and not word.startswith("--") and len(word) > 2:
            return word[2:]
    return None
