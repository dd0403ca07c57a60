"""Secrets: a reference in the file, the value only in memory and typed as a secret."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from engine.errors import ConfigError

KEYRING_TIMEOUT_S = 5.0
_WAYS_OUT = (
    "Use env:NAME or file:PATH (mode 0600), or install a keyring backend (on a server: gnome-keyring "
    "under dbus-run-session, or keyrings.alt)"
)


class SecretRef:
    """Where a secret is: keyring:SERVICE/USER, env:NAME, file:PATH, or plain text when allowed."""

    __slots__ = ("_location", "kind")

    def __init__(self, text: str) -> None:
        kind, separator, location = text.partition(":")
        if separator and kind in ("keyring", "env", "file") and location:
            self.kind = kind
            self._location = location
        else:
            self.kind = "plain"
            self._location = text

    def __repr__(self) -> str:
        """Show the reference, never a value."""
        return "SecretRef(plain text, hidden)" if self.kind == "plain" else f"SecretRef({self.kind}:{self._location})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Equal when they point at the same place."""
        return isinstance(other, SecretRef) and (self.kind, self._location) == (other.kind, other._location)

    def __hash__(self) -> int:
        """Hash by place."""
        return hash((self.kind, self._location))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept text only."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(min_length=1, strict=True))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Tell the schema's readers the forms."""
        return {"type": "string", "description": "keyring:SERVICE/USER, env:NAME or file:PATH"}

    async def resolve(self, *, what: str) -> SecretStr:
        """Fetch the value, off the loop and within 5 s.

        Raises ConfigError naming `what` and the ways out; never the value.
        """
        if self.kind == "plain":
            return SecretStr(self._location)
        if self.kind == "env":
            return self._from_env(what)
        try:
            read = self._from_file if self.kind == "file" else self._from_keyring
            return await asyncio.wait_for(asyncio.to_thread(read, what), KEYRING_TIMEOUT_S)
        except TimeoutError:
            raise ConfigError(
                "reading the secret for", what, f"{self!r} did not answer within {KEYRING_TIMEOUT_S:.0f} s", _WAYS_OUT
            ) from None

    def _from_env(self, what: str) -> SecretStr:
        value = os.environ.get(self._location)
        if not value:
            raise ConfigError(
                "reading the secret for", what, f"the environment variable {self._location} is not set", "Set it"
            )
        return SecretStr(value)

    def _from_file(self, what: str) -> SecretStr:
        path = Path(self._location).expanduser()
        try:
            mode = path.stat().st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigError("reading the secret for", what, f"others can read {path}", f"Run: chmod 600 {path}")
            return SecretStr(path.read_text().rstrip("\r\n"))
        except OSError as error:
            raise ConfigError("reading the secret for", what, f"{path}: {error.strerror}", _WAYS_OUT) from None

    def _from_keyring(self, what: str) -> SecretStr:
        import keyring  # noqa: PLC0415  (slow to import, and only needed here)
        import keyring.errors  # noqa: PLC0415

        service, _, user = self._location.rpartition("/")
        try:
            value = keyring.get_password(service, user)
        except keyring.errors.KeyringError as error:
            cause = f"the OS keyring cannot be used ({type(error).__name__})"
            raise ConfigError("reading the secret for", what, cause, _WAYS_OUT) from None
        if value is None:
            cause = f"the OS keyring has no entry {self._location}"
            raise ConfigError("reading the secret for", what, cause, f"Run: keyring set {service} {user}")
        return SecretStr(value)
