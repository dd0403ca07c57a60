"""How ccr comes in at a worker: basic and bearer logins, TLS with a client certificate."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from engine.config.cluster_section import TlsConfig
from engine.config.connect_section import ConnectAuth, ConnectConfig
from engine.config.secrets import SecretRef
from engine.connect.client import ConnectClient
from engine.errors import CcrError, ConfigError, ConnectError
from engine.sandbox.certificates import CertificateAuthority

SECRET = "hunter2-login"
BASIC = f"Basic {base64.b64encode(f'ops:{SECRET}'.encode()).decode()}"


@asynccontextmanager
async def worker(context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve a worker's first page; yields its port's URL and the logins that it was shown."""
    logins: list[str] = []

    async def root(request: web.Request) -> web.Response:
        logins.append(request.headers.get("authorization", ""))
        if SECRET not in logins[-1] and logins[-1] != BASIC:
            return web.json_response({"error_code": 401, "message": "who?"}, status=401)
        return web.json_response({"version": "4.2.0"})

    app = web.Application()
    app.router.add_get("/", root)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"{'https' if context else 'http'}://localhost:{port}", logins
    finally:
        await runner.cleanup()


async def version(section: ConnectConfig) -> str:
    client = ConnectClient("east", section)
    try:
        return (await client.worker()).version
    finally:
        await client.close()


@pytest.fixture
def password(tmp_path: Path) -> SecretRef:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    return SecretRef(f"file:{file}")


async def test_basic_and_bearer(password: SecretRef) -> None:
    async with worker() as (url, logins):
        basic = ConnectConfig(urls=[url], auth=ConnectAuth(username="ops", password=password))
        assert await version(basic) == "4.2.0"
        bearer = ConnectConfig(urls=[url], auth=ConnectAuth(token=password))
        assert await version(bearer) == "4.2.0"
        assert logins == [BASIC, f"Bearer {SECRET}"]
        assert SECRET not in f"{basic!r}{bearer!r}"


async def test_a_login_that_is_refused_or_missing(password: SecretRef, tmp_path: Path) -> None:
    async with worker() as (url, _):
        with pytest.raises(ConnectError, match=r"refuses the login \(HTTP 401\)") as refused:
            await version(ConnectConfig(urls=[url]))
        assert not refused.value.retriable
        away = ConnectAuth(username="ops", password=SecretRef(f"file:{tmp_path / 'none'}"))
        with pytest.raises(ConfigError, match="the password of Kafka Connect east"):
            await version(ConnectConfig(urls=[url], auth=away))


async def test_tls_with_a_client_certificate(password: SecretRef, tmp_path: Path) -> None:
    authority = CertificateAuthority.open(tmp_path / "ca")
    server, own = tmp_path / "server.pem", tmp_path / "own.pem"
    server.write_text(authority.issue("worker", hosts=["localhost"]))
    own.write_text(authority.issue("ccr"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.file))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(server)
    auth = ConnectAuth(token=password)
    ca = str(authority.file)
    async with worker(context) as (url, logins):
        whole = ConnectConfig(urls=[url], auth=auth, tls=TlsConfig(ca=ca, certificate=str(own)))
        assert await version(whole) == "4.2.0"
        told: list[str] = []
        for tls in (TlsConfig(certificate=str(own)), TlsConfig(ca=ca)):
            with pytest.raises(CcrError) as refused:
                await version(ConnectConfig(urls=[url], auth=auth, tls=tls))
            told.append(str(refused.value))
        assert "TLS: self-signed certificate in certificate chain" in told[0]
        assert "no worker of east answers" in told[1]
        # the name in the URL has to be the certificate's, unless that is not to be checked
        address = url.replace("localhost", "127.0.0.1")
        with pytest.raises(ConnectError, match=r"TLS: .*127"):
            await version(whole.model_copy(update={"urls": [address]}))
        lax = TlsConfig(ca=ca, certificate=str(own), verify_hostname=False)
        assert await version(ConnectConfig(urls=[address], auth=auth, tls=lax)) == "4.2.0"
        assert len(logins) == 2, "a worker that is not trusted gets no login"
    missing = TlsConfig(ca=str(tmp_path / "none.pem"))
    with pytest.raises(ConnectError, match=r"preparing TLS for Kafka Connect east: tls\.ca"):
        await version(ConnectConfig(urls=["https://localhost:1"], tls=missing))
