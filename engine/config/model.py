"""The typed configuration: what a YAML file may say, with defaults and bounds (design, section 11).

The models hold no file positions; `engine.config.loader` maps every error to file and line. The
attribute docstrings are the JSON Schema's descriptions and what docs/config.md says.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import (
    Field,
    StrictBool,
)

from engine.config.cluster_section import ClusterConfig
from engine.config.connect_section import ConnectConfig
from engine.config.fields import Model, Name
from engine.config.flow_section import FlowConfig


class Config(Model):
    """A ccr configuration file."""

    noun: ClassVar[str] = "the configuration"

    version: Literal[1]
    """Format of this file; 1."""
    clusters: Annotated[dict[Name, ClusterConfig], Field(min_length=1)]
    """Kafka clusters by name."""
    flows: dict[Name, FlowConfig] = {}  # noqa: RUF012  (pydantic copies it)
    """Flows by name."""
    connect: dict[Name, ConnectConfig] = {}  # noqa: RUF012  (pydantic copies it)
    """Kafka Connect clusters by name, steered by their REST API."""
    read_only: StrictBool = False
    """Refuse every act that changes anything."""
    allow_plaintext_secrets: StrictBool = False
    """Take passwords written into this file (not for production)."""
