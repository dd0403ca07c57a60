"""Reading a file that is to be imported: its settings, and what kind of configuration it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config.loader import content_of
from engine.config.problems import InvalidConfigError
from engine.errors import ConfigError
from engine.importing import mirror_connector, properties, replicator
from engine.importing.report import Kind, Setting

OPERATION = "importing"
_KINDS = {mirror_connector.CLASS: Kind.MIRROR_CONNECTOR, replicator.CLASS: Kind.REPLICATOR}
_COMPANIONS = ("MirrorCheckpointConnector", "MirrorHeartbeatConnector")
_EXPECTED = "Give an mm2.properties, a replicator.properties, or a connector's JSON"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The settings of a file."""

    name: str
    is_json: bool
    settings: tuple[Setting, ...]
    kind: Kind
    is_utf8: bool
    """It has other characters than ASCII, and they are UTF-8's."""


def read(path: Path) -> SourceFile:
    """Read a file; raises ConfigError when it cannot be read or is nothing that we know."""
    try:
        content, _ = content_of(path)
    except InvalidConfigError as error:
        raise ConfigError(OPERATION, str(path), error.problems[0].text, _EXPECTED) from None
    return parsed(content, str(path))


def parsed(content: bytes, name: str) -> SourceFile:
    """Read a file's content; raises ConfigError as `read` does."""
    is_json = content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
    settings = tuple(_json(content, name) if is_json else _properties(content, name))
    if not settings:
        raise ConfigError(OPERATION, name, "it has no settings", _EXPECTED)
    is_utf8 = not is_json and not content.isascii() and _decodes(content)
    return SourceFile(name, is_json, settings, _kind(settings, name), is_utf8)


def _decodes(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _properties(content: bytes, name: str) -> Iterator[Setting]:
    try:
        for each in properties.parse(content.removeprefix(b"\xef\xbb\xbf")):
            yield Setting(each.key, each.value, each.line)
    except properties.MalformedError as error:
        raise ConfigError(OPERATION, name, f"line {error.line} {error}", "Correct it") from None


def _json(content: bytes, name: str) -> Iterator[Setting]:
    """Yield a connector's settings, those that are there twice as often as they are."""
    found = _parsed_json(content, name)
    settings, outer = found, _Object()
    config = next((value for key, value in found if key == "config"), None)
    if isinstance(config, _Object):
        settings, outer = config, found
    names = [value for key, value in outer if key == "name" and isinstance(value, str)]
    if names and not any(key == "name" for key, _ in settings):
        yield Setting("name", names[-1])
    for key, value in settings:
        if isinstance(value, list):
            cause = f"{key} is no single value, and a connector has no others"
            raise ConfigError(OPERATION, name, cause, "Give one connector's JSON")
        yield Setting(key, _text(value))


class _Object(list[tuple[str, Any]]):
    """A JSON object as it is written: keys may be there twice."""


def _parsed_json(content: bytes, name: str) -> _Object:
    try:
        found = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_Object)
    except UnicodeDecodeError:
        raise ConfigError(OPERATION, name, "it is not UTF-8 text", "Save it as UTF-8") from None
    except json.JSONDecodeError as error:
        cause = f"it is no JSON: line {error.lineno}: {error.msg}"
        raise ConfigError(OPERATION, name, cause, _EXPECTED) from None
    except RecursionError:
        raise ConfigError(OPERATION, name, "it is nested too deeply", _EXPECTED) from None
    if not isinstance(found, _Object):
        cause = 'it is no connector: that is {"name": …, "config": {…}}, or the config alone'
        raise ConfigError(OPERATION, name, cause, "Give one connector's JSON")
    return found


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind(settings: tuple[Setting, ...], name: str) -> Kind:
    keys = {setting.key for setting in settings}
    classes = [each.value.strip() for each in settings if each.key == "connector.class"]
    if classes:
        return _of_class(classes[-1], name)
    if "clusters" in keys or any("->" in key for key in keys):
        return Kind.MIRROR_MAKER
    if any(key.startswith(("src.kafka.", "dest.kafka.", "topic.whitelist")) for key in keys):
        return Kind.REPLICATOR
    if any(key.endswith(".bootstrap.servers") for key in keys):
        return Kind.MIRROR_MAKER
    cause = "it is neither MirrorMaker 2's nor Replicator's: it has no clusters and no connector"
    raise ConfigError(OPERATION, name, cause, _EXPECTED)


def _of_class(class_name: str, name: str) -> Kind:
    short = class_name.rpartition(".")[2]
    if short in _COMPANIONS:
        cause = f"a {short} copies no records; what it does belongs to a MirrorSourceConnector"
        step = "Import that one; then see `sync.groups` and `mm2` in docs/config.md"
        raise ConfigError(OPERATION, name, cause, step)
    kind = _KINDS.get(short)
    if kind is None:
        known = " and ".join(_KINDS)
        cause = f"{class_name} is no connector that mirrors topics as ccr does; those are {known}"
        raise ConfigError(OPERATION, name, cause)
    return kind
