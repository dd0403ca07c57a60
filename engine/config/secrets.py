"""Secrets: a reference in the file, the value only in memory and typed as a secret."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from engine.config import os_keyring, secret_files
from engine.config.context import FileContext, context_of, resolve
from engine.config.home import expanded
from engine.config.limited import TIME_LIMIT_S, limited
from engine.config.os_keyring import INSTALL, OTHER_PLACES, Entry, KeyringError
from engine.errors import ConfigError

FORMS = "keyring:SERVICE/USER, credential:NAME, env:NAME or file:PATH"
OPERATION = "reading the secret for"
_KINDS = ("keyring", "credential", "env", "file")


class SecretState(StrEnum):
    """What became of the last reading of a secret."""

    UNREAD = "unread"  # not needed so far
    READ = "read"
    MISSING = "missing"  # it could not be had
    GIVEN = "given"  # by an operator, into this process's memory


class SecretRef:
    """Where a secret is; plain text when the file allows it.

    An operator may give the value instead: it is held by this object alone, never written.
    """

    __slots__ = ("_given", "_location", "kind", "state")

    def __init__(self, text: str) -> None:
        kind, separator, location = text.partition(":")
        if separator and kind in _KINDS and location:
            self.kind = kind
            self._location = location
        else:
            self.kind = "plain"
            self._location = text
        self.state = SecretState.UNREAD
        self._given: SecretStr | None = None

    def __repr__(self) -> str:
        """Show the reference, never a value."""
        return f"SecretRef({self})"

    def __str__(self) -> str:
        """Write the reference as the file has it, but never a value."""
        return "plain text, hidden" if self.kind == "plain" else f"{self.kind}:{self._location}"

    def __eq__(self, other: object) -> bool:
        """Equal when they point at the same place."""
        return isinstance(other, SecretRef) and (self.kind, self._location) == (
            other.kind,
            other._location,
        )

    def __hash__(self) -> int:
        """Hash by place."""
        return hash((self.kind, self._location))

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Take a reference or its text; from a file, plain text only when the file allows it."""
        return core_schema.with_info_plain_validator_function(
            cls._validated,
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell the schema's readers the forms. Plain text stays possible: the file may allow it."""
        examples = ["keyring:SERVICE/USER", "credential:NAME", "env:NAME", "file:PATH"]
        return {"type": "string", "minLength": 1, "examples": examples}

    @classmethod
    def _validated(cls, value: object, info: ValidationInfo) -> SecretRef:
        if isinstance(value, SecretRef):
            return value
        if not isinstance(value, str):
            raise ValueError(f"must be text: {FORMS}")  # noqa: TRY004  (pydantic's way)
        if not value:
            raise ValueError(f"must not be empty; write {FORMS}")
        return cls(_checked(value, context_of(info)))

    @property
    def entry(self) -> Entry | None:
        """The keyring's entry that is meant, if one is."""
        return Entry.parse(self._location) if self.kind == "keyring" else None

    def give(self, value: SecretStr) -> None:
        """Take the value from an operator, for as long as this process runs."""
        self._given, self.state = value, SecretState.GIVEN

    def take_from(self, other: SecretRef) -> None:
        """Take over what an operator gave for the same place, if anything."""
        if other == self and other._given is not None:
            self.give(other._given)

    def forget(self) -> None:
        """Let go of what an operator gave: from now on it is read where it is again."""
        self._given, self.state = None, SecretState.UNREAD

    async def resolve(self, *, what: str) -> SecretStr:
        """Fetch the value, off the loop and within 5 s.

        Raises ConfigError naming `what` and the ways out; never the value.
        """
        if self._given is not None:
            return self._given
        try:
            value = await self._read(what)
        except ConfigError:
            if self._given is None:
                self.state = SecretState.MISSING
            raise
        if self._given is None:
            self.state = SecretState.READ
        return self._given or value

    async def _read(self, what: str) -> SecretStr:
        if self.kind == "plain":
            return SecretStr(self._location)
        if self.kind == "env":
            return self._from_env(what)
        if self.kind == "keyring":
            return await self._from_keyring(Entry.parse(self._location), what)
        try:
            return await limited((self, what), lambda: self._from_file(what))
        except TimeoutError:
            cause = f"{self} did not answer within {TIME_LIMIT_S:.0f} s"
            next_step = "Is it on a network drive that is away?"
            raise ConfigError(OPERATION, what, cause, next_step) from None

    def _from_env(self, what: str) -> SecretStr:
        value = os.environ.get(self._location)
        if not value:
            cause = f"the environment variable {self._location} is not set"
            raise ConfigError(OPERATION, what, cause, "Set it where ccr is started")
        return SecretStr(value)

    def _from_file(self, what: str) -> SecretStr:
        if self.kind == "credential":
            return secret_files.credential(self._location, operation=OPERATION, what=what)
        path = expanded(self._location)
        ways_out = f"Write the secret into it, or use {OTHER_PLACES}, or {INSTALL}"
        return secret_files.read(path, operation=OPERATION, what=what, missing=ways_out)

    async def _from_keyring(self, entry: Entry, what: str) -> SecretStr:
        try:
            value = await os_keyring.read(entry, operation=OPERATION, what=what)
        except KeyringError as error:
            raise ConfigError(error.operation, what, error.cause, error.next_step) from None
        if value is None:
            cause = f"the keyring has no entry {entry}"
            raise ConfigError(OPERATION, what, cause, f"Run: ccr secrets set {entry}")
        return value


def _checked(text: str, context: FileContext | None) -> str:
    """Return the reference with its file's path resolved; raises ValueError without the value."""
    kind, _, location = text.partition(":")
    if kind not in _KINDS or not location:
        if context and not context.plaintext_secrets:
            raise ValueError(
                f"is plain text, which is refused; write {FORMS}"
                " (or allow it with allow_plaintext_secrets: true)"
            )
    elif kind == "keyring":
        Entry.parse(location)
    elif kind == "credential" and ("/" in location or location in (".", "..")):
        raise ValueError("must name a credential without a path: credential:NAME")
    elif kind == "file":
        return f"file:{resolve(location, context)}"
    return text
