"""Running the files in sample_configs/ on the sandbox, changed only as `localized` says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.api.local import LocalEngineApi
from engine.api.snapshots import EngineMode, FlowState, SyncState
from engine.config.cluster_section import ClusterConfig
from engine.config.loader import load
from engine.engine import Engine
from engine.kafka.cluster import Cluster
from engine.kafka.topic_configs import described_configs
from engine.sandbox import Sandbox
from tests.kafka.engines import producer, read, until

SAMPLES = Path(__file__).parents[2] / "sample_configs"
PLACES = ("one", "two", "three")  # the sandbox's clusters, in the order of a sample's


def localized(sample: Path, sandbox: Sandbox, folder: Path) -> Path:
    """Write a sample for the sandbox: its n-th cluster is the sandbox's n-th.

    Two things are taken out, both for brokers without TLS, logins and authorizer: what a cluster
    needs to be connected to (`security_protocol`, `sasl`, `tls`), and `sync.acls`. All else stays.
    """
    data = yaml.safe_load(sample.read_text())
    for section, place in zip(data["clusters"].values(), PLACES, strict=False):
        for key in ("security_protocol", "sasl", "tls"):
            section.pop(key, None)
        section["bootstrap_servers"] = sandbox.bootstrap(place).split(",")
    for flow in data["flows"].values():
        flow.get("sync", {}).pop("acls", None)
    path = folder / sample.name
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


@dataclass
class Running:
    """A sample at work; clusters are called as the sample calls them."""

    sandbox: Sandbox
    engine: Engine
    api: LocalEngineApi
    places: dict[str, str]

    async def create(self, cluster: str, topic: str, partitions: int = 1, **configs: str) -> None:
        """Create a topic; underscores in config names stand for dots."""
        admin = await self._admin(cluster)
        named = {key.replace("_", "."): value for key, value in configs.items()}
        try:
            await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=named)])
        finally:
            await admin.close()

    async def _admin(self, cluster: str) -> AIOKafkaAdminClient:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.sandbox.bootstrap(self.places[cluster]))
        await admin.start()
        return admin

    async def delete(self, cluster: str, topic: str) -> None:
        """Delete a topic."""
        admin = await self._admin(cluster)
        await admin.delete_topics([topic])
        await admin.close()

    async def write(self, cluster: str, topic: str, *values: str, key: str = "k") -> None:
        """Write records to partition 0, one batch each."""
        async with producer(self.sandbox, self.places[cluster]) as plain:
            for value in values:
                await plain.send_and_wait(topic, value.encode(), key=key.encode(), partition=0)

    async def records(self, cluster: str, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
        """Read a topic as a consumer of committed records does."""
        return await read(self.sandbox, self.places[cluster], topic)

    async def values(self, cluster: str, topic: str) -> list[str]:
        """Return the values of a topic's records, in order."""
        return [record.value.decode() for record in await self.records(cluster, topic)]

    async def holds(self, cluster: str, topic: str, *values: str) -> None:
        """Wait until a topic has exactly these values, in this order."""
        await self._finally(lambda: self.values(cluster, topic), list(values), topic)

    async def holds_all(self, cluster: str, topic: str, values: Iterable[str]) -> None:
        """Wait until a topic has exactly these values, in any order."""

        async def found() -> list[str]:
            return sorted(await self.values(cluster, topic))

        await self._finally(found, sorted(values), topic)

    async def commit(self, cluster: str, group: str, topic: str, offset: int) -> None:
        """Commit for partition 0 as a consumer of the group, and leave."""
        await self._as_member(cluster, group, topic, offset)

    async def committed(self, cluster: str, group: str, topic: str, offset: int) -> None:
        """Wait until the group has an offset there."""

        async def found() -> int | None:
            return await self._as_member(cluster, group, topic, None)

        await self._finally(found, offset, f"group {group}")

    async def _as_member(
        self, cluster: str, group: str, topic: str, offset: int | None
    ) -> int | None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.sandbox.bootstrap(self.places[cluster]),
            group_id=group,
            enable_auto_commit=False,
        )
        await consumer.start()
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        try:
            if offset is not None:
                await consumer.commit({partition: offset})
            committed: int | None = await consumer.committed(partition)
            return committed
        finally:
            await consumer.stop()

    async def configs(self, cluster: str, topic: str) -> dict[str, str]:
        """Return what is set on a topic itself."""
        servers = self.sandbox.bootstrap(self.places[cluster]).split(",")
        side = Cluster(cluster, ClusterConfig(bootstrap_servers=servers))
        try:
            found, _ = await described_configs(side, [topic])
            return dict(found[topic].own_values)
        finally:
            await side.close()

    async def topics(self, cluster: str) -> set[str]:
        """Return the topics that are neither Kafka's nor ccr's."""
        admin = await self._admin(cluster)
        found = {name for name in await admin.list_topics() if not name.startswith(("_", "ccr."))}
        await admin.close()
        return found

    async def _finally(self, look: Any, wanted: object, what: str) -> None:
        for _ in range(300):
            seen = await look()
            if seen == wanted:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{what}: {seen}, not {wanted}")

    async def in_step(self) -> None:
        """Wait until every flow runs, lacks nothing, and none of its syncers has a complaint."""

        def all_well() -> bool:
            flows = self.engine.snapshot().flows
            return all(
                flow.state == FlowState.RUNNING
                and flow.lag_records == 0
                and not flow.partitions_stopped
                and all(sync.state == SyncState.IN_STEP for sync in flow.syncs)
                for flow in flows
            )

        try:
            await until(all_well, "all flows are in step")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.engine.snapshot().flows}") from None


@asynccontextmanager
async def prepared(name: str, sandbox: Sandbox, folder: Path) -> AsyncIterator[Running]:
    """Have a sample's clusters, empty, with its engine made but not started."""
    await asyncio.gather(*(_empty(sandbox, place) for place in PLACES))
    path = localized(SAMPLES / name, sandbox, folder)
    config = load(path)
    engine = Engine(config, config_path=str(path), mode=EngineMode.SERVICE)
    places = dict(zip(config.clusters, PLACES, strict=False))
    try:
        yield Running(sandbox, engine, LocalEngineApi(engine), places)
    finally:
        await engine.stop(10)


async def _empty(sandbox: Sandbox, place: str) -> None:
    """Delete what the sample before left: topics, and with them their groups' offsets."""
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap(place))
    await admin.start()
    try:
        while left := [name for name in await admin.list_topics() if not name.startswith("__")]:
            await admin.delete_topics(left)
    finally:
        await admin.close()
