"""TLS, logins and access control of a sandbox's cluster: further listeners on every broker.

The PLAINTEXT listener stays, for the sandbox itself and for tests that look on; whoever comes
without a name (User:ANONYMOUS) may do everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.errors import SandboxError
from engine.sandbox.certificates import CA_FILE, CertificateAuthority, write_private
from engine.sandbox.ports import HOST

TLS_FILE = "tls.pem"
HOSTS = (HOST, "localhost")
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
MECHANISMS = ("PLAIN", *SCRAM, "OAUTHBEARER")
_MODULES = {
    "PLAIN": "plain.PlainLoginModule",
    "SCRAM-SHA-256": "scram.ScramLoginModule",
    "SCRAM-SHA-512": "scram.ScramLoginModule",
    "OAUTHBEARER": "oauthbearer.OAuthBearerLoginModule",
}
_PACKAGE = "org.apache.kafka.common.security"
_SPECIAL = set("\"\\;,[]'\n")


class Listener(StrEnum):
    """The listeners that a broker may have."""

    PLAINTEXT = "PLAINTEXT"
    TLS = "TLS"  # a client certificate is asked for, and may be missing
    MTLS = "MTLS"  # a client certificate is required
    SASL = "SASL"
    SASL_TLS = "SASL_TLS"
    PROXIED = "PROXIED"  # tells clients to come by a proxy (ClusterSpec.proxies)

    @property
    def protocol(self) -> str:
        """Kafka's security.protocol of the listener."""
        return _PROTOCOLS[self]


_PROTOCOLS = {
    Listener.PLAINTEXT: "PLAINTEXT",
    Listener.TLS: "SSL",
    Listener.MTLS: "SSL",
    Listener.SASL: "SASL_PLAINTEXT",
    Listener.SASL_TLS: "SASL_SSL",
    Listener.PROXIED: "PLAINTEXT",
}


@dataclass(frozen=True, slots=True)
class Security:
    """What a cluster asks of its clients. The principal of a certificate is its common name.

    `tls` opens the listeners TLS and MTLS, `sasl` (mechanisms) SASL, both together SASL_TLS.
    `users` maps names to passwords, for PLAIN and SCRAM; SCRAM's are made when the cluster is.
    OAUTHBEARER takes tokens that `jwks_url` (http: or file:) has the keys of and that are for
    `audience`. `authorizer` refuses everything that no ACL allows.
    """

    tls: bool = False
    sasl: tuple[str, ...] = ()
    users: Mapping[str, str] = field(default_factory=dict)
    jwks_url: str = ""
    audience: str = "kafka"
    authorizer: bool = False

    def __post_init__(self) -> None:
        """Check what the broker would only complain of in its log."""
        for mechanism in set(self.sasl) - set(MECHANISMS):
            raise _unusable(
                mechanism, "it is no mechanism of the sandbox", f"Ask for {', '.join(MECHANISMS)}."
            )
        if "OAUTHBEARER" in self.sasl and not self.jwks_url:
            raise _unusable("OAUTHBEARER", "it has no jwks_url", "Name where the keys are.")
        for text in (*self.users, *self.users.values()):
            if not text or _SPECIAL & set(text):
                raise _unusable(
                    "a user", "the name or password is empty or has a character with a meaning of"
                    " its own in Kafka's settings", "Use letters, digits, - and _.",
                )  # fmt: skip

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Security:
        """Return what `dataclasses.asdict` made of it."""
        return cls(**{**state, "sasl": tuple(state["sasl"])})

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The listeners besides PLAINTEXT."""
        found = [Listener.TLS, Listener.MTLS] if self.tls else []
        if self.sasl:
            found.append(Listener.SASL)
            if self.tls:
                found.append(Listener.SASL_TLS)
        return tuple(found)

    def settings(self, ports: Mapping[str, int], folder: Path) -> dict[str, str]:
        """Return the broker's settings; `folder` is where `prepare` put its certificate."""
        settings = dict(self._authorizer_settings() if self.authorizer else ())
        if self.tls:
            settings |= _tls_settings(folder)
        if "OAUTHBEARER" in self.sasl:
            settings["sasl.oauthbearer.jwks.endpoint.url"] = self.jwks_url
            settings["sasl.oauthbearer.expected.audience"] = self.audience
        for listener in self.listeners:
            if listener.name not in ports:
                raise SandboxError("start", f"the listener {listener}", "it has no port")
            if listener.protocol.startswith("SASL"):
                settings |= dict(self._sasl_settings(listener))
        return settings

    def system_properties(self) -> dict[str, str]:
        """Return what the broker's Java runtime must be told: Kafka 4 takes keys from nowhere."""
        if not self.jwks_url:
            return {}
        return {"org.apache.kafka.sasl.oauthbearer.allowed.urls": self.jwks_url}

    def format_arguments(self) -> list[str]:
        """Return the arguments of Kafka's format tool that make the SCRAM users."""
        return [
            argument
            for mechanism in SCRAM
            if mechanism in self.sasl
            for name, password in self.users.items()
            for argument in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
        ]

    def prepare(self, folder: Path, authority_folder: Path) -> None:
        """Write a broker's certificate, if it has none yet, and what it trusts."""
        if not self.tls:
            return
        authority = CertificateAuthority.open(authority_folder)
        if not (folder / TLS_FILE).exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_private(folder / TLS_FILE, authority.issue("broker", hosts=HOSTS))
        (folder / CA_FILE).write_bytes(authority.file.read_bytes())

    def _authorizer_settings(self) -> Iterator[tuple[str, str]]:
        yield "authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
        yield "super.users", "User:ANONYMOUS"

    def _sasl_settings(self, listener: Listener) -> Iterator[tuple[str, str]]:
        prefix = f"listener.name.{listener.lower()}"
        yield f"{prefix}.sasl.enabled.mechanisms", ",".join(self.sasl)
        for mechanism in self.sasl:
            own = f"{prefix}.{mechanism.lower()}"
            users = ""
            if mechanism == "PLAIN":
                users = "".join(f' user_{name}="{word}"' for name, word in self.users.items())
            yield f"{own}.sasl.jaas.config", f"{_PACKAGE}.{_MODULES[mechanism]} required{users};"
            if mechanism == "OAUTHBEARER":
                handler = f"{_PACKAGE}.oauthbearer.OAuthBearerValidatorCallbackHandler"
                yield f"{own}.sasl.server.callback.handler.class", handler


def _tls_settings(folder: Path) -> dict[str, str]:
    settings = {
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / CA_FILE),
        "ssl.principal.mapping.rules": r"RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        f"listener.name.{Listener.TLS.lower()}.ssl.client.auth": "requested",
        f"listener.name.{Listener.MTLS.lower()}.ssl.client.auth": "required",
    }
    # By listener, so that a broker takes a new certificate while it runs (a dynamic setting).
    for listener in (Listener.TLS, Listener.MTLS, Listener.SASL_TLS):
        prefix = f"listener.name.{listener.lower()}"
        settings[f"{prefix}.ssl.keystore.type"] = "PEM"
        settings[f"{prefix}.ssl.keystore.location"] = str(folder / TLS_FILE)
    return settings


def _unusable(what: str, cause: str, next_step: str) -> SandboxError:
    return SandboxError("plan", f"a cluster with {what}", cause, next_step)
