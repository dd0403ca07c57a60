"""The `clusters` section: how a Kafka cluster is reached."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    StrictBool,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from engine.config.context import FilePath
from engine.config.fields import Model, Seconds, Text
from engine.config.secrets import SecretRef
from engine.config.units import within_seconds


class SecurityProtocol(StrEnum):
    """Kafka's security.protocol."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(StrEnum):
    """Kafka's sasl.mechanism, as far as ccr speaks it."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


class Environment(StrEnum):
    """What a cluster is used for; colours the console's header."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"


def _http_url(url: str | None) -> str | None:
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                "must be an http or https URL, e.g. https://login.example/oauth2/token"
            )
    return url


def _extension(name: str) -> str:
    if not (name.isascii() and name.isalpha()) or name == "auth":
        raise ValueError("must be letters only, and not auth, which is the token (RFC 7628)")
    return name


_Extension = Annotated[
    str,
    AfterValidator(_extension),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]+$"}),
]


class SaslConfig(Model):
    """SASL login."""

    noun: ClassVar[str] = "a sasl section"

    mechanism: SaslMechanism
    """PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."""
    username: Annotated[Text | None, Field(validate_default=True)] = None
    """Name to log in with; not for OAUTHBEARER."""
    password: Annotated[SecretRef | None, Field(validate_default=True)] = None
    """Where the password is: keyring:, credential:, env: or file:; not for OAUTHBEARER."""
    token_endpoint: Annotated[
        str | None, AfterValidator(_http_url), Field(validate_default=True)
    ] = None
    """URL that hands out tokens for client credentials; for OAUTHBEARER only, as what follows."""
    client_id: Annotated[Text | None, Field(validate_default=True)] = None
    """Who asks for the token."""
    client_secret: Annotated[SecretRef | None, Field(validate_default=True)] = None
    """Where its secret is: keyring:, credential:, env: or file:."""
    scope: Text | None = None
    """Scope to ask for; the endpoint's default when left out."""
    extensions: dict[_Extension, Text] = {}  # noqa: RUF012  (pydantic copies it)
    """SASL extensions to send with the token (KIP-342), e.g. logicalCluster: lkc-1."""
    token_ca: FilePath | None = None
    """CA bundle (PEM) for an https token_endpoint; the system's when left out."""

    @field_validator(
        "username", "password", "token_endpoint", "client_id", "client_secret",
        "scope", "extensions", "token_ca",
    )  # fmt: skip
    @classmethod
    def _as_mechanism(cls, value: Any, info: ValidationInfo) -> Any:
        mechanism = info.data.get("mechanism")
        mismatch = None
        if mechanism is not None and info.field_name is not None:
            mismatch = login_key_mismatch(mechanism, info.field_name, given=bool(value))
        if mismatch:
            raise ValueError(mismatch)
        return value


_PASSWORD_KEYS = frozenset({"username", "password"})
_TOKEN_KEYS = frozenset({"token_endpoint", "client_id", "client_secret"})


def login_key_mismatch(mechanism: str, key: str, *, given: bool) -> str | None:
    """Say what is wrong when a key of a sasl section is, or is not, given with a mechanism."""
    by_token = mechanism == SaslMechanism.OAUTHBEARER
    if given and by_token == (key in _PASSWORD_KEYS):
        return f"is of no use with mechanism {mechanism}"
    if not given and key in (_TOKEN_KEYS if by_token else _PASSWORD_KEYS):
        return f"is missing: mechanism {mechanism} needs it"
    return None


