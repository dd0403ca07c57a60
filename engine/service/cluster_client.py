"""ClustersApi over the control socket."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import JsonValue, SecretStr

from engine.api.cluster_snapshots import ClusterDetail, ClusterList, ConnectionTest
from engine.api.snapshots import CommandResult
from engine.service import cluster_codec
from engine.service.wire import Wire


class RemoteClusters:
    """Implements ClustersApi."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def list(self) -> ClusterList:
        """Return the clusters as last seen."""
        return await self._wire.get("/v1/clusters", cluster_codec.LIST)

    async def detail(self, name: str) -> ClusterDetail:
        """Ask a cluster for brokers, topics, groups and more."""
        return await self._wire.find_out(_path(name, "detail"), cluster_codec.DETAIL)

    async def test(
        self,
        name: str,
        section: Mapping[str, JsonValue] | None = None,
        secrets: Mapping[str, SecretStr] | None = None,
    ) -> ConnectionTest:
        """Begin to test the connection to a cluster, step by step."""
        body = cluster_codec.test_body(section, secrets)
        return await self._wire.ask(_path(name, "test"), body, cluster_codec.TEST)

    async def tested(self, number: int) -> ConnectionTest:
        """Return how far a test is."""
        return await self._wire.get(f"/v1/tests/{number}", cluster_codec.TEST)

    async def give_secret(self, cluster: str, key: str, value: SecretStr) -> CommandResult:
        """Give a secret that cannot be had, or is wrong, where the configuration says."""
        body = {"key": key, "value": value.get_secret_value()}
        path = _path(cluster, "secret")
        return await self._wire.post("giving a secret for cluster", cluster, path, body)


def _path(cluster: str, leaf: str) -> str:
    return f"/v1/clusters/{quote(cluster, safe='')}/{leaf}"
