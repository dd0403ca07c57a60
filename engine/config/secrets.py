"""Secrets: a reference in the file, the value only in memory and typed as a secret."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from engine.config.context import FileContext, context_of, resolve
from engine.errors import ConfigError

READ_TIMEOUT_S = 5.0
FORMS = "keyring:SERVICE/USER, env:NAME or file:PATH"
_KINDS = ("keyring", "env", "file")
_WAYS_OUT = (
    "Use env:NAME or file:PATH (mode 0600), or install a keyring backend (on a server: "
    "gnome-keyring under dbus-run-session, or keyrings.alt)"
)


class SecretRef:
    """Where a secret is: keyring:SERVICE/USER, env:NAME, file:PATH, or plain text when allowed."""

    __slots__ = ("_location", "kind")

    def __init__(self, text: str) -> None:
        kind, separator, location = text.partition(":")
        if separator and kind in _KINDS and location:
            self.kind = kind
            self._location = location
        else:
            self.kind = "plain"
            self._location = text

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
        return {"type": "string", "minLength": 1, "examples": ["env:NAME", "file:PATH"]}

    @classmethod
    def _validated(cls, value: object, info: ValidationInfo) -> SecretRef:
        if isinstance(value, SecretRef):
            return value
        if not isinstance(value, str):
            raise ValueError(f"must be text: {FORMS}")  # noqa: TRY004  (pydantic's way)
        if not value:
            raise ValueError(f"must not be empty; write {FORMS}")
        return cls(_checked(value, context_of(info)))

    async def resolve(self, *, what: str) -> SecretStr:
        """Fetch the value, off the loop and within 5 s.

        Raises ConfigError naming `what` and the ways out; never the value.
        """
        if self.kind == "plain":
            return SecretStr(self._location)
        if self.kind == "env":
            return self._from_env(what)
        read = self._from_file if self.kind == "file" else self._from_keyring
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                return await _in_a_thread(lambda: read(what))
        except TimeoutError:
            cause = f"{self} did not answer within {READ_TIMEOUT_S:.0f} s"
            raise _unreadable(what, cause, _WAYS_OUT) from None

    def _from_env(self, what: str) -> SecretStr:
        value = os.environ.get(self._location)
        if not value:
            cause = f"the environment variable {self._location} is not set"
            raise _unreadable(what, cause, "Set it where ccr is started")
        return SecretStr(value)

    def _from_file(self, what: str) -> SecretStr:
        path = Path(self._location).expanduser()
        try:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise _unreadable(what, f"others can read {path}", f"Run: chmod 600 {path}")
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise _unreadable(what, f"{path}: {error.strerror}", _WAYS_OUT) from None
        except UnicodeDecodeError:
            raise _unreadable(what, f"{path} is not UTF-8 text", "Write it again") from None
        if not value:
            raise _unreadable(what, f"{path} is empty", "Write the secret into it")
        return SecretStr(value)

    def _from_keyring(self, what: str) -> SecretStr:
        import keyring  # noqa: PLC0415  (slow to import, and only needed here)
        import keyring.errors  # noqa: PLC0415

        service, _, user = self._location.rpartition("/")
        try:
            value = keyring.get_password(service, user)
        except keyring.errors.KeyringError as error:
            cause = f"the OS keyring cannot be used ({type(error).__name__})"
            raise _unreadable(what, cause, _WAYS_OUT) from None
        if not value:
            cause = f"the OS keyring has no entry {self._location}"
            raise _unreadable(what, cause, f"Run: keyring set {service} {user}")
        return SecretStr(value)


def _checked(text: str, context: FileContext | None) -> str:
    """Return the reference with its file's path resolved; raises ValueError without the value."""
    kind, _, location = text.partition(":")
    if kind not in _KINDS or not location:
        if context and not context.plaintext_secrets:
            raise ValueError(
                f"is plain text, which is refused; write {FORMS}"
                " (or allow it with allow_plaintext_secrets: true)"
            )
    elif kind == "keyring" and not all(location.rpartition("/")[::2]):
        raise ValueError("must name the entry as keyring:SERVICE/USER")
    elif kind == "file":
        return f"file:{resolve(location, context)}"
    return text


def _unreadable(what: str, cause: str, next_step: str) -> ConfigError:
    return ConfigError("reading the secret for", what, cause, next_step)


async def _in_a_thread(read: Callable[[], SecretStr]) -> SecretStr:
    """Run in a daemon thread: a keyring that never answers must not keep ccr from ending."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[SecretStr] = loop.create_future()

    def settle(value: SecretStr | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        elif value is not None:
            answer.set_result(value)

    def run() -> None:
        value, error = None, None
        try:
            value = read()
        except Exception as caught:  # noqa: BLE001  (handed to the one who waits)
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, daemon=True, name="ccr-secret").start()
    return await answer
