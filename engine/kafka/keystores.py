"""Java's trust and key stores, JKS and PKCS12, as Python's TLS takes them. Type by content.

Everything stays in memory but for one thing: `SSLContext.load_cert_chain` takes a file only. The
key is put into it encrypted with a random password that exists in memory alone, and the file (mode
0600) is gone as soon as it was read.
"""

from __future__ import annotations

import secrets
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from engine.kafka import jks

_PEM = b"-----BEGIN "
_JCEKS = b"\xce\xce\xce\xce"
_SEQUENCE = b"\x30"  # DER, as every PKCS12 begins


class StoreError(ValueError):
    """A store cannot be used; the message says why and never holds a secret."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A client's private key and its chain, its own certificate first."""

    key: PrivateKeyTypes = field(repr=False)
    chain: tuple[x509.Certificate, ...]


def trusted_certificates(data: bytes, password: str | None) -> list[x509.Certificate]:
    """Return a truststore's certificates. Raises StoreError, also when it has none."""
    if _is_jks(data):
        try:
            found = [_certificate(der) for der in jks.load(data, password).trusted]
        except jks.JksError as error:
            raise StoreError(str(error)) from None
    else:
        found = [entry.certificate for entry in _load_pkcs12(data, password).additional_certs]
    if not found:
        raise StoreError("it holds no trusted certificate")
    return found


def key_pair(data: bytes, password: str | None, key_password: str | None) -> KeyPair:
    """Return a keystore's one private key with its chain. Raises StoreError."""
    if _is_jks(data):
        return _key_of_jks(data, password, key_password or password)
    store = _load_pkcs12(data, password)
    if store.key is None or store.cert is None:
        raise StoreError("it holds no private key with a certificate")
    others = [entry.certificate for entry in store.additional_certs]
    return KeyPair(store.key, (store.cert.certificate, *others))


def trust(context: ssl.SSLContext, certificates: Iterable[x509.Certificate]) -> None:
    """Let a context trust these certificates."""
    pems = (each.public_bytes(serialization.Encoding.PEM) for each in certificates)
    context.load_verify_locations(cadata=b"".join(pems).decode("ascii"))


def show(context: ssl.SSLContext, pair: KeyPair) -> None:
    """Let a context show this client certificate."""
    password = secrets.token_urlsafe(32)
    key = pair.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()),
    )
    chain = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in pair.chain)
    with tempfile.NamedTemporaryFile(prefix="ccr-") as file:  # made with mode 0600
        file.write(key + chain)
        file.flush()
        context.load_cert_chain(file.name, password=password)


def _is_jks(data: bytes) -> bool:
    if data.startswith(_PEM):
        raise StoreError("it is PEM: name it under tls.ca (or tls.certificate)")
    if data.startswith(_JCEKS):
        raise StoreError("it is JCEKS: convert it with keytool -importkeystore")
    is_jks = data.startswith(jks.MAGIC)
    if not is_jks and not data.startswith(_SEQUENCE):
        raise StoreError("it is neither JKS nor PKCS12")
    return is_jks


def _load_pkcs12(data: bytes, password: str | None) -> pkcs12.PKCS12KeyAndCertificates:
    try:
        return pkcs12.load_pkcs12(data, None if password is None else password.encode())
    except ValueError as error:
        raise StoreError(f"the password is wrong, or the store is damaged ({error})") from None


def _key_of_jks(data: bytes, password: str | None, key_password: str | None) -> KeyPair:
    try:
        keys = jks.load(data, password).keys
        if len(keys) != 1:
            raise StoreError(f"it holds {len(keys)} private keys, not one")
        if key_password is None:
            raise StoreError("its key needs a password")
        der = jks.unprotect(keys[0].protected, key_password)
        key = serialization.load_der_private_key(der, None)
    except jks.JksError as error:
        raise StoreError(str(error)) from None
    except ValueError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"its key cannot be used ({error})") from None
    return KeyPair(key, tuple(_certificate(der) for der in keys[0].chain))


def _certificate(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise StoreError(f"a certificate in it is damaged ({error})") from None
