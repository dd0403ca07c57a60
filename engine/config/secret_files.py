"""Secrets in files that nobody else may read: the user's own, and those that systemd hands over.

systemd puts a unit's credentials (LoadCredential=, SetCredentialEncrypted=; systemd.exec(5)) into a
folder that $CREDENTIALS_DIRECTORY names, for that unit's user alone.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pydantic import SecretStr

from engine.errors import ConfigError

MAX_BYTES = 64 * 1024
_VARIABLE = "CREDENTIALS_DIRECTORY"


def read(path: Path, *, operation: str, what: str, missing: str) -> SecretStr:
    """Read a file without the line end at its end; raises ConfigError, `missing` as next step."""

    def refusal(cause: str, next_step: str) -> ConfigError:
        return ConfigError(operation, what, cause, next_step)

    try:
        with path.open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & _others(path):
                raise refusal(f"others can read {path}", f"Run: chmod 600 {path}")
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise refusal(f"{path}: {error.strerror}", missing) from None
    if len(content) > MAX_BYTES:
        raise refusal(f"{path} is larger than 64 KiB, which no secret is", "Name another file")
    try:
        value = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise refusal(f"{path} is not UTF-8 text", "Write it again") from None
    if not value:
        raise refusal(f"{path} is empty", "Write the secret into it")
    return SecretStr(value)


def credential(name: str, *, operation: str, what: str) -> SecretStr:
    """Read one of systemd's credentials; raises ConfigError."""
    load = f"Add to the unit: LoadCredential={name}:PATH (or LoadCredentialEncrypted=)"
    folder = os.environ.get(_VARIABLE)
    if not folder:
        cause = f"systemd handed no credentials to this process (no ${_VARIABLE})"
        raise ConfigError(operation, what, cause, f"{load}, and run ccr as that unit")
    return read(Path(folder, name), operation=operation, what=what, missing=load)


def _others(path: Path) -> int:
    """Return the permission bits that must not be set.

    systemd lets the unit's user in by an ACL, whose mask shows as the group's bits.
    """
    folder = os.environ.get(_VARIABLE)
    by_systemd = folder and Path(os.path.abspath(path)).is_relative_to(folder)  # noqa: PTH100
    return stat.S_IRWXO if by_systemd else stat.S_IRWXG | stat.S_IRWXO
