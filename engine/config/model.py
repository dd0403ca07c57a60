"""The typed configuration: what a YAML file may say, with defaults and bounds (design, section 11).

The models hold no file positions; `engine.config.loader` maps every error to file and line.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from engine.config.secrets import SecretRef
from engine.config.units import parse_bytes, parse_seconds

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$"
Name = Annotated[str, Field(pattern=NAME)]
ByteSize = Annotated[int, BeforeValidator(parse_bytes), Field(ge=1)]
Seconds = Annotated[float, BeforeValidator(parse_seconds), Field(gt=0)]


class Model(BaseModel):
    """Base of every section: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


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


class Environment(StrEnum):
    """What a cluster is used for; colours the console's header."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"


class SaslConfig(Model):
    """SASL login."""

    mechanism: SaslMechanism
    """PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    username: str
    """Name to log in with."""
    password: SecretRef
    """Where the password is: keyring:SERVICE/USER, env:NAME or file:PATH."""


class TlsConfig(Model):
    """TLS trust and client certificate, PEM files."""

    ca: str | None = None
    """CA bundle; the system's when left out."""
    certificate: str | None = None
    """Client certificate chain."""
    key: str | None = None
    """Client key."""
    key_password: SecretRef | None = None
    """Where the key's password is."""
    verify_hostname: bool = True
    """Check the broker's name against its certificate."""


class ClusterConfig(Model):
    """One Kafka cluster."""

    bootstrap_servers: Annotated[list[str], Field(min_length=1)]
    """host:port of one or more brokers."""
    security_protocol: SecurityProtocol = SecurityProtocol.PLAINTEXT
    """How to connect."""
    sasl: SaslConfig | None = None
    """Login; needed with SASL_PLAINTEXT and SASL_SSL."""
    tls: TlsConfig = TlsConfig()
    """Trust and client certificate for SSL and SASL_SSL."""
    environment: Environment = Environment.DEVELOPMENT
    """production, staging or development."""
    read_only: bool = False
    """Refuse every act that would change this cluster."""

    @field_validator("bootstrap_servers")
    @classmethod
    def _host_and_port(cls, servers: list[str]) -> list[str]:
        for server in servers:
            host, _, port = server.rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(f"{server!r} is not host:port")
        return servers

    @model_validator(mode="after")
    def _sasl_given(self) -> Self:
        if self.security_protocol.startswith("SASL") and self.sasl is None:
            raise ValueError(f"security_protocol {self.security_protocol} needs a sasl section")
        return self


def _compiles(patterns: list[str]) -> list[str]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            at = "" if error.pos is None else f" at position {error.pos + 1}"
            raise ValueError(f"the regex {pattern!r} does not compile: {error.msg}{at}") from None
    return patterns


class TopicSelection(Model):
    """Which topics: full matches, exclude wins, internal topics never unless named as they are."""

    include: Annotated[list[str], Field(min_length=1)] = [".*"]
    """Regexes; a topic is taken when one matches its whole name."""
    exclude: list[str] = []
    """Regexes; a topic is left out when one matches its whole name."""

    _regexes = field_validator("include", "exclude")(_compiles)


class Rename(StrEnum):
    """How mirror topics are named."""

    IDENTITY = "identity"
    PREFIX = "prefix"


class StartAt(StrEnum):
    """Where a partition that was never mirrored begins."""

    EARLIEST = "earliest"
    LATEST = "latest"


class StartTimestamp(Model):
    """Begin with the first record at or after a time."""

    timestamp: datetime
    """ISO 8601 with a time zone, e.g. 2026-11-01T00:00:00Z."""

    @field_validator("timestamp")
    @classmethod
    def _zone(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("needs a time zone, e.g. a Z at the end")
        return value


class StartOffset(Model):
    """Begin at an offset, the same for every partition (clamped to what the source still has)."""

    offset: Annotated[int, Field(ge=0)]
    """Source offset."""


class LimitsConfig(Model):
    """How much a flow may take."""

    bytes_per_second: ByteSize | None = None
    """Rate limit over the whole flow, e.g. 50MiB; none when left out."""
    buffer_bytes: ByteSize = 32 * 1024 * 1024
    """Most bytes held between fetch and acknowledgement."""
    connections: Annotated[int, Field(ge=1, le=32)] = 4
    """Produce connections to each target broker."""


class FlowConfig(Model):
    """One direction, source to target."""

    source: Name
    """Cluster to read from."""
    target: Name
    """Cluster to write to."""
    topics: TopicSelection = TopicSelection()
    """Which topics."""
    rename: Rename = Rename.IDENTITY
    """identity: same names; prefix: <source>.<topic>."""
    start: StartAt | StartTimestamp | StartOffset = StartAt.EARLIEST
    """earliest, latest, {timestamp: …} or {offset: …}, for partitions never mirrored before."""
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"
    """read_committed leaves out aborted transactions and waits for open ones."""
    replication_factor: Annotated[int, Field(ge=1)] | None = None
    """Of the topics that are created; the source's, capped by the target's brokers, when left out."""
    topic_refresh: Seconds = 5.0
    """How often topics and partitions are looked up, e.g. 5s."""
    checkpoint_interval: Seconds = 1.0
    """How often progress is written to the state topic, e.g. 1s."""
    limits: LimitsConfig = LimitsConfig()
    """Rate and memory."""


class Config(Model):
    """The whole file."""

    version: Literal[1]
    """Format of this file; 1."""
    clusters: Annotated[dict[Name, ClusterConfig], Field(min_length=1)]
    """Kafka clusters by name."""
    flows: dict[Name, FlowConfig] = {}
    """Flows by name."""
    read_only: bool = False
    """Refuse every act that changes anything."""
    allow_plaintext_secrets: bool = False
    """Take passwords written into this file (not for production)."""
