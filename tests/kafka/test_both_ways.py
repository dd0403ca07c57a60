"""The same topics mirrored both ways: what is left out, what is kept of that, what is shown."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from engine.api.group_snapshots import GroupState
from engine.api.snapshots import EngineMode, PartitionState, Severity
from engine.config.model import Config
from engine.engine import Engine
from engine.replication.both_ways import provenance
from engine.replication.partition import MirrorPartition
from engine.replication.state_records import state_topic
from engine.replication.verify.verifier import Options, verify
from engine.sandbox import Sandbox
from tests.kafka.engines import FreshTopic, create, producer, read, until, until_async
from tests.kafka.group_tools import commit_all, committed

pytestmark = pytest.mark.kafka


class Pair:
    """A topic on both clusters, a flow each way, and engines that run one of them or both."""

    def __init__(self, sandbox: Sandbox, topic: str) -> None:
        self.sandbox = sandbox
        self.topic = topic
        run = uuid.uuid4().hex[:8]
        self.there, self.back = f"there-{run}", f"back-{run}"

    def config(self, **settings: object) -> Config:
        """Both flows' configuration."""
        common = {"topics": {"include": [self.topic]}, "topic_refresh": "500ms", **settings}
        return Config.model_validate(
            {
                "version": 1,
                "clusters": {
                    name: {"bootstrap_servers": self.sandbox.bootstrap(name).split(",")}
                    for name in ("east", "west")
                },
                "flows": {
                    self.there: {"source": "east", "target": "west", **common},
                    self.back: {"source": "west", "target": "east", **common},
                },
            }
        )

    @asynccontextmanager
    async def running(self, *flows: str, **settings: object) -> AsyncIterator[Engine]:
        """Run some of the flows."""
        engine = Engine(
            self.config(**settings),
            config_path="test",
            mode=EngineMode.SERVICE,
            only=flows or (self.there, self.back),
        )
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop(10)

    async def create(self) -> None:
        """Make the topic on both sides."""
        for cluster in ("east", "west"):
            await create(self.sandbox, self.topic, cluster=cluster)

    async def write(self, cluster: str, *values: str, key: bytes = b"k") -> None:
        """Write a batch a value."""
        async with producer(self.sandbox, cluster, enable_idempotence=True) as plain:
            for value in values:
                await plain.send_and_wait(self.topic, value.encode(), key)

    async def values(self, cluster: str) -> list[str]:
        """Return what stands on a side, sorted."""
        records = await read(self.sandbox, cluster, self.topic)
        return sorted((record.value or b"").decode() for record in records)

    async def arrive(self, engine: Engine, flow: str, end: int) -> None:
        """Wait until a flow has passed its source's offsets up to `end`."""
        await until(lambda: mirrored_to(engine, flow) >= end, f"{flow} at {end}")

    async def delete_state(self, flow: str, cluster: str) -> None:
        """Somebody deletes a flow's state topic."""
        client = AIOKafkaAdminClient(bootstrap_servers=self.sandbox.bootstrap(cluster))
        await client.start()
        await client.delete_topics([state_topic(flow)])
        await client.close()


def partition(engine: Engine, flow: str) -> MirrorPartition | None:
    """Return the flow's only partition, once it is there."""
    return next(iter(engine.flow(flow).board.partitions.values()), None)


def mirrored_to(engine: Engine, flow: str) -> int:
    """Return how far a flow came."""
    found = partition(engine, flow)
    return found.acked.source if found is not None and found.positioned else -1


def warnings(engine: Engine) -> Sequence[str]:
    """Return what was warned of."""
    return [each.text for each in engine.events.since(0) if each.severity != Severity.INFO]


@pytest.fixture
async def pair(sandbox: Sandbox, fresh_topic: FreshTopic) -> Pair:
    """A pair with its topic."""
    made = Pair(sandbox, fresh_topic("both"))
    await made.create()
    return made


