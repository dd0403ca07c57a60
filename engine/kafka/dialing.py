"""How to connect to a cluster: credentials, TLS, and the connection with its session's end."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import ssl
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import errors as kafka_errors
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.admin import SaslAuthenticateRequest
from pydantic import SecretStr

from engine.config.cluster_section import ClusterConfig, SaslMechanism, SecurityProtocol
from engine.errors import ConnectError
from engine.kafka import tls
from engine.kafka.oauth import TokenProvider
from engine.kafka.refusals import is_about_credentials, why
from engine.kafka.tls import Tls
from engine.kafka.wire import CLIENT_ID

# Of a session's lifetime (KIP-368): connections made together must not all end together.
RETIRE_AT = (0.75, 0.9)


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What a broker tells while it is connected to."""

    versions: Mapping[int, tuple[int, int]]
    """Lowest and highest version by API key."""
    certificate_expires_at: float | None
    """Seconds since the epoch; None without TLS."""


def _hide_logins(record: logging.LogRecord) -> bool:
    """Take passwords and tokens out of aiokafka's debug lines, which show requests in full."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            type(each).__name__ if type(each).__name__.startswith("SaslAuthenticate") else each
            for each in record.args
        )
    return True


logging.getLogger("aiokafka.conn").addFilter(_hide_logins)


class Connection(AIOKafkaConnection):  # type: ignore[misc]
    """aiokafka's connection, which also takes in what the broker says about the login.

    aiokafka passes over both: the session's lifetime, and the refusal of a token, which comes as
    content of an answer without an error (RFC 7628, section 3.2.2).
    """

    retire_at = math.inf
    """Monotonic time from which on it is to be replaced: the broker is about to end its session."""

    def send(self, request: Any, expect_response: bool = True) -> Awaitable[Any]:
        """Send a request."""
        answer: Awaitable[Any] = super().send(request, expect_response)
        return self._logged_in(answer) if isinstance(request, SaslAuthenticateRequest) else answer

    async def _logged_in(self, answer: Awaitable[Any]) -> Any:
        asked_at = time.monotonic()
        response = await answer
        if self._sasl_mechanism == SaslMechanism.OAUTHBEARER and response.sasl_auth_bytes:
            raise kafka_errors.SaslAuthenticationFailed("the broker refused the token")
        lifetime_ms = getattr(response, "session_lifetime_ms", 0)
        if lifetime_ms > 0:
            share = random.uniform(*RETIRE_AT)  # noqa: S311  (spreading, not secrecy)
            self.retire_at = asked_at + share * lifetime_ms / 1000
        return response

    @property
    def facts(self) -> BrokerFacts:
        """What the broker told while it was connected to."""
        certificate = self._writer.get_extra_info("peercert") if self._writer else None
        expires = ssl.cert_time_to_seconds(certificate["notAfter"]) if certificate else None
        return BrokerFacts(dict(self._versions), expires)

    @property
    def retires(self) -> bool:
        """Whether it is to be replaced now."""
        return time.monotonic() >= self.retire_at


@dataclass(slots=True)
class Dialer:
    """Opens connections to the brokers of one cluster."""

    cluster: str
    config: ClusterConfig
    tls: Tls | None
    password: SecretStr | None = field(repr=False)
    tokens: TokenProvider | None
    stale: bool = False
    """A broker refused our credentials: they may have been replaced, read them again."""

    @classmethod
    async def create(cls, name: str, config: ClusterConfig) -> Dialer:
        """Read secrets and certificates; raises ConfigError or ConnectError."""
        password = tokens = None
        if config.sasl is not None and config.sasl.password is not None:
            password = await config.sasl.password.resolve(what=f"cluster {name}")
        if config.sasl is not None and config.sasl.client_secret is not None:
            secret = await config.sasl.client_secret.resolve(what=f"cluster {name}")
            tokens = TokenProvider(name, config.sasl, secret)
        context = None
        if config.security_protocol in (SecurityProtocol.SSL, SecurityProtocol.SASL_SSL):
            context = await tls.load(name, config.tls)
        return cls(name, config, context, password, tokens)

    @property
    def login(self) -> str:
        """Who we log in as, in words; empty without a login."""
        sasl = self.config.sasl
        return f"{sasl.username or sasl.client_id} ({sasl.mechanism})" if sasl else ""

    async def dial(self, host: str, port: int) -> Connection:
        """Connect and log in; raises ConnectError."""
        sasl = self.config.sasl
        connection = Connection(
            host,
            port,
            client_id=CLIENT_ID,
            request_timeout_ms=int(self.config.request_timeout * 1000),
            ssl_context=self.tls.context if self.tls else None,
            security_protocol=self.config.security_protocol.value,
            sasl_mechanism=sasl.mechanism.value if sasl else None,
            sasl_plain_username=sasl.username if sasl else None,
            sasl_plain_password=self.password.get_secret_value() if self.password else None,
            sasl_oauth_token_provider=self.tokens,
        )
        try:
            async with asyncio.timeout(self.config.connect_timeout):
                await connection.connect()
        except (OSError, EOFError, TimeoutError, ValueError, kafka_errors.KafkaError) as error:
            self.stale = self.stale or is_about_credentials(error)
            raise self._explain(f"{host}:{port}", error) from error
        return connection

    def _explain(self, address: str, error: Exception) -> ConnectError:
        own = self.tls.own if self.tls else None
        cause, next_step = why(error, self.config, self.login, own)
        return ConnectError(
            "connecting to cluster", f"{self.cluster} at {address}", cause, next_step
        )
