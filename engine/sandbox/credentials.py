"""What clients of a sandbox's clusters need: a user with a password, a client certificate, the CA.

They are files of the sandbox's folder, which a configuration of ccr can name as they are.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from engine.sandbox.certificates import CA_FILE, CertificateAuthority, write_private
from engine.sandbox.security import Security
from engine.sandbox.state import StateFile

USER = "ccr"
PASSWORD_FILE = f"{USER}.password"
CLIENT_FILE = f"{USER}.pem"


def security_with_user(root: Path, *, tls: bool, sasl: tuple[str, ...]) -> Security:
    """Return what `ccr sandbox up --tls --sasl …` asks for; writes the files that it takes.

    Password and certificate are kept from one time to the next.
    """
    folder = StateFile(root).security
    folder.mkdir(parents=True, exist_ok=True)
    if tls and not (folder / CLIENT_FILE).exists():
        write_private(folder / CLIENT_FILE, CertificateAuthority.open(folder).issue(USER))
    if not sasl:
        return Security(tls=tls)
    if not (folder / PASSWORD_FILE).exists():
        write_private(folder / PASSWORD_FILE, secrets.token_urlsafe(18))
    password = (folder / PASSWORD_FILE).read_text(encoding="utf-8")
    return Security(tls=tls, sasl=sasl, users={USER: password})


def credential_files(root: Path) -> dict[str, Path]:
    """Return the files that are there: `ca`, `certificate` (with its key), `password`."""
    folder = StateFile(root).security
    names = {"ca": CA_FILE, "certificate": CLIENT_FILE, "password": PASSWORD_FILE}
    return {what: folder / name for what, name in names.items() if (folder / name).exists()}
