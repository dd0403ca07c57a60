"""Putting secrets that were found where our configuration says they are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from engine.config import os_keyring
from engine.config.editing.edits import Put
from engine.config.os_keyring import Entry
from engine.errors import ConfigError, RefusedError
from engine.importing.report import FoundSecret

OPERATION = "storing the secret"


async def into_keyring(secrets: Iterable[FoundSecret]) -> None:
    """Put secrets into the keyring; raises KeyringError, RefusedError when one is not kept."""
    for secret in secrets:
        entry = Entry.parse(secret.reference)
        await os_keyring.write(entry, secret.value, operation=OPERATION)
        kept = await os_keyring.read(entry, operation=OPERATION, what=str(entry))
        if kept != secret.value:
            cause = "the keyring took it, but cannot give it back"
            raise RefusedError(OPERATION, str(entry), cause, "Use files instead")


def file_references(secrets: Iterable[FoundSecret], folder: Path) -> list[Put]:
    """Return what is to be said instead of `keyring:` when the secrets are in files."""
    return [Put(secret.path, f"file:{file_of(secret, folder)}") for secret in secrets]


def file_of(secret: FoundSecret, folder: Path) -> Path:
    """Return the file of a secret."""
    service, _, user = secret.reference.removeprefix("keyring:").rpartition("/")
    name = f"{service}-{user}".replace("/", "-")
    return folder.resolve() / name


def into_files(secrets: Iterable[FoundSecret], folder: Path, *, overwrite: bool) -> None:
    """Write each secret into a file of its own that only its owner can read (mode 0600).

    The folder is made. Raises RefusedError when a file with another secret is there, ConfigError
    when one cannot be written.
    """
    secrets = list(secrets)
    for secret in secrets:
        path = file_of(secret, folder)
        if not overwrite and path.exists() and not _holds(path, secret):
            step = "Remove it, or name another folder"
            raise RefusedError(OPERATION, str(path), "another one is there already", step)
    for secret in secrets:
        path = file_of(secret, folder)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(secret.value.get_secret_value())
        except OSError as error:
            cause = error.strerror or str(error)
            raise ConfigError(OPERATION, str(path), cause, "Name another folder") from None


def _holds(path: Path, secret: FoundSecret) -> bool:
    """Whether a file has just this secret: from an attempt before, perhaps."""
    try:
        return path.read_text(encoding="utf-8") == secret.value.get_secret_value()
    except (OSError, UnicodeDecodeError):
        return False
