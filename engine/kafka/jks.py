"""Java's own keystore format, JKS, read in memory.

The one Python library for it (pyjks) has had no release since 2020, and needs a C compiler for a
cipher that JKS does not use; the format is small and frozen. It is described by the JDK's
`sun/security/provider/JavaKeyStore.java` and `KeyProtector.java`: a magic number, entries, and a
SHA-1 over password and content; keys are XORed with a stream of SHA-1 (which protects them as well
as SHA-1 and the password do, no better).
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, field

MAGIC = b"\xfe\xed\xfe\xed"
_PRIVATE_KEY, _TRUSTED_CERTIFICATE = 1, 2
_DIGEST_BYTES = 20
_WHITENER = b"Mighty Aphrodite"
_KEY_PROTECTOR = bytes.fromhex("060a2b060104012a02110101")  # OID 1.3.6.1.4.1.42.2.17.1.1, DER
_OCTET_STRING, _SEQUENCE = 0x04, 0x30


class JksError(ValueError):
    """The store cannot be read; the message says why."""


class WrongPasswordError(JksError):
    """The store, or a key in it, was written with another password (or was changed)."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key entry: the protected key (DER) and its chain, its own certificate first (DER)."""

    alias: str
    protected: bytes = field(repr=False)
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """What a store holds; certificates are DER."""

    trusted: tuple[bytes, ...]
    keys: tuple[PrivateKey, ...]


def load(data: bytes, password: str | None) -> Store:
    """Take a store apart; without a password its integrity is not checked. Raises JksError."""
    content, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if password is not None:
        expected = hashlib.sha1(_utf16(password) + _WHITENER + content).digest()  # noqa: S324
        if not hmac.compare_digest(expected, digest):
            raise WrongPasswordError("the password is wrong, or the store was changed")
    try:
        return _entries(_Reader(content))
    except (struct.error, UnicodeDecodeError) as error:
        raise JksError(f"the store is damaged ({error})") from None


def unprotect(protected: bytes, password: str) -> bytes:
    """Return a private key in PKCS8 (DER). Raises JksError."""
    algorithm, encrypted = _encrypted_key_info(protected)
    if not algorithm.startswith(_KEY_PROTECTOR):
        raise JksError("its key is protected in a way that JKS does not have")
    salt = encrypted[:_DIGEST_BYTES]
    body, check = encrypted[_DIGEST_BYTES:-_DIGEST_BYTES], encrypted[-_DIGEST_BYTES:]
    secret, stream, digest = _utf16(password), bytearray(), salt
    while len(stream) < len(body):
        digest = hashlib.sha1(secret + digest).digest()  # noqa: S324  (the format's)
        stream += digest
    key = bytes(one ^ other for one, other in zip(body, stream, strict=False))
    if not hmac.compare_digest(hashlib.sha1(secret + key).digest(), check):  # noqa: S324
        raise WrongPasswordError("the key has another password")
    return key


class _Reader:
    """Reads Java's DataOutput, front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str) -> int:
        value: int = struct.unpack_from(form, self._data, self._at)[0]
        self._at += struct.calcsize(form)
        return value

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise struct.error("it is cut off")
        self._at += count
        return self._data[self._at - count : self._at]

    def text(self) -> str:
        return self.take(self.number(">H")).decode("utf-8", "surrogatepass")


def _entries(reader: _Reader) -> Store:
    if reader.take(4) != MAGIC:
        raise JksError("it is no JKS store")
    version = reader.number(">I")
    if version not in (1, 2):
        raise JksError(f"its version is {version}, not 1 or 2")
    trusted: list[bytes] = []
    keys: list[PrivateKey] = []
    for _ in range(reader.number(">I")):
        kind, alias = reader.number(">I"), reader.text()
        reader.number(">Q")  # when it was made
        if kind == _TRUSTED_CERTIFICATE:
            trusted.append(_certificate(reader, version))
        elif kind == _PRIVATE_KEY:
            protected = reader.take(reader.number(">I"))
            count = reader.number(">I")
            chain = tuple(_certificate(reader, version) for _ in range(count))
            keys.append(PrivateKey(alias, protected, chain))
        else:
            raise JksError(f"it has an entry of kind {kind}, which JKS does not have")
    return Store(tuple(trusted), tuple(keys))


def _certificate(reader: _Reader, version: int) -> bytes:
    kind = reader.text() if version > 1 else "X.509"
    if kind != "X.509":
        raise JksError("it has a certificate that is not X.509")
    return reader.take(reader.number(">I"))


def _encrypted_key_info(der: bytes) -> tuple[bytes, bytes]:
    """Return the algorithm's and the encrypted key's content of an EncryptedPrivateKeyInfo."""
    _, inner, _ = _tlv(der, _SEQUENCE)
    _, algorithm, rest = _tlv(inner, _SEQUENCE)
    _, encrypted, _ = _tlv(rest, _OCTET_STRING)
    return algorithm, encrypted


def _tlv(der: bytes, tag: int) -> tuple[int, bytes, bytes]:
    """Split off one DER value with that tag: (tag, content, what follows)."""
    if len(der) < 2 or der[0] != tag:
        raise JksError("its key is damaged")
    length, at = der[1], 2
    if length & 0x80:
        at = 2 + (length & 0x7F)
        length = int.from_bytes(der[2:at], "big")
    if at + length > len(der):
        raise JksError("its key is cut off")
    return tag, der[at : at + length], der[at + length :]


def _utf16(password: str) -> bytes:
    return password.encode("utf-16-be")
