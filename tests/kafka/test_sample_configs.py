"""Every use in sample_configs/ does on real clusters what its file promises its reader."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from ccr_tui.cli.main import main
from engine.api.offsets_snapshots import OffsetsTotals
from engine.sandbox import ClusterSpec, Sandbox
from tests.kafka.engines import until
from tests.kafka.samples import PLACES, SAMPLES, prepared

pytestmark = pytest.mark.kafka

NOT_RUN = {"starter.yaml", "local.yaml"}  # to be filled in; what `ccr sandbox` is used with
USES = {
    "active-active.yaml",
    "aggregation.yaml",
    "compliance-archive.yaml",
    "disaster-recovery.yaml",
    "geo-proximity.yaml",
    "load-balancing.yaml",
    "migration.yaml",
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Three clusters for all samples; each begins with none of the topics of the one before."""
    clusters = dict.fromkeys(PLACES, ClusterSpec(heap="192m"))
    made = Sandbox(tmp_path_factory.mktemp("samples"), clusters, ephemeral=True)
    asyncio.run(made.up())
    try:
        yield made
    finally:
        asyncio.run(made.down())


def test_every_sample_has_its_test_and_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    found = {path.name for path in SAMPLES.glob("*.yaml")}
    assert found - NOT_RUN == USES
    for name in sorted(found):
        assert main(["validate", str(SAMPLES / name)]) == 0
        told = capsys.readouterr()
        assert "valid" in told.out
        assert told.err == ""


async def test_disaster_recovery(three: Sandbox, tmp_path: Path) -> None:
    """Records, configs and groups under the same names, and nothing that was left out."""
    async with prepared("disaster-recovery.yaml", three, tmp_path) as made:
        await made.create("primary", "orders", retention_ms="86400000")
        await made.create("primary", "scratch-1")
        await made.create("primary", "orders.tmp")
        await made.write("primary", "orders", "a", "b", "c")
        await made.commit("primary", "billing", "orders", 2)
        await made.commit("primary", "console-consumer-7", "orders", 1)
        await made.engine.start()
        await made.holds("dr", "orders", "a", "b", "c")
        await made.committed("dr", "billing", "orders", 2)
        await made.in_step()
        assert (await made.configs("dr", "orders"))["retention.ms"] == "86400000"
        assert await made.topics("dr") == {"orders"}
        assert await made._as_member("dr", "console-consumer-7", "orders", None) is None
        await until(
            lambda: (
                (found := made.engine.flow("primary-to-dr").snapshot().verification)
                and found.compared > 0
            ),
            "the standby is compared with the primary",
        )
        loss = await made.api.flows.loss("primary-to-dr")
        assert (loss.lost_records, loss.at_least) == (0, False)
        assert [group.group for group in loss.groups if group.again_records != 0] == []


async def test_active_active(three: Sandbox, tmp_path: Path) -> None:
    """Both hold the union, once; keys that both wrote are told; a group can move."""
    async with prepared("active-active.yaml", three, tmp_path) as made:
        for cluster in ("london", "frankfurt"):
            await made.create(cluster, "orders")
        await made.write("london", "orders", "l1", "l2")
        await made.write("frankfurt", "orders", "f1")
        await made.engine.start()
        both = ["l1", "l2", "f1"]
        for cluster in ("london", "frankfurt"):
            await made.holds_all(cluster, "orders", both)
        flow = made.engine.flow("london-to-frankfurt")
        for number in range(100):
            await made.write("london", "orders", f"l-{number}", key=f"home-{number}")
            await made.write("frankfurt", "orders", f"f-{number}", key=f"away-{number}")
            both += [f"l-{number}", f"f-{number}"]
            if (found := flow.snapshot().conflicts) is not None and found.records:
                break  # conflicts are looked for from now on
        await made.write("london", "orders", "mine", key="shared")
        await made.write("frankfurt", "orders", "no, mine", key="shared")
        both += ["mine", "no, mine"]
        for cluster in ("london", "frankfurt"):
            await made.holds_all(cluster, "orders", both)
        await made.commit("london", "billing", "orders", len(both))
        await made.committed("frankfurt", "billing", "orders", len(both))
        await made.in_step()
        for cluster in ("london", "frankfurt"):  # and nothing came round meanwhile
            await made.holds_all(cluster, "orders", both)
        await until(
            lambda: (found := flow.snapshot().conflicts) is not None and found.conflicts == 1,
            "the key that both wrote is told",
        )
        (topic,) = flow.snapshot().conflicts.topics
        assert topic.topic == "orders"
        await made.api.flows.pause("london-to-frankfurt")
        await made.write("frankfurt", "orders", "f-x", "f-y", "f-z")
        await made.write("london", "orders", "l-x", "l-y")
        await made.holds_all("london", "orders", [*both, "f-x", "f-y", "f-z", "l-x", "l-y"])
        await until(lambda: flow.board.lag_records == 5, "the source's end is seen")
        loss = await made.api.flows.loss("london-to-frankfurt")
        assert loss.lost_records == 2, "what frankfurt wrote would not be lost with london"
        assert ["shared" in sample.key for sample in topic.samples] == [True]


