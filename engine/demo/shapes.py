"""The demo's three topics, chosen to be as different for a replicator as topics get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.demo.content import Clicks, Generator, Orders, Readings

READERS_GROUP = "demo-readers"


@dataclass(frozen=True, slots=True)
class Shape:
    """One topic: what is in it and how it is batched."""

    topic: str
    partitions: int
    content: Callable[[int], Generator]
    """Makes the generator from a seed."""
    compression: str | None
    batch_bytes: int
    """Most bytes of a batch before compression."""
    linger_ms: int
    share: float
    """Part of the whole rate, 0 to 1."""
    burst_seconds: float
    """How often records are sent, as many as are due by then; a burst goes to one key."""


CLICKS = Shape(
    topic="demo.clicks",
    partitions=6,
    content=Clicks,
    compression=None,
    batch_bytes=400,
    linger_ms=0,
    share=0.5,
    burst_seconds=0.0,
)
"""Tiny uncompressed events, one or a few to a batch."""

ORDERS = Shape(
    topic="demo.orders",
    partitions=4,
    content=Orders,
    compression="lz4",
    batch_bytes=64 * 1024,
    linger_ms=20,
    share=0.3,
    burst_seconds=0.0,
)
"""JSON in lz4 batches; the group `demo-readers` follows it."""

READINGS = Shape(
    topic="demo.readings",
    partitions=3,
    content=Readings,
    compression="zstd",
    batch_bytes=900_000,
    linger_ms=50,
    share=0.2,
    burst_seconds=0.5,
)
"""Uploads in large zstd batches."""

SHAPES = (CLICKS, ORDERS, READINGS)