async def test_each_record_goes_there_once_and_never_back(pair: Pair) -> None:
    """What other flows brought is counted; other writers in the mirror are no reason to warn."""
    await pair.write("east", "e1", "e2")
    await pair.write("west", "w1", "w2", "w3")
    async with pair.running() as engine:
        await pair.arrive(engine, pair.there, 5)
        await pair.arrive(engine, pair.back, 5)
        await pair.write("west", "w4")
        await pair.write("east", "e3")
        await pair.arrive(engine, pair.there, 7)
        await pair.arrive(engine, pair.back, 7)
        both = ["e1", "e2", "e3", "w1", "w2", "w3", "w4"]
        assert await pair.values("east") == await pair.values("west") == both
        there, back = (engine.flow(name).snapshot() for name in (pair.there, pair.back))
        assert (there.left_out_records, back.left_out_records) == (4, 3)
        for shown, other, source, count in (
            (there, pair.back, "west", 4),
            (back, pair.there, "east", 3),
        ):
            (inbound,) = (each for each in shown.inbound if each.name == other)
            assert (inbound.source, inbound.back) == (source, True)
            assert inbound.left_out_records >= count
        found = partition(engine, pair.there)
        assert found is not None
        assert found.history.foreign == 1  # w4; the others stood there before
        assert not [text for text in warnings(engine) if "not this flow's" in text]
    for flow, others in ((pair.there, 4), (pair.back, 3)):
        report = await verify(pair.config(), flow, Options(full=True))
        (row,) = report.partitions
        assert (row.reason, row.wrong, row.equal) == (None, 0, 7 - others)
        assert (row.left_out, row.only_target) == (others, 1)


async def test_what_was_learnt_outlives_the_other_flows_state_topic(pair: Pair) -> None:
    await pair.write("east", "e1")
    async with pair.running() as engine:
        await pair.arrive(engine, pair.back, 1)
    await pair.write("east", "e2", "e3")
    async with pair.running(pair.there) as engine:
        await pair.arrive(engine, pair.there, 3)
    await pair.delete_state(pair.there, "west")
    await pair.write("west", "w1")
    async with pair.running(pair.back) as engine:
        await pair.arrive(engine, pair.back, 4)
        assert not warnings(engine)
    assert await pair.values("east") == ["e1", "e2", "e3", "w1"]


