"""Looking for secrets: as text, and in the encodings that they travel or are written in."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

# SCRAM's messages (RFC 5802), which no log has any business with: enough to guess at the password.
SCRAM = (b"c=biws,r=", b"n,,n=", base64.b64encode(b"c=biws,r=")[:-4])


@dataclass(frozen=True)
class Login:
    """A secret, and who logs in with it."""

    user: str
    secret: str


def forms(login: Login) -> Iterator[tuple[str, bytes]]:
    """Yield what a secret may look like."""
    secret, plain = login.secret.encode(), f"\0{login.user}\0{login.secret}".encode()
    yield "text", secret
    yield "JSON", json.dumps(login.secret)[1:-1].encode()
    yield "HTML", html.escape(login.secret).replace(" ", "&#160;").encode()
    yield "URL", quote(login.secret, safe="").encode()
    yield "hex", secret.hex().encode()
    yield "backwards", secret[::-1]
    for skipped in range(3):
        # Wherever it stands in what is encoded; without the characters that its neighbours decide.
        encoded = base64.b64encode(b"\0" * skipped + secret)
        yield "base64", encoded[-(-8 * skipped // 6) : len(encoded) - 4].rstrip(b"=")
    yield "PLAIN", plain
    yield "PLAIN in base64", base64.b64encode(plain).rstrip(b"=")[:-1]
    yield "UTF-16", login.secret.encode("utf-16-le")


def leaks(artefacts: Mapping[str, bytes], logins: list[Login]) -> list[str]:
    """Return where a secret is, and in which form; never the secret itself."""
    wanted = [
        (f"the secret of {login.user} ({number})", form, pattern)
        for number, login in enumerate(logins)
        for form, pattern in forms(login)
    ]
    wanted += [("a login", "SCRAM", pattern) for pattern in SCRAM]
    return sorted(
        {
            f"{name}: {whose} as {form}"
            for name, content in artefacts.items()
            for whose, form, pattern in wanted
            if pattern in content
        }
    )


def files_below(folder: Path) -> dict[str, bytes]:
    """Read every regular file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
