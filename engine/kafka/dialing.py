"""How to connect to a cluster: TLS context, credentials, and what went wrong in one sentence."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any

from aiokafka import errors as kafka_errors
from aiokafka.conn import AIOKafkaConnection, create_conn
from pydantic import SecretStr

from engine.config.model import ClusterConfig, SecurityProtocol, TlsConfig
from engine.errors import ConnectError
from engine.kafka.wire import CLIENT_ID

CONNECT_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens aiokafka connections to the brokers of one cluster."""

    cluster: str
    protocol: SecurityProtocol
    ssl_context: ssl.SSLContext | None
    mechanism: str | None
    username: str | None
    password: SecretStr | None = field(repr=False)

    @classmethod
    async def create(cls, name: str, config: ClusterConfig) -> Dialer:
        """Read secrets and certificates; raises ConfigError or ConnectError."""
        password = None
        if config.sasl is not None:
            password = await config.sasl.password.resolve(what=f"cluster {name}")
        context = None
        if config.security_protocol in (SecurityProtocol.SSL, SecurityProtocol.SASL_SSL):
            context = await _ssl_context(name, config.tls)
        return cls(
            name,
            config.security_protocol,
            context,
            config.sasl.mechanism.value if config.sasl else None,
            config.sasl.username if config.sasl else None,
            password,
        )

    async def dial(self, host: str, port: int) -> AIOKafkaConnection:
        """Connect and log in; raises ConnectError."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await create_conn(
                    host,
                    port,
                    client_id=CLIENT_ID,
                    request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000),
                    ssl_context=self.ssl_context,
                    security_protocol=self.protocol.value,
                    sasl_mechanism=self.mechanism,
                    sasl_plain_username=self.username,
                    sasl_plain_password=self.password.get_secret_value() if self.password else None,
                )
        except (OSError, EOFError, TimeoutError, ValueError, kafka_errors.KafkaError) as error:
            raise self._explain(f"{host}:{port}", error) from error

    def _explain(self, address: str, error: Exception) -> ConnectError:
        cause, next_step = _cause(error, self.protocol)
        return ConnectError(
            "connecting to cluster", f"{self.cluster} at {address}", cause, next_step
        )


def _cause(error: Exception, protocol: SecurityProtocol) -> tuple[str, str]:
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate was not accepted ({error.verify_message})",
                "Check tls.ca and the host name in bootstrap_servers",
            )
        case ssl.SSLError():
            return (
                f"TLS failed ({error.reason or error})",
                "Check that this port speaks TLS and which client certificate it wants",
            )
        case kafka_errors.AuthenticationFailedError() | kafka_errors.SaslAuthenticationFailed():
            return "the login was refused", "Check sasl.username, the password and sasl.mechanism"
        case kafka_errors.UnsupportedSaslMechanismError():
            return str(error), "Change sasl.mechanism"
        case ConnectionRefusedError():
            return "connection refused", "Is the broker running, and the port right?"
        case TimeoutError():
            return (
                f"no answer within {CONNECT_TIMEOUT_S:.0f} s",
                "Check the network and firewalls on the way",
            )
        case kafka_errors.KafkaConnectionError() | EOFError() | ConnectionResetError():
            return (
                f"the broker closed the connection during the set-up as {protocol}",
                "Check security_protocol against the broker's listener",
            )
        case _:
            return str(error) or type(error).__name__, "Check bootstrap_servers"


async def _ssl_context(name: str, tls: TlsConfig) -> ssl.SSLContext:
    key_password = None
    if tls.key_password is not None:
        key_password = await tls.key_password.resolve(what=f"the TLS key of cluster {name}")

    def build() -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=tls.ca)
        context.check_hostname = tls.verify_hostname
        if tls.certificate:
            password: Any = key_password.get_secret_value() if key_password else None
            context.load_cert_chain(tls.certificate, tls.key, password)
        return context

    try:
        return await asyncio.to_thread(build)
    except (OSError, ssl.SSLError) as error:
        raise ConnectError(
            "preparing TLS for cluster",
            name,
            str(error),
            "Check the files under tls",
            retriable=False,
        ) from None
