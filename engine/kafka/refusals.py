"""Why a connection could not be set up: one sentence and the next step, by what the broker did."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

from aiokafka import errors as kafka_errors

from engine.config.cluster_section import ClusterConfig
from engine.kafka.tls import CertificateFacts

_OTHER_NAME = (
    "Use a name that the certificate has, in bootstrap_servers and in the brokers'"
    " advertised.listeners, or have it issued for this one"
)
# By OpenSSL's code (x509_vfy.h).
_OF_ITS_CERTIFICATE = {
    9: ("is not valid yet", "Compare the clocks of this host and of who issued it"),
    10: ("has expired", "Have the broker's certificate renewed"),
    62: ("is for another name", _OTHER_NAME),
    64: ("is for another address", _OTHER_NAME),
}
_NOT_TRUSTED = (
    "is of a CA that is not trusted here",
    "Set tls.ca (or tls.truststore) to the CA of this cluster",
)

_WRONG_PROTOCOL = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER")


def why(
    error: Exception,
    config: ClusterConfig,
    login: str,
    own: CertificateFacts | None,
) -> tuple[str, str]:
    """Return the cause and the next step; `login` is who we log in as, `own` our certificate."""
    told = _root(error)
    if isinstance(told, ssl.SSLCertVerificationError):
        return _certificate_refused(told)
    if isinstance(told, ssl.SSLError):
        return _tls_failed(told, own)
    match error:
        case kafka_errors.AuthenticationFailedError() | kafka_errors.SaslAuthenticationFailed():
            return f"the login {login} was refused", f"Check {_credentials(login)}"
        case kafka_errors.UnsupportedSaslMechanismError():
            return f"the broker does not offer the login {login} here", "Change sasl.mechanism"
        case kafka_errors.IllegalSaslStateError():
            return (
                "the broker takes no logins on this port",
                "Check security_protocol against the broker's listener",
            )
        case ConnectionRefusedError():
            return "connection refused", "Is the broker running, and the port right?"
        case TimeoutError():
            return (
                f"no answer within {config.connect_timeout:g} s",
                "Check the network and firewalls on the way",
            )
        case kafka_errors.KafkaConnectionError() | EOFError() | ConnectionResetError():
            return (
                f"the broker closed the connection during the set-up as {config.security_protocol}",
                "Check security_protocol against the broker's listener",
            )
        case _:
            return str(error) or type(error).__name__, "Check bootstrap_servers"


def is_about_credentials(error: Exception) -> bool:
    """Whether other certificates, keys or passwords could have helped."""
    return isinstance(
        _root(error),
        ssl.SSLError
        | kafka_errors.AuthenticationFailedError
        | kafka_errors.SaslAuthenticationFailed,
    )


def _root(error: Exception) -> BaseException:
    """Return what aiokafka's connection ended with, where it knows.

    In TLS 1.3 the broker looks at our certificate after the handshake: its refusal arrives as the
    end of the connection.
    """
    found: BaseException = error
    while isinstance(found, kafka_errors.KafkaConnectionError) and found.__cause__ is not None:
        found = found.__cause__
    return found


def _credentials(login: str) -> str:
    if "OAUTHBEARER" in login:
        return "sasl.scope, and what the broker asks of tokens (audience, issuer, keys)"
    return "sasl.username, the password and sasl.mechanism"


def _certificate_refused(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    what, next_step = _OF_ITS_CERTIFICATE.get(error.verify_code, _NOT_TRUSTED)
    return f"its certificate {what} ({error.verify_message})", next_step


def _tls_failed(error: ssl.SSLError, own: CertificateFacts | None) -> tuple[str, str]:
    reason = error.reason or str(error)
    if any(mark in reason for mark in _WRONG_PROTOCOL):
        return (
            f"this port does not speak TLS ({reason})",
            "Check the port and security_protocol against the broker's listener",
        )
    if "ALERT" not in reason:
        return f"TLS failed ({reason})", "Compare TLS versions and ciphers of both sides"
    if own is None:
        return (
            f"the broker wants a client certificate, and none is configured ({reason})",
            "Set tls.certificate (or tls.keystore)",
        )
    until = f"{own.expires_at:%Y-%m-%d %H:%M} UTC ({reason})"
    if own.expires_at < datetime.now(UTC):
        cause = f"the broker refused our certificate {own.subject}, which expired {until}"
        return cause, "Renew tls.certificate (or tls.keystore)"
    return (
        f"the broker refused our certificate {own.subject}, which is valid until {until}",
        f"Let the broker trust its issuer {own.issuer}, or use another certificate",
    )
