"""Two clusters that ask for everything: TLS, logins, ACLs; and what clients need to come in."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import BasicAuth, web
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from engine.config.cluster_section import ClusterConfig
from engine.kafka.cluster import Cluster
from engine.sandbox import ClusterSpec, Listener, Sandbox, Security
from engine.sandbox.certificates import write_private

STORE_PASSWORD = "store-password"
USERS = {
    "ccr": "ccr-password",
    "limited": "limited-password",
    "stranger": "stranger-password",
    "fault": "fault-password",
    "nobody": "nobody-password",  # whom no test ever grants anything
}
SUPER_USERS = ("ANONYMOUS", "ccr", "fault")
CLIENT_SECRET = "a secret/with=signs"
REAUTH_MS = 6_000  # of OAUTHBEARER: short, so that a test sees sessions end


class Issuer:
    """Signs tokens with a key whose public half the brokers have."""

    def __init__(self, folder: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.jwks = folder / "jwks.json"
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA", "kid": "test", "use": "sig", "alg": "RS256",
            "n": _base64url(numbers.n.to_bytes(256, "big")),
            "e": _base64url(numbers.e.to_bytes(3, "big")),
        }  # fmt: skip
        self.jwks.write_text(json.dumps({"keys": [key]}))

    def token(self, subject: str, lifetime_s: float, audience: str = "kafka") -> str:
        """Sign a token."""
        now = time.time()
        header = {"alg": "RS256", "typ": "JWT", "kid": "test"}
        claims = {
            "iss": "test", "sub": subject, "aud": audience, "scope": "kafka",
            "iat": int(now) - 1, "exp": int(now + lifetime_s),
        }  # fmt: skip
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64url(signature)}"


@dataclass
class TokenEndpoint:
    """A local endpoint that hands out tokens for client credentials."""

    issuer: Issuer
    url: str = ""
    lifetime_s: float = 60.0
    audience: str = "kafka"
    issued: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Check the credentials as RFC 6749 says, and sign a token."""
        form = dict(await request.post())
        self.asked.append({key: str(value) for key, value in form.items()})
        login = BasicAuth.decode(request.headers["authorization"], encoding="utf-8")
        if (login.login, login.password) != ("ccr", "a%20secret%2Fwith%3Dsigns"):
            return web.json_response({"error": "invalid_client"}, status=401)
        self.issued += 1
        token = self.issuer.token(login.login, self.lifetime_s, self.audience)
        return web.json_response({"access_token": token, "expires_in": self.lifetime_s})


@asynccontextmanager
async def token_endpoint(issuer: Issuer) -> AsyncIterator[TokenEndpoint]:
    """Serve tokens."""
    made = TokenEndpoint(issuer)
    app = web.Application()
    app.router.add_post("/token", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    try:
        yield made
    finally:
        await runner.cleanup()


@dataclass(frozen=True)
class Secured:
    """The two clusters `east` and `west`, and files for their clients."""

    sandbox: Sandbox
    folder: Path
    issuer: Issuer

    def bootstrap(self, cluster: str, listener: Listener = Listener.PLAINTEXT) -> list[str]:
        """Return a cluster's addresses on a listener."""
        return self.sandbox.bootstrap(cluster, listener).split(",")

    def section(self, cluster: str, listener: Listener, **settings: Any) -> dict[str, Any]:
        """Return a cluster's section of the configuration."""
        return {
            "bootstrap_servers": self.bootstrap(cluster, listener),
            "security_protocol": listener.protocol,
            **settings,
        }

    @property
    def ca(self) -> str:
        """The CA's file."""
        return str(self.sandbox.authority.file)

    def secret(self, value: str) -> str:
        """Return a reference to a file with that secret."""
        path = self.folder / f"{abs(hash(value))}.secret"
        write_private(path, value)
        return f"file:{path}"

    def login(self, user: str, mechanism: str) -> dict[str, str]:
        """Return the sasl section of a user."""
        password = self.secret(USERS[user])
        return {"mechanism": mechanism, "username": user, "password": password}

    def client_certificate(self, name: str, **settings: Any) -> str:
        """Issue a client certificate; return its file, with the key in it."""
        path = self.folder / f"{name}.pem"
        write_private(path, self.sandbox.authority.issue(name, **settings))
        return str(path)

    def pkcs12(self, pem: str) -> str:
        """Put a key and its certificate into a PKCS12 store."""
        data = Path(pem).read_bytes()
        key = serialization.load_pem_private_key(data, None)
        certificate = x509.load_pem_x509_certificate(data)
        path = Path(pem).with_suffix(".store")  # its type is not to be told by its name
        encryption = serialization.BestAvailableEncryption(STORE_PASSWORD.encode())
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(b"client", key, certificate, None, encryption)  # type: ignore[arg-type]
        )
        return str(path)

    def jks(self, store: str) -> str:
        """Let Java's keytool make a JKS store of a PKCS12 store."""
        path = f"{store}.second"
        self._keytool(
            "-importkeystore", "-srckeystore", store, "-srcstoretype", "PKCS12",
            "-srcstorepass", STORE_PASSWORD, "-destkeystore", path, "-deststoretype", "JKS",
            "-deststorepass", STORE_PASSWORD,
        )  # fmt: skip
        return path

    def truststore(self, kind: str) -> str:
        """Let Java's keytool make a truststore of the CA."""
        path = self.folder / f"trust-{kind.lower()}.store"
        if path.exists():
            return str(path)
        self._keytool(
            "-importcert", "-noprompt", "-alias", "ca", "-file", self.ca,
            "-keystore", str(path), "-storetype", kind, "-storepass", STORE_PASSWORD,
        )  # fmt: skip
        return str(path)

    def _keytool(self, *arguments: str) -> None:
        tool = [str(self.sandbox.java.java), "-m", "java.base/sun.security.tools.keytool.Main"]
        subprocess.run([*tool, *arguments], check=True, capture_output=True)


