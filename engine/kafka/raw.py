"""Answers that aiokafka only carries: kept as bytes, and read by our own code."""

from __future__ import annotations

from io import BytesIO
from typing import Self

from aiokafka.protocol.api import Response
from aiokafka.protocol.types import Schema


class RawResponse(Response):  # type: ignore[misc]
    """What follows the response header; subclasses name their API and version."""

    API_KEY = 0
    API_VERSION = 0
    SCHEMA = Schema()

    def __init__(self, payload: bytes) -> None:
        super().__init__()
        self.payload = payload

    @classmethod
    def decode(cls, data: BytesIO | bytes) -> Self:
        """Keep what follows the response header."""
        return cls(data if isinstance(data, bytes) else data.read())
