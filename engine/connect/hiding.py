"""Secrets in connectors' settings: what is hidden where they are shown, and put back when written.

A value is secret when the plugin says so (type PASSWORD), or by its name. References to a config
provider, `${file:/etc/secrets.properties:password}`, are no secrets and are shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from engine.connect.models import Settings
from engine.errors import RefusedError
from engine.importing.ledger import is_secret_key

HIDDEN = "********"
_REFERENCE = re.compile(r"\$\{[^}]*\}")
_IN_JAAS = re.compile(
    r"""((?:password|secret|token)\w*\s*=\s*)("[^"]*"|'[^']*'|[^\s;"']+)""", re.IGNORECASE
)
_IN_URL = re.compile(r"(://[^/@\s:]*:)([^/@\s]+)(@)")
_IN_QUERY = re.compile(r"([?&;](?:\w*password|\w*token|\w*secret)=)([^&;\s]+)", re.IGNORECASE)
_SHORTEST = 4  # characters; hiding shorter ones in a text would hide half of it


def shown(settings: Mapping[str, str | None], secret: Collection[str] = ()) -> Settings:
    """Return settings with secrets hidden; `secret` are the keys that the plugin says are."""
    return {key: _shown(key, value, secret) for key, value in settings.items()}


def _shown(key: str, value: str | None, secret: Collection[str]) -> str | None:
    if not value or not _REFERENCE.sub("", value).strip():
        return value
    if "jaas" in key.lower():
        parts = _IN_JAAS.sub(_hidden_option, value)
        # A login module without a word on its secrets is something that we do not know.
        known = "LoginModule" in value and (parts != value or "${" in value)
        return parts if known else HIDDEN
    if key in secret or is_secret_key(key):
        return HIDDEN
    return _IN_QUERY.sub(rf"\1{HIDDEN}", _IN_URL.sub(rf"\1{HIDDEN}\3", value))


def _hidden_option(found: re.Match[str]) -> str:
    value = found[2].strip("\"'")
    if value and not _REFERENCE.sub("", value):
        return found[0]
    return f'{found[1]}"{HIDDEN}"'


def put_back(
    name: str, given: Settings, current: Settings, secret: Collection[str] = ()
) -> Settings:
    """Return settings with what was hidden in them as it is now; raises RefusedError otherwise."""
    as_shown = shown(current, secret)
    found: Settings = {}
    for key, value in given.items():
        found[key] = value
        if value is None or HIDDEN not in value:
            continue
        if as_shown.get(key) != value:
            raise RefusedError(
                "writing connector", name, f"{key} is hidden ({HIDDEN}), and not as it is now",
                "Write the value itself, or a reference to a config provider",
            )  # fmt: skip
        found[key] = current[key]
    return found


def hidden_in(text: str, *settings: Mapping[str, str | None], secret: Collection[str] = ()) -> str:
    """Return a worker's text (a message, a trace) without the secrets of these settings."""
    for values in settings:
        for key, value in values.items():
            if value and _shown(key, value, secret) != value:
                for each in _secrets_in(value, whole=key in secret or is_secret_key(key)):
                    text = text.replace(each, HIDDEN)
    return text


def _secrets_in(value: str, *, whole: bool) -> list[str]:
    parts = [found[2].strip("\"'") for found in _IN_JAAS.finditer(value)]
    parts += [found[2] for pattern in (_IN_URL, _IN_QUERY) for found in pattern.finditer(value)]
    return [each for each in ([value] if whole else []) + parts if len(each) >= _SHORTEST]