async def test_a_flow_that_nobody_knows_any_more_stops_the_partition(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than risk a loop; an operator can have what it wrote left out."""
    monkeypatch.setattr(provenance, "PATIENCE_S", 1.0)
    await pair.write("west", "w1")
    await pair.write("east", "e1")
    async with pair.running(pair.there) as engine:
        await pair.arrive(engine, pair.there, 1)
    await pair.delete_state(pair.there, "west")
    await pair.write("west", "w2")
    async with pair.running(pair.back) as engine:

        def stopped() -> bool:
            found = partition(engine, pair.back)
            return found is not None and found.state == PartitionState.STOPPED

        await until(stopped, "the partition stops")
        found = partition(engine, pair.back)
        assert found is not None
        assert found.reason is not None
        assert found.reason.acceptable
        assert "a flow of ccr wrote the batch at offset 1" in found.reason.text
        assert mirrored_to(engine, pair.back) == 1
        engine.flow(pair.back).retry(None, None, accept=True)
        await pair.arrive(engine, pair.back, 3)
    assert await pair.values("east") == ["e1", "w1", "w2"]
    async with pair.running(pair.back) as engine:  # it is remembered
        await pair.write("west", "w3")
        await pair.arrive(engine, pair.back, 4)
    assert await pair.values("east") == ["e1", "w1", "w2", "w3"]


async def test_keys_written_on_both_sides_are_shown(pair: Pair) -> None:
    async with pair.running(conflicts={"window": "1h"}) as engine:
        await pair.write("east", "e1", key=b"calm")
        await pair.arrive(engine, pair.there, 1)
        await pair.arrive(engine, pair.back, 1)

        def looks(flow: str) -> bool:
            found = engine.flow(flow).snapshot().conflicts
            return found is not None and found.records > 0

        while not (looks(pair.there) and looks(pair.back)):  # it begins at the logs' ends
            await pair.write("east", "e2", key=b"order-7")
        await pair.write("west", "w1", key=b"order-7")

        def conflicts(flow: str) -> int:
            found = engine.flow(flow).snapshot().conflicts
            return found.conflicts if found else 0

        for flow in (pair.there, pair.back):
            await until(lambda flow=flow: conflicts(flow) == 1, f"{flow} finds it")
        shown = engine.flow(pair.there).snapshot().conflicts
        assert shown is not None
        (topic,) = shown.topics
        (sample,) = topic.samples
        assert (topic.topic, sample.key) == (pair.topic, "'order-7'")
        assert {sample.before.origin, sample.behind.origin} == {"east", "west"}
        assert any("ccr" not in text and "order-7" in text for text in warnings(engine))


async def test_groups_that_move_miss_nothing_and_read_again_what_was_announced(pair: Pair) -> None:
    """By content, on logs with the same records in different orders."""
    chance = random.Random(pair.topic)
    settings = {"include": [f"{pair.topic}-.*"], "interval": "500ms"}
    async with pair.running(groups=settings) as engine:
        for number in range(40):
            side = chance.choice(("east", "west"))
            await pair.write(side, *(f"{number}/{n}" for n in range(chance.randint(1, 4))))
        east, west = await _in_step(pair, engine)
        commits = {
            f"{pair.topic}-{number}": {(pair.topic, 0): chance.randint(0, len(east))}
            for number in range(12)
        }
        at_end = f"{pair.topic}-end"
        commits[at_end] = {(pair.topic, 0): len(east)}
        await commit_all(pair.sandbox, "east", commits)
        moved = await _moved(engine, pair, commits, at_end)
        after = {side: await committed(pair.sandbox, side, commits) for side in ("east", "west")}
    assert east != west, "the orders differ, or it proves little"
    assert moved[at_end] == (len(west), 0)
    for group, offsets in commits.items():
        ((key, commit),) = offsets.items()
        place, again = moved[group]
        read_there = set(east[:commit])
        unread = [offset for offset, value in enumerate(west) if value not in read_there]
        assert place <= min(unread, default=len(west))
        assert again == sum(value in read_there for value in west[place:])
        assert after["west"][group][key][0] == place
        assert after["east"][group][key][0] == commit, "the way back leaves it where it was"


async def _in_step(pair: Pair, engine: Engine) -> tuple[list[bytes | None], list[bytes | None]]:
    """Wait until both sides hold all; return their values in order."""
    east = west = 0
    while not 0 < east == west:
        for flow, end in ((pair.there, west), (pair.back, east)):
            await pair.arrive(engine, flow, end)
        east, west = [len(await read(pair.sandbox, c, pair.topic)) for c in ("east", "west")]
    for flow in (pair.there, pair.back):
        await pair.arrive(engine, flow, east)
    logs = [await read(pair.sandbox, cluster, pair.topic) for cluster in ("east", "west")]
    return [record.value for record in logs[0]], [record.value for record in logs[1]]


async def _moved(
    engine: Engine, pair: Pair, commits: Mapping[str, object], at_end: str
) -> dict[str, tuple[int, int]]:
    """Wait until all groups are in step; return where they stand, and what they would re-read.

    The one at the end re-reads nothing once the maps of both flows are as new as the logs.
    """
    found: dict[str, tuple[int, int]] = {}

    async def in_step() -> bool:
        page = await engine.flow(pair.there).groups()
        for group in page.groups:
            (row,) = group.partitions
            if group.state == GroupState.IN_STEP and row.target_offset == row.translated:
                assert row.target_offset is not None
                assert row.again is not None
                found[group.name] = row.target_offset, row.again
        return found.keys() == commits.keys() and found[at_end][1] == 0

    await until_async(in_step, "all groups are in step")
    return found
