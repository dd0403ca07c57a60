"""Brokers for the fault tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.sandbox import ClusterSpec, Sandbox
from engine.sandbox.ports import HOST
from engine.sandbox.security import Listener
from tests.faults.proxy import Proxy

FORGETFUL = {
    "producer.id.expiration.ms": "1000",
    "producer.id.expiration.check.interval.ms": "200",
}


@pytest.fixture(scope="package")
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
    """Two clusters that can be reached by a proxy, too, and its ports by cluster and broker."""

    sandbox: Sandbox
    proxy: Proxy
    ports: Mapping[str, tuple[int, ...]]

    @property
    def bootstrap(self) -> dict[str, str]:
        """The clusters' bootstrap servers by way of the proxy."""
        return {
            cluster: ",".join(f"{HOST}:{port}" for port in ports)
            for cluster, ports in self.ports.items()
        }


@contextmanager
def behind_proxy(folder: Path, brokers: int) -> Iterator[Linked]:
    """Run two clusters of so many brokers behind a proxy; tests leave the proxy calm."""
    with Proxy(2 * brokers) as proxy:
        ports = {"east": proxy.ports[:brokers], "west": proxy.ports[brokers:]}
        clusters = {name: ClusterSpec(brokers, proxies=own) for name, own in ports.items()}
        shared = Sandbox(folder, clusters, ephemeral=True)
        asyncio.run(shared.up())
        try:
            addresses = ",".join(shared.bootstrap(name, Listener.PROXIED) for name in clusters)
            proxy.lead_to([int(address.rpartition(":")[2]) for address in addresses.split(",")])
            yield Linked(shared, proxy, ports)
        finally:
            asyncio.run(shared.down())


@pytest.fixture(scope="package")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linked]:
    """Clusters of one broker, for tests of the network and of restarts."""
    with behind_proxy(tmp_path_factory.mktemp("linked"), 1) as made:
        yield made
