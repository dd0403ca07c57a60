"""Brokers for the fault tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from engine.sandbox import ClusterSpec, Sandbox

FORGETFUL = {
    "producer.id.expiration.ms": "1000",
    "producer.id.expiration.check.interval.ms": "200",
}


@pytest.fixture(scope="session")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Two clusters whose brokers may be killed and whose logs may be damaged, as long as both run
    again afterwards; the target's broker soon forgets producers.
    """
    clusters = {"east": ClusterSpec(), "west": ClusterSpec(properties=FORGETFUL)}
    shared = Sandbox(tmp_path_factory.mktemp("rough"), clusters, ephemeral=True)
    asyncio.run(shared.up())
    try:
        yield shared
    finally:
        asyncio.run(shared.down())
