"""The clusters' namespace of the engine in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import JsonValue, SecretStr

from engine.api.cluster_snapshots import (
    BrokerRow,
    ClusterDetail,
    ClusterList,
    ClusterListing,
    ConnectionTest,
    GroupRow,
    Quorum,
    QuotaRow,
    Reach,
    TopicRow,
)
from engine.api.snapshots import ClusterSnapshot, CommandResult, Reason, SecretSnapshot
from engine.config.secrets import SecretState
from engine.errors import ConnectError

if TYPE_CHECKING:
    from tests.tui.scripted import ScriptedEngine

T0 = 1_763_800_000.0


class ScriptedClusters:
    """Takes a secret, and the cluster is reached with it."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self._engine = engine
        self.more: dict[str, dict[str, object]] = {}
        """What the list says of a cluster beside its snapshot, by name."""
        self.details: dict[str, ClusterDetail] = {}
        self.detail_error: ConnectError | None = None

    async def list(self) -> ClusterList:
        await self._engine.asked("list")
        current = self._engine.current
        rows = (self._listing(cluster) for cluster in current.clusters)
        return ClusterList(current.taken_at, tuple(rows))

    def _listing(self, cluster: ClusterSnapshot) -> ClusterListing:
        flows = self._engine.current.flows
        listing = make_listing(
            cluster.name,
            bootstrap_servers=cluster.bootstrap_servers,
            environment=cluster.environment,
            reach=Reach.REACHED if cluster.reachable else Reach.AWAY,
            reason=cluster.reason,
            secrets=cluster.secrets or (read_password(cluster.name),),
            source_of=tuple(flow.name for flow in flows if flow.source == cluster.name),
            target_of=tuple(flow.name for flow in flows if flow.target == cluster.name),
        )
        return replace(listing, **self.more.get(cluster.name, {}))  # type: ignore[arg-type]

    async def detail(self, name: str) -> ClusterDetail:
        await self._engine.asked("detail", name)
        if self.detail_error is not None:
            raise self.detail_error
        return self.details.get(name) or make_detail(name)

    async def test(
        self,
        name: str,
        section: Mapping[str, JsonValue] | None = None,
        secrets: Mapping[str, SecretStr] | None = None,
    ) -> ConnectionTest:
        await self._engine.asked("test", name)
        return self._engine.connections.begin(name, section, secrets)

    async def tested(self, number: int) -> ConnectionTest:
        await self._engine.asked("tested", number)
        return self._engine.connections.look(number)

    async def give_secret(self, cluster: str, key: str, value: SecretStr) -> CommandResult:
        await self._engine.asked("give_secret", cluster, key, value)
        self._engine.set_cluster(cluster, reachable=True, reason=None)
        return CommandResult(True, f"{key} of {cluster} is held")


def read_password(cluster: str) -> SecretSnapshot:
    """A password that could be had."""
    return SecretSnapshot("sasl.password", f"keyring:ccr-{cluster}/ccr", SecretState.READ)


def make_listing(name: str, **changes: object) -> ClusterListing:
    """A cluster that is reached."""
    made = ClusterListing(
        name=name,
        bootstrap_servers=(f"{name}:9092",),
        environment="development",
        read_only=False,
        reach=Reach.REACHED,
        reason=None,
        since=T0 - 3600,
        observed_at=T0,
        kafka="4.1",
        cluster_id="5L6g3nShT-eMCtK--X86sw",
        brokers=3,
        controller=None,
        latency=0.0042,
        latency_last=0.0051,
        protocol="SASL_SSL",
        mechanism="SCRAM-SHA-512",
        user="ccr",
        secrets=(read_password(name),),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def make_detail(name: str, **changes: object) -> ClusterDetail:
    """A cluster of three brokers of which one is away."""
    away = Reason("connection refused", "Is the broker running, and the port right?")
    made = ClusterDetail(
        name=name,
        taken_at=T0,
        cluster_id="5L6g3nShT-eMCtK--X86sw",
        kafka="4.1",
        controller=101,
        quorum=Quorum(101, 12, (101, 102, 103), (1, 2, 3)),
        brokers=(
            BrokerRow(1, "kafka-1.example:9093", "eu-1a", 12, None, 34_000_000_000, False),
            BrokerRow(2, "kafka-2.example:9093", "eu-1b", 11, None, 33_000_000_000, False),
            BrokerRow(3, "kafka-3.example:9093", "eu-1c", 0, away, None, False),
        ),
        topics=(
            TopicRow("orders.eu", False, 12, 3, 4, 0, 21_000_000_000),
            TopicRow("orders.us", False, 6, 3, 0, 1, 7_000_000_000),
            TopicRow("payments", False, 5, 3, 0, 0, 900_000),
            TopicRow("__consumer_offsets", True, 50, 3, 0, 0, 40_000_000),
        ),
        groups=(
            GroupRow("billing", "Stable", "classic", 4, 1),
            GroupRow("audit", "Empty", "consumer", 0, 2),
        ),
        quotas=(
            QuotaRow("ccr", None, "consumer_byte_rate", 50_000_000.0),
            QuotaRow("", None, "request_percentage", 200.0),
        ),
    )
    return replace(made, **changes)  # type: ignore[arg-type]
