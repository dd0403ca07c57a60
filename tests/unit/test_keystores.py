"""Java's stores, written by Java's own keytool, as TLS takes them here."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from engine.kafka import jks, keystores
from engine.kafka.keystores import StoreError
from engine.sandbox.certificates import CertificateAuthority
from engine.sandbox.java import find_java

KEY_PASSWORD = "key-password"
Keytool = Callable[..., None]


@pytest.fixture(scope="module")
def keytool() -> Keytool:
    java, _ = asyncio.run(find_java())

    def run(*arguments: str) -> None:
        tool = [
            str(java),
            "-Dfile.encoding=UTF-8",
            "-m",
            "java.base/sun.security.tools.keytool.Main",
        ]
        done = subprocess.run([*tool, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="module")
def authority(folder: Path) -> CertificateAuthority:
    return CertificateAuthority.open(folder / "ca")


@pytest.fixture(scope="module", params=["JKS", "PKCS12"])
def truststore(
    request: pytest.FixtureRequest, folder: Path, authority: CertificateAuthority, keytool: Keytool
) -> bytes:
    path = folder / f"trust.{request.param}"
    keytool(
        "-importcert", "-noprompt", "-alias", "ca", "-file", str(authority.file),
        "-keystore", str(path), "-storetype", request.param, "-storepass", "store-password",
    )  # fmt: skip
    return path.read_bytes()


@pytest.fixture(scope="module", params=["JKS", "PKCS12"])
def keystore(request: pytest.FixtureRequest, folder: Path, keytool: Keytool) -> bytes:
    """A store with an RSA key of its own making, the key in the JKS with a password of its own."""
    path = folder / f"keys.{request.param}"
    own = KEY_PASSWORD if request.param == "JKS" else "store-password"
    keytool(
        "-genkeypair", "-alias", "client", "-keyalg", "RSA", "-keysize", "2048",
        "-dname", "CN=client,O=Example", "-validity", "3650", "-keypass", own,
        "-keystore", str(path), "-storetype", request.param, "-storepass", "store-password",
    )  # fmt: skip
    return path.read_bytes()


def test_a_truststore(truststore: bytes, authority: CertificateAuthority) -> None:
    expected = x509.load_pem_x509_certificate(authority.file.read_bytes())
    assert keystores.trusted_certificates(truststore, "store-password") == [expected]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    keystores.trust(context, [expected])
    assert context.cert_store_stats()["x509_ca"] == 1
    with pytest.raises(StoreError, match="the password is wrong"):
        keystores.trusted_certificates(truststore, "another")
    with pytest.raises(StoreError, match="private key"):
        keystores.key_pair(truststore, "store-password", None)


def test_a_jks_truststore_needs_no_password_to_be_read(
    truststore: bytes, authority: CertificateAuthority
) -> None:
    if not truststore.startswith(jks.MAGIC):
        with pytest.raises(StoreError, match="the password is wrong"):
            keystores.trusted_certificates(truststore, None)
        return
    assert len(keystores.trusted_certificates(truststore, None)) == 1


def test_a_keystore(keystore: bytes, folder: Path) -> None:
    own = KEY_PASSWORD if keystore.startswith(jks.MAGIC) else None
    pair = keystores.key_pair(keystore, "store-password", own)
    assert pair.chain[0].subject.rfc4514_string() == "CN=client,O=Example"
    assert pair.key.public_key() == pair.chain[0].public_key()
    # What OpenSSL takes is checked against the certificate by OpenSSL itself.
    keystores.show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pair)
    with pytest.raises(StoreError, match="password"):
        keystores.key_pair(keystore, "another", own)
    if own:
        with pytest.raises(StoreError, match="the key has another password"):
            keystores.key_pair(keystore, "store-password", "another")
        with pytest.raises(StoreError, match="the key has another password"):
            keystores.key_pair(keystore, "store-password", None)
    with pytest.raises(StoreError, match="no trusted certificate"):
        keystores.trusted_certificates(keystore, "store-password")


def test_a_key_on_disk_is_encrypted_and_gone_at_once(
    keystore: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = KEY_PASSWORD if keystore.startswith(jks.MAGIC) else None
    pair = keystores.key_pair(keystore, "store-password", own)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[tuple[bytes, int]] = []

    class Context(ssl.SSLContext):
        def load_cert_chain(self, certfile, keyfile=None, password=None):  # type: ignore[no-untyped-def]
            path = Path(certfile)
            seen.append((path.read_bytes(), path.stat().st_mode & 0o777))
            super().load_cert_chain(certfile, keyfile, password)

    keystores.show(Context(ssl.PROTOCOL_TLS_CLIENT), pair)
    ((content, mode),) = seen
    assert content.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert b"-----BEGIN PRIVATE KEY-----" not in content
    assert mode == 0o600
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_store(authority: CertificateAuthority) -> None:
    for data, told in (
        (authority.file.read_bytes(), "it is PEM: name it under tls.ca"),
        (b"\xce\xce\xce\xce" + bytes(40), "it is JCEKS: convert it with keytool"),
        (b"hello", "it is neither JKS nor PKCS12"),
        (b"", "it is neither JKS nor PKCS12"),
    ):
        with pytest.raises(StoreError, match=told):
            keystores.trusted_certificates(data, "x")


def test_two_keys_are_one_too_many(folder: Path, keytool: Keytool) -> None:
    path = folder / "two.jks"
    for alias in ("one", "two"):
        keytool(
            "-genkeypair", "-alias", alias, "-keyalg", "EC", "-groupname", "secp256r1",
            "-dname", f"CN={alias}", "-keystore", str(path), "-storetype", "JKS",
            "-storepass", "store-password", "-keypass", "store-password",
        )  # fmt: skip
    with pytest.raises(StoreError, match="it holds 2 private keys, not one"):
        keystores.key_pair(path.read_bytes(), "store-password", None)


@given(data=st.data())
def test_a_damaged_jks_is_told_and_nothing_else(keystore_jks: bytes, data: st.DataObject) -> None:
    """Cut off or altered anywhere: a StoreError (or nothing that matters), never a crash."""
    cut = data.draw(st.integers(4, len(keystore_jks)))
    broken = bytearray(keystore_jks[:cut])
    for _ in range(data.draw(st.integers(0, 3))):
        broken[data.draw(st.integers(4, max(4, cut - 1))) % cut] ^= data.draw(st.integers(1, 255))
    changed = bytes(broken) != keystore_jks
    if changed:
        with pytest.raises(StoreError):
            keystores.key_pair(bytes(broken), "store-password", KEY_PASSWORD)
    with contextlib.suppress(jks.JksError):  # without the password nobody checks the whole
        jks.load(bytes(broken), None)


@pytest.fixture(scope="module")
def keystore_jks(folder: Path, keytool: Keytool) -> bytes:
    path = folder / "fuzzed.jks"
    keytool(
        "-genkeypair", "-alias", "client", "-keyalg", "EC", "-groupname", "secp256r1",
        "-dname", "CN=client", "-keypass", KEY_PASSWORD,
        "-keystore", str(path), "-storetype", "JKS", "-storepass", "store-password",
    )  # fmt: skip
    return path.read_bytes()


def test_an_unprotected_key_is_the_key(keystore_jks: bytes) -> None:
    (entry,) = jks.load(keystore_jks, "store-password").keys
    key = serialization.load_der_private_key(jks.unprotect(entry.protected, KEY_PASSWORD), None)
    assert key.public_key() == x509.load_der_x509_certificate(entry.chain[0]).public_key()
    assert "protected" not in repr(entry)
