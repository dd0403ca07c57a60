"""The TLS context of a cluster, from PEM files or Java's stores, and what our certificate says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from pydantic import SecretStr

from engine.config.cluster_section import TlsConfig
from engine.config.secrets import SecretRef
from engine.errors import ConnectError
from engine.kafka import keystores

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What people want to know of a certificate; `expires_at` is UTC."""

    subject: str
    issuer: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Tls:
    """A context to connect with, and the certificate that it shows, if any."""

    context: ssl.SSLContext
    own: CertificateFacts | None


@dataclass(frozen=True, slots=True)
class _Passwords:
    truststore: str | None
    keystore: str | None
    key: str | None


async def load(cluster: str, tls: TlsConfig, *, what: str = "cluster") -> Tls:
    """Read certificates, keys and passwords anew; `what` it is that is connected to.

    Raises ConfigError for a password that is not to be had, and ConnectError for a file.
    """
    passwords = _Passwords(
        await _value(tls.truststore_password, f"the truststore of {what} {cluster}"),
        await _value(tls.keystore_password, f"the keystore of {what} {cluster}"),
        await _value(tls.key_password, f"the TLS key of {what} {cluster}"),
    )
    return await asyncio.to_thread(_build, f"{what} {cluster}", tls, passwords)


async def _value(secret: SecretRef | None, what: str) -> str | None:
    if secret is None:
        return None
    value: SecretStr = await secret.resolve(what=what)
    return value.get_secret_value()


def facts(certificate: x509.Certificate) -> CertificateFacts:
    """Return what is told of a certificate."""
    return CertificateFacts(
        certificate.subject.rfc4514_string(),
        certificate.issuer.rfc4514_string(),
        certificate.not_valid_after_utc,
    )


def _build(whose: str, tls: TlsConfig, passwords: _Passwords) -> Tls:
    def use(key: str, path: str, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except (OSError, ValueError) as error:
            raise ConnectError(
                "preparing TLS for", whose, f"tls.{key} {path}: {_words(error)}",
                f"Check tls.{key} and its password", retriable=False,
            ) from None  # fmt: skip

    if tls.truststore is not None:
        store = Path(tls.truststore)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        use(
            "truststore",
            tls.truststore,
            lambda: keystores.trust(
                context,
                keystores.trusted_certificates(store.read_bytes(), passwords.truststore),
            ),
        )
    else:
        context = use("ca", tls.ca or "", lambda: ssl.create_default_context(cafile=tls.ca))
    context.check_hostname = tls.verify_hostname
    if tls.keystore is not None:
        path = tls.keystore
        return Tls(context, use("keystore", path, lambda: _show(context, Path(path), passwords)))
    if tls.certificate is not None:
        chain = tls.certificate
        own = use("certificate", chain, lambda: _show_pem(context, tls, Path(chain), passwords.key))
        return Tls(context, own)
    return Tls(context, None)


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"it is damaged, or its password is wrong ({error.reason or error})"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _show(context: ssl.SSLContext, path: Path, passwords: _Passwords) -> CertificateFacts:
    pair = keystores.key_pair(path.read_bytes(), passwords.keystore, passwords.key)
    keystores.show(context, pair)
    return facts(pair.chain[0])


def _show_pem(
    context: ssl.SSLContext, tls: TlsConfig, path: Path, password: str | None
) -> CertificateFacts:
    # Without a password OpenSSL would ask for one on the terminal.
    context.load_cert_chain(path, tls.key, password=password or "")
    return facts(x509.load_pem_x509_certificates(path.read_bytes())[0])