class TlsConfig(Model):
    """TLS trust and client certificate: PEM files, or Java's stores (JKS, PKCS12).

    Relative paths start at this file's folder.
    """

    noun: ClassVar[str] = "a tls section"

    ca: FilePath | None = None
    """CA bundle, PEM; the system's when neither this nor truststore is given."""
    truststore: FilePath | None = None
    """CA certificates in a Java store, JKS or PKCS12, whatever its name; instead of ca."""
    truststore_password: SecretRef | None = None
    """Where the truststore's password is; a JKS store without it is not checked for integrity."""
    certificate: FilePath | None = None
    """Client certificate chain, PEM, for brokers that ask for one."""
    key: FilePath | None = None
    """Client key, PEM; when left out it is looked for in the certificate's file."""
    keystore: FilePath | None = None
    """Client certificate and key in a Java store, JKS or PKCS12; instead of certificate."""
    keystore_password: SecretRef | None = None
    """Where the keystore's password is."""
    key_password: SecretRef | None = None
    """Where the key's own password is; a keystore's is the keystore's when left out."""
    verify_hostname: StrictBool = True
    """Check the broker's name against its certificate."""

    @field_validator("truststore", "keystore")
    @classmethod
    def _one_of_two(cls, value: Any, info: ValidationInfo) -> Any:
        other = "ca" if info.field_name == "truststore" else "certificate"
        if value is not None and info.data.get(other) is not None:
            raise ValueError(f"is there beside {other}; give one of the two")
        return value

    @field_validator("key", "truststore_password", "keystore_password", "key_password")
    @classmethod
    def _of_something(cls, value: Any, info: ValidationInfo) -> Any:
        owners = TLS_OWNERS[info.field_name or ""]
        # A key that is not there was given with a problem of its own, which is told already.
        if value is not None and all(info.data.get(owner, "") is None for owner in owners):
            raise ValueError(f"is of no use without a {' or '.join(owners)}")
        return value


TLS_OWNERS = {
    "key": ("certificate",),
    "truststore_password": ("truststore",),
    "keystore_password": ("keystore",),
    "key_password": ("certificate", "keystore"),
}
"""What each of these keys belongs to: without one of them it is of no use."""


def _host_and_port(server: str) -> str:
    if "://" in server:
        raise ValueError("must be host:port, without the scheme before ://")
    host, _, port = server.rpartition(":")
    plain = host and not set(host) & set(" \t/@,")
    if not plain or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ValueError("must be host:port, e.g. kafka-1.example:9092")
    return server


def login_mismatch(protocol: str, *, given: bool) -> str | None:
    """Say what is wrong when a sasl section is, or is not, given with a security_protocol."""
    if protocol.startswith("SASL") and not given:
        return f"is missing: security_protocol {protocol} needs a login"
    if given and not protocol.startswith("SASL"):
        return f"is of no use with security_protocol {protocol}; set SASL_SSL or SASL_PLAINTEXT"
    return None


def trust_mismatch(protocol: str, *, given: bool) -> str | None:
    """Say what is wrong when a tls section is given with a security_protocol without TLS.

    Silence would mean a connection in the clear that its owner believes to be encrypted.
    """
    if given and not protocol.endswith("SSL"):
        return (
            f"is of no use with security_protocol {protocol}, which does not encrypt;"
            " set SSL or SASL_SSL"
        )
    return None


class ClusterConfig(Model):
    """One Kafka cluster."""

    noun: ClassVar[str] = "a cluster"

    bootstrap_servers: Annotated[
        list[Annotated[str, AfterValidator(_host_and_port)]], Field(min_length=1)
    ]
    """host:port of one or more brokers."""
    security_protocol: SecurityProtocol = SecurityProtocol.PLAINTEXT
    """How to connect: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. SSL encrypts, SASL logs in."""
    sasl: Annotated[SaslConfig | None, Field(validate_default=True)] = None
    """Login; needed with SASL_PLAINTEXT and SASL_SSL."""
    tls: TlsConfig = TlsConfig()
    """Trust and client certificate, for SSL and SASL_SSL."""
    connect_timeout: Annotated[Seconds, AfterValidator(within_seconds("500ms", "2m"))] = 10.0
    """How long setting up a connection may take, login included, e.g. 10s."""
    request_timeout: Annotated[Seconds, AfterValidator(within_seconds("3s", "10m"))] = 30.0
    """How long a broker may owe an answer while nothing moves, e.g. 30s."""
    environment: Environment = Environment.DEVELOPMENT
    """What the cluster is used for: production, staging or development. Colours the console's
    header; where production is touched, the console asks before more acts."""
    read_only: StrictBool = False
    """Refuse every act that would change this cluster."""

    @field_validator("sasl")
    @classmethod
    def _login_as_protocol(cls, sasl: SaslConfig | None, info: ValidationInfo) -> SaslConfig | None:
        protocol = info.data.get("security_protocol")
        mismatch = login_mismatch(protocol, given=sasl is not None) if protocol else None
        if mismatch:
            raise ValueError(mismatch)
        return sasl

    @field_validator("tls")
    @classmethod
    def _trust_as_protocol(cls, tls: TlsConfig, info: ValidationInfo) -> TlsConfig:
        protocol = info.data.get("security_protocol")
        mismatch = trust_mismatch(protocol, given=tls != TlsConfig()) if protocol else None
        if mismatch:
            raise ValueError(mismatch)
        return tls
