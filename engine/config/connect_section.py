"""The `connect` section: how the REST API of a Kafka Connect cluster is reached."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StrictBool, ValidationInfo, field_validator

from engine.config.cluster_section import Environment, TlsConfig
from engine.config.fields import Model, Text
from engine.config.secrets import SecretRef


def _worker_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(_FORM) from None
    if "@" in url:
        raise ValueError("must not hold a login; put it under auth")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(_FORM)
    return url.rstrip("/")


_FORM = "must be the http or https URL of a worker, e.g. https://connect-1.example:8083"


class ConnectAuth(Model):
    """Login: a user's name and password (HTTP basic), or a token (bearer)."""

    noun: ClassVar[str] = "an auth section"

    username: Annotated[Text | None, Field(validate_default=True)] = None
    """Name to log in with, by HTTP basic authentication; with password."""
    password: Annotated[SecretRef | None, Field(validate_default=True)] = None
    """Where the password is: keyring:, credential:, env: or file:; with username."""
    token: Annotated[SecretRef | None, Field(validate_default=True)] = None
    """Where a bearer token is, instead of username and password."""

    @field_validator("password")
    @classmethod
    def _of_a_user(cls, value: Any, info: ValidationInfo) -> Any:
        if "username" not in info.data:
            return value
        if (value is None) != (info.data["username"] is None):
            raise ValueError("is missing" if value is None else "is of no use without a username")
        return value

    @field_validator("token")
    @classmethod
    def _one_way(cls, value: Any, info: ValidationInfo) -> Any:
        by_name = info.data.get("username", "") is not None
        if value is not None and by_name:
            raise ValueError("is there beside username; give one of the two")
        # A password that is not there was given with a problem of its own, which is told already.
        if value is None and not by_name and "password" in info.data:
            raise ValueError("is missing: give a token, or username and password")
        return value


def connect_trust_mismatch(urls: list[str], *, given: bool) -> str | None:
    """Say what is wrong when a tls section is given where no URL is https.

    Silence would mean a connection in the clear that its owner believes to be encrypted.
    """
    if given and urls and not any(url.startswith("https:") for url in urls):
        return "is of no use: no URL is https"
    return None


class ConnectConfig(Model):
    """One Kafka Connect cluster."""

    noun: ClassVar[str] = "a Connect cluster"

    urls: Annotated[list[Annotated[str, AfterValidator(_worker_url)]], Field(min_length=1)]
    """REST API of one or more of its workers; when one does not answer, the next is asked."""
    auth: ConnectAuth | None = None
    """Login, if the workers ask for one."""
    tls: TlsConfig = TlsConfig()
    """Trust and client certificate, for https."""
    environment: Environment = Environment.DEVELOPMENT
    """What it is used for: production, staging or development; told where ccr connect asks."""
    read_only: StrictBool = False
    """Refuse every act that would change anything on it."""

    @field_validator("tls")
    @classmethod
    def _trust_as_urls(cls, tls: TlsConfig, info: ValidationInfo) -> TlsConfig:
        mismatch = connect_trust_mismatch(info.data.get("urls", []), given=tls != TlsConfig())
        if mismatch:
            raise ValueError(mismatch)
        return tls