async def test_load_balancing(three: Sandbox, tmp_path: Path) -> None:
    """Two copies with the same records in the same order; the readers' groups are their own."""
    async with prepared("load-balancing.yaml", three, tmp_path) as made:
        await made.create("ingest", "prices.fx", 2, cleanup_policy="compact")
        await made.create("ingest", "other")
        await made.write("ingest", "prices.fx", "1", "2", "3")
        await made.commit("ingest", "dashboards", "prices.fx", 3)
        await made.engine.start()
        for copy in ("readers-1", "readers-2"):
            await made.holds(copy, "prices.fx", "1", "2", "3")
        await made.in_step()
        first, second = [
            [(r.partition, r.offset, r.timestamp, r.key, r.value) for r in records]
            for records in (
                await made.records("readers-1", "prices.fx"),
                await made.records("readers-2", "prices.fx"),
            )
        ]
        assert first == second
        for copy in ("readers-1", "readers-2"):
            assert await made.topics(copy) == {"prices.fx"}
            assert (await made.configs(copy, "prices.fx"))["cleanup.policy"] == "compact"
            assert await made._as_member(copy, "dashboards", "prices.fx", None) is None


async def test_geo_proximity(three: Sandbox, tmp_path: Path) -> None:
    """The copy has the source's name before its own, beside the far cluster's own topic."""
    async with prepared("geo-proximity.yaml", three, tmp_path) as made:
        await made.create("eu", "catalog", retention_ms="999999999")
        await made.create("eu", "prices.ticks", retention_ms="999999999")
        await made.create("sydney", "catalog")
        await made.write("eu", "catalog", "from eu")
        await made.write("eu", "prices.ticks", "1", "2")
        await made.write("sydney", "catalog", "from sydney")
        await made.engine.start()
        await made.holds("sydney", "eu.catalog", "from eu")
        await made.holds("sydney", "eu.prices.ticks", "1", "2")
        await made.in_step()
        assert await made.values("sydney", "catalog") == ["from sydney"]
        assert await made.values("eu", "catalog") == ["from eu"]
        assert await made.topics("eu") == {"catalog", "prices.ticks"}
        assert await made.topics("sydney") == {"catalog", "eu.catalog", "eu.prices.ticks"}
        assert (await made.configs("sydney", "eu.catalog"))["retention.ms"] == "999999999"
        assert (await made.configs("sydney", "eu.prices.ticks"))["retention.ms"] == "86400000"


async def test_migration(three: Sandbox, tmp_path: Path) -> None:
    """The new cluster has the very offsets of the old one, also where retention took the first."""
    async with prepared("migration.yaml", three, tmp_path) as made:
        await made.create("old", "ledger", segment_bytes="33554432", retention_ms="86400000")
        await made.write("old", "ledger", *map(str, range(6)))
        await _retain(three, made.places["old"], "ledger", 4)
        await made.commit("old", "auditors", "ledger", 5)
        await made.engine.start()
        await made.holds("new", "ledger", "4", "5")
        await made.write("old", "ledger", "6")
        await made.holds("new", "ledger", "4", "5", "6")
        assert [record.offset for record in await made.records("new", "ledger")] == [4, 5, 6]
        await made.committed("new", "auditors", "ledger", 5)
        await made.in_step()
        offsets = made.engine.flow("old-to-new").board.offsets
        await until(lambda: offsets() == OffsetsTotals(1, 0, 0), "it is told so")
        own = await made.configs("new", "ledger")
        assert own.get("retention.ms") == "86400000"
        assert "segment.bytes" not in own


async def _retain(sandbox: Sandbox, place: str, topic: str, first: int) -> None:
    """Delete the records of partition 0 before an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap(place))
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=first)})
    await admin.close()


async def test_aggregation(three: Sandbox, tmp_path: Path) -> None:
    """Each region's topics under the region's name, side by side."""
    async with prepared("aggregation.yaml", three, tmp_path) as made:
        for region in ("eu", "us"):
            await made.create(region, "clicks", 2)
            await made.create(region, "sessions.v0")
            await made.write(region, "clicks", f"{region} 1", f"{region} 2")
        await made.create("us", "sessions.v2")
        await made.write("us", "sessions.v2", "session")
        await made.engine.start()
        for region in ("eu", "us"):
            await made.holds("analytics", f"{region}.clicks", f"{region} 1", f"{region} 2")
        await made.holds("analytics", "us.sessions.v2", "session")
        await made.in_step()
        assert await made.topics("analytics") == {"eu.clicks", "us.clicks", "us.sessions.v2"}
        assert await made.topics("eu") == {"clicks", "sessions.v0"}


async def test_compliance_archive(three: Sandbox, tmp_path: Path) -> None:
    """What the source forgets, compacts or deletes stays, with a retention of its own."""
    async with prepared("compliance-archive.yaml", three, tmp_path) as made:
        await made.create("trading", "trades", retention_ms="3600000", retention_bytes="1000000")
        await made.create("trading", "limits", cleanup_policy="compact")
        await made.create("trading", "orders.fx")
        await made.write("trading", "trades", "1", "2", "3")
        await made.write("trading", "limits", "old", "new", key="desk")
        await made.write("trading", "orders.fx", "buy")
        await made.engine.start()
        await made.holds("archive", "trades", "1", "2", "3")
        await made.holds("archive", "limits", "old", "new")
        await made.holds("archive", "orders.fx", "buy")
        await made.in_step()
        for topic in ("trades", "limits", "orders.fx"):
            own = await made.configs("archive", topic)
            assert own["retention.ms"] == "-1"
            assert own["retention.bytes"] == "-1"
            assert own["cleanup.policy"] == "delete"
        await _retain(three, made.places["trading"], "trades", 3)
        assert await made.values("trading", "trades") == []
        await made.delete("trading", "orders.fx")
        await made.write("trading", "trades", "4")
        await made.holds("archive", "trades", "1", "2", "3", "4")
        flow = made.engine.flow("trading-to-archive")
        await until(
            lambda: (
                (row := flow.board.partitions["orders.fx", 0]).reason is not None
                and "any more" in row.reason.text
            ),
            "the deletion is told",
        )
        assert await made.values("archive", "orders.fx") == ["buy"]