_TOPIC, _GROUP, _CLUSTER = 2, 3, 4  # ResourceType
_LITERAL, _PREFIXED, _ALLOW = 3, 4, 3  # PatternType, AclPermissionType
OPERATIONS = {
    "READ": 3, "WRITE": 4, "CREATE": 5, "ALTER": 7, "DESCRIBE": 8, "DESCRIBE_CONFIGS": 10,
    "ALTER_CONFIGS": 11,
}  # fmt: skip


@dataclass(frozen=True)
class Acls:
    """What one user may do on one cluster."""

    secured: Secured
    cluster: str
    user: str

    async def allow(self, topic: str, *operations: str, prefixed: bool = False) -> None:
        """Add ACLs."""
        await self._each(CreateAclsRequest, topic, operations, prefixed=prefixed)

    async def allow_group(self, group: str, operation: str) -> None:
        """Add one for a group."""
        await self._each(CreateAclsRequest, group, (operation,), prefixed=False, resource=_GROUP)

    async def remove(self, topic: str, *operations: str, prefixed: bool = False) -> None:
        """Remove ACLs."""
        await self._each(DeleteAclsRequest, topic, operations, prefixed=prefixed)

    async def remove_on_cluster(self, operation: str) -> None:
        """Remove one on the cluster itself, which all topics of the run share."""
        await self._each(
            DeleteAclsRequest, "kafka-cluster", (operation,), prefixed=False, resource=_CLUSTER
        )

    async def _each(
        self,
        request: Any,
        name: str,
        operations: tuple[str, ...],
        *,
        prefixed: bool,
        resource: int = _TOPIC,
    ) -> None:
        pattern = _PREFIXED if prefixed else _LITERAL
        section = self.secured.section(self.cluster, Listener.PLAINTEXT)
        cluster = Cluster(self.cluster, ClusterConfig.model_validate(section))
        for operation in operations:
            code = OPERATIONS[operation]
            answer = await cluster.request(
                request(resource, name, pattern, f"User:{self.user}", "*", code, _ALLOW)
            )
            assert [each[0] for each in getattr(answer, answer.SCHEMA.names[1])] == [0]
        await cluster.close()


def secured_sandbox(folder: Path) -> Secured:
    """Plan the clusters; they are started by whoever calls."""
    issuer = Issuer(folder)
    security = Security(
        tls=True,
        sasl=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"),
        users=USERS,
        jwks_url=issuer.jwks.as_uri(),
        authorizer=True,
    )
    properties = {
        "super.users": ";".join(f"User:{name}" for name in SUPER_USERS),
        "listener.name.sasl.oauthbearer.connections.max.reauth.ms": str(REAUTH_MS),
        "listener.name.sasl.scram-sha-256.connections.max.reauth.ms": "4000",
    }
    spec = ClusterSpec(security=security, properties=properties)
    sandbox = Sandbox(folder / "sandbox", {"east": spec, "west": spec}, ephemeral=True)
    return Secured(sandbox, folder, issuer)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
