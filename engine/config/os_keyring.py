"""The keyring of the operating system: entries by service and user, each call with a time limit.

On Linux it is a Secret Service (gnome-keyring, KWallet, KeePassXC) that is asked over D-Bus.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from engine.config.limited import TIME_LIMIT_S, limited
from engine.errors import CcrError, RefusedError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

OTHER_PLACES = "credential:NAME (systemd's LoadCredential=), file:PATH (mode 0600) or env:NAME"
INSTALL = "install a keyring (on a server: gnome-keyring under dbus-run-session)"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a secret is in the keyring."""

    service: str
    user: str

    @classmethod
    def parse(cls, text: str) -> Entry:
        """Read SERVICE/USER, with or without `keyring:`; a service may have slashes, a user not.

        Raises ValueError.
        """
        service, _, user = text.removeprefix("keyring:").rpartition("/")
        if not service or not user:
            raise ValueError("must name the entry as keyring:SERVICE/USER")
        return cls(service, user)

    def __str__(self) -> str:
        return f"{self.service}/{self.user}"


class KeyringError(CcrError):
    """The keyring cannot be used; the message says why and what else there is."""


async def read(entry: Entry, *, operation: str, what: str) -> SecretStr | None:
    """Return an entry's secret, None when there is no such entry; raises KeyringError."""

    def ask() -> SecretStr | None:
        value = _backend().get_password(entry.service, entry.user)
        return SecretStr(value) if value else None

    return await _limited(("read", entry), ask, operation, what)


async def write(entry: Entry, secret: SecretStr, *, operation: str) -> None:
    """Make or replace an entry; raises KeyringError."""

    def ask() -> None:
        _backend().set_password(entry.service, entry.user, secret.get_secret_value())

    await _limited(("write", entry, secret), ask, operation, str(entry))


async def store(entry: Entry, secret: SecretStr, *, operation: str) -> None:
    """Make or replace an entry and read it back: some keyrings take what they do not keep.

    Raises KeyringError and RefusedError.
    """
    await write(entry, secret, operation=operation)
    if await read(entry, operation=operation, what=str(entry)) != secret:
        cause = "it was taken, but cannot be read back"
        raise RefusedError(operation, str(entry), cause, "See `ccr secrets list`")


async def remove(entry: Entry, *, operation: str) -> bool:
    """Remove an entry; return whether it was there. Raises KeyringError."""

    def ask() -> bool:
        backend = _backend()
        if backend.get_password(entry.service, entry.user) is None:
            return False
        backend.delete_password(entry.service, entry.user)
        return True

    return await _limited(("remove", entry), ask, operation, str(entry))


async def backend_name(*, operation: str) -> str | None:
    """Return what the keyring in use calls itself; None when there is none. Raises KeyringError."""

    def ask() -> str | None:
        from keyring.backends.fail import Keyring as NoKeyring  # noqa: PLC0415  (slow to import)

        backend = _backend()
        return None if isinstance(backend, NoKeyring) else str(backend.name)

    return await _limited("backend", ask, operation, "of this user")


async def _limited(key: object, ask: Callable[[], _T], operation: str, what: str) -> _T:
    try:
        return await limited(("keyring", key, what), lambda: _told(ask, operation, what))
    except TimeoutError:
        raise KeyringError(
            operation,
            what,
            f"the keyring did not answer within {TIME_LIMIT_S:.0f} s: it hangs, or waits for"
            " somebody to unlock it",
            f"Unlock or restart it, or use {OTHER_PLACES}",
        ) from None


def _told(ask: Callable[[], _T], operation: str, what: str) -> _T:
    """Ask, and word what goes wrong. What the backend says is left out: it is not ours to vet."""
    from keyring import errors  # noqa: PLC0415  (slow to import, and only needed here)

    try:
        return ask()
    except errors.NoKeyringError:
        cause = "there is no keyring here that ccr could use"
        next_step = f"Use {OTHER_PLACES}, or {INSTALL}"
    except errors.KeyringLocked:
        cause = "the keyring is locked, and nobody unlocked it"
        next_step = f"Unlock it, or use {OTHER_PLACES}"
    except Exception as error:  # noqa: BLE001  (backends raise their libraries' own)
        cause = f"the keyring failed ({type(error).__name__})"
        next_step = f"Is its daemon running? Otherwise use {OTHER_PLACES}"
    raise KeyringError(operation, what, cause, next_step)


def _backend() -> KeyringBackend:
    """Return the backend; look for one again as long as there was none.

    The library keeps what it found first, and a service may start before its keyring does.
    """
    import keyring  # noqa: PLC0415  (as above)
    from keyring import core  # noqa: PLC0415
    from keyring.backend import KeyringBackend, by_priority  # noqa: PLC0415  (as above)
    from keyring.backends.fail import Keyring as NoKeyring  # noqa: PLC0415

    found = keyring.get_keyring()
    if isinstance(found, NoKeyring) and not (core.load_env() or core.load_config()):
        backends = []
        for class_ in KeyringBackend.get_viable_backends():
            with contextlib.suppress(TypeError):  # one that needs arguments
                backends.append(class_())
        best = max(backends, key=by_priority, default=found)
        if by_priority(best) > 0:
            keyring.set_keyring(best)
    return keyring.get_keyring()
