"""ClustersApi: EngineApi's namespace of the clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import JsonValue, SecretStr

from engine.api.cluster_snapshots import ClusterDetail, ClusterList, ConnectionTest
from engine.api.snapshots import CommandResult


class ClustersApi(Protocol):
    """Clusters: look at them, test the way to them, help the engine to reach them."""

    async def list(self) -> ClusterList:
        """Return the clusters as last seen; asks none of them."""
        ...

    async def detail(self, name: str) -> ClusterDetail:
        """Ask a cluster for brokers, topics, groups and more; takes up to some 20 s.

        Raises also ConnectError for a cluster that is away, ConfigError for a secret that is
        missing, and KafkaError. What we may not see is told part by part.
        """
        ...

    async def test(
        self,
        name: str,
        section: Mapping[str, JsonValue] | None = None,
        secrets: Mapping[str, SecretStr] | None = None,
    ) -> ConnectionTest:
        """Begin to test the connection to a cluster, step by step; `tested` tells how far it is.

        `section` is a cluster's section as the file would have it, for one that is not saved; then
        `name` need not exist. `secrets` are by reference (`keyring:SERVICE/USER`), for those that
        are not where they will be yet; they are held for the test alone. Raises also ConfigError
        for a section that is wrong. Changes nothing.
        """
        ...

    async def tested(self, number: int) -> ConnectionTest:
        """Return how far a test is, by its id; the last few are kept."""
        ...

    async def give_secret(self, cluster: str, key: str, value: SecretStr) -> CommandResult:
        """Give a secret that cannot be had, or is wrong, where the configuration says.

        `key` is its key in the cluster's section (`sasl.password`). The engine holds it in memory
        until it ends, for every key that refers to the same place, and never writes it.
        """
        ...
