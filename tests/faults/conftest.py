"""Brokers for the fault tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from engine.sandbox import ClusterSpec, Sandbox
from engine.sandbox.security import Listener
from tests.faults.proxy import Proxy

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


@dataclass(frozen=True)
class Linked:
    """Two one-broker clusters that are reached by a proxy, and its ports to them."""

    sandbox: Sandbox
    proxy: Proxy

    @property
    def east(self) -> int:
        """The port that leads to east."""
        return self.proxy.ports[0]

    @property
    def west(self) -> int:
        """The port that leads to west."""
        return self.proxy.ports[1]


@pytest.fixture(scope="session")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linked]:
    """Clusters behind a proxy, for tests of the network; they leave the proxy calm."""
    with Proxy(2) as proxy:
        clusters = {
            name: ClusterSpec(proxies=(port,))
            for name, port in zip(("east", "west"), proxy.ports, strict=True)
        }
        shared = Sandbox(tmp_path_factory.mktemp("linked"), clusters, ephemeral=True)
        asyncio.run(shared.up())
        try:
            addresses = [shared.bootstrap(name, Listener.PROXIED) for name in clusters]
            proxy.lead_to([int(address.rpartition(":")[2]) for address in addresses])
            yield Linked(shared, proxy)
        finally:
            asyncio.run(shared.down())
