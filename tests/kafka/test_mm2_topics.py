"""MirrorMaker 2's topics, read by Kafka's own classes, and its checkpoint connector beside us."""

from __future__ import annotations

import asyncio
import re
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import OffsetAndMetadata

from engine.api.snapshots import Severity, SyncSnapshot, SyncState
from engine.replication.sync.mm2 import heartbeats
from engine.replication.sync.mm2.formats import Checkpoint, Heartbeat, OffsetSync
from engine.sandbox import Sandbox
from engine.sandbox.ports import HOST, free_ports
from tests.kafka.engines import (
    FreshTopic,
    Running,
    create,
    producer,
    read,
    running,
    until,
    until_async,
)
from tests.kafka.java_class import MainClass

pytestmark = pytest.mark.kafka

CONSOLE = "org.apache.kafka.tools.consumer.ConsoleConsumer"
FORMATTERS = "org.apache.kafka.connect.mirror.formatters"
STANDALONE = "org.apache.kafka.connect.cli.ConnectStandalone"
SYNC = re.compile(
    r"OffsetSync\{topicPartition=(.+)-(\d+), upstreamOffset=(\d+), downstreamOffset=(\d+)\}"
)
SOON = {"interval": "500ms"}
LOOKED_AT = {"groups": False}  # translated and not committed
SYNCS = {"offset_syncs": "target"}
CLIENT = "org/apache/kafka/connect/mirror/RemoteClusterUtils"


@dataclass
class Pair:
    """The sandbox's clusters under names of this test's own, so that its topics are its own."""

    sandbox: Sandbox
    source: str = field(default_factory=lambda: f"east-{uuid.uuid4().hex[:8]}")
    target: str = field(default_factory=lambda: f"west-{uuid.uuid4().hex[:8]}")

    def on(self, place: str) -> str:
        """Name the sandbox's cluster that `source` or `target` is."""
        return "east" if place == "source" else "west"

    def syncs_topic(self, place: str) -> str:
        """Name the topic of offset syncs at a place."""
        other = self.target if place == "source" else self.source
        return f"mm2-offset-syncs.{other}.internal"

    def flow(self, topic: str, **settings: Any) -> Any:
        """Run a flow over a topic."""
        clusters = {
            name: {"bootstrap_servers": self.sandbox.bootstrap(cluster).split(",")}
            for name, cluster in ((self.source, "east"), (self.target, "west"))
        }
        ends = {"source": self.source, "target": self.target}
        return running(self.sandbox, [topic], clusters=clusters, **ends, **settings)

    async def records(self, place: str, topic: str) -> list[tuple[bytes, bytes]]:
        """Read one of MirrorMaker 2's topics as it is."""
        found = await read(self.sandbox, self.on(place), topic)
        return [(each.key or b"", each.value or b"") for each in found]

    async def formatted(self, place: str, topic: str, formatter: str) -> list[str]:
        """Read a topic through Kafka's console consumer."""
        count = len(await self.records(place, topic))
        arguments = [
            *("--bootstrap-server", self.sandbox.bootstrap(self.on(place))),
            *("--topic", topic, "--from-beginning", "--max-messages", str(count)),
            *("--timeout-ms", "20000", "--formatter", f"{FORMATTERS}.{formatter}"),
        ]
        done = await self.sandbox.java.run(CONSOLE, arguments, timeout_seconds=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture
def pair(sandbox: Sandbox) -> Pair:
    """Names for the clusters."""
    return Pair(sandbox)


@asynccontextmanager
async def _admin(sandbox: Sandbox, cluster: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap(cluster))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def _load(sandbox: Sandbox, topic: str, records: int) -> int:
    """Produce to partition 0 in transactions, every third aborted; to 1 `records` in one run.

    Returns the sum of both partitions' ends.
    """
    end = records
    async with producer(sandbox) as plain:
        for _ in range(records // 100):
            for number in range(100):
                await plain.send(topic, b"%d" % number, partition=1)
            await plain.flush()
    async with producer(sandbox, transactional_id=topic) as txn:
        for number in range(30):
            await txn.begin_transaction()
            for _ in range(number % 7 + 1):
                await txn.send(topic, b"x", partition=0)
            await (txn.abort_transaction() if number % 3 == 0 else txn.commit_transaction())
            end += number % 7 + 2  # with the marker
    return end


def _sync(engine: Running, name: str) -> SyncSnapshot:
    """Return how a syncer gets on; before the flow is owned it has none."""
    none = SyncSnapshot(name, SyncState.STARTING, None, 0, (), 0, looked_at=0.0, seconds=0.0)
    return next((sync for sync in engine.flow.snapshot().syncs if sync.name == name), none)


async def _newest_written(pair: Pair, place: str, engine: Running) -> bool:
    """Whether the newest record of every partition stands among the offset syncs."""
    maps = {
        key: p.offset_map for key, p in engine.flow.board.partitions.items() if len(p.offset_map)
    }
    newest = set()
    for key, offset_map in maps.items():
        source, target, length = offset_map.last_run() or (0, 0, 0)
        newest.add((*key, source + length - 1, target + length - 1))
    syncs = [OffsetSync.parse(*row) for row in await pair.records(place, pair.syncs_topic(place))]
    return bool(newest) and newest <= {
        (s.topic, s.partition, s.upstream, s.downstream) for s in syncs
    }


async def _translated(pair: Pair, right: dict[int, int | None]) -> bool:
    """Whether the one group's newest checkpoints are right, by partition."""
    found = await _checkpoints(pair)
    return {partition: each.downstream for (_, partition), each in found.items()} == right


@pytest.mark.parametrize(("place", "rename"), [("source", "identity"), ("target", "prefix")])
async def test_kafkas_own_formatters_read_what_is_written(
    pair: Pair, fresh_topic: FreshTopic, place: str, rename: str
) -> None:
    topic = fresh_topic("formatted")
    await create(pair.sandbox, topic, 2)
    end = await _load(pair.sandbox, topic, 500)
    group, committed = f"{topic}.group", {0: (33, "half way"), 1: (321, "")}
    await _commit(pair.sandbox, group, topic, committed)
    mm2 = {"heartbeats": "target", "checkpoints": True, "offset_syncs": place}
    async with pair.flow(topic, rename=rename, mm2=mm2, groups=SOON) as engine:
        await engine.mirrored(topic, end)
        await until(lambda: _sync(engine, "mm2 heartbeats").changes > 1, "two heartbeats")
        await until(lambda: _sync(engine, "mm2 offset syncs").changes > 0, "offset syncs")
        right = {p: engine.offset_map(topic, p).to_target(at) for p, (at, _) in committed.items()}
        await until_async(lambda: _translated(pair, right), "the group is translated")
        await until_async(lambda: _newest_written(pair, place, engine), "the newest is written")
        lines, beats, groups = await asyncio.gather(
            pair.formatted(place, pair.syncs_topic(place), "OffsetSyncFormatter"),
            pair.formatted("target", "heartbeats", "HeartbeatFormatter"),
            pair.formatted("target", f"{pair.source}.checkpoints.internal", "CheckpointFormatter"),
        )
        found = [match.groups() for line in lines if (match := SYNC.fullmatch(line))]
        assert len(found) == len(lines) > 20  # a run ends at every marker
        for name, partition, upstream, downstream in found:
            offset_map = engine.offset_map(name, int(partition))
            assert name == topic
            assert offset_map.to_target(int(upstream)) == int(downstream)
            assert offset_map.to_source(int(downstream)) == int(upstream)
        mirror = topic if rename == "identity" else f"{pair.source}.{topic}"
    assert set(groups) >= {
        f"Checkpoint{{consumerGroupId={group}, topicPartition={mirror}-{partition}, "
        f"upstreamOffset={at}, downstreamOffset={right[partition]}, metadata={metadata}}}"
        for partition, (at, metadata) in committed.items()
    }
    ways = f"Heartbeat{{sourceClusterAlias={pair.source}, targetClusterAlias={pair.target}, "
    assert len([line for line in beats if line.startswith(ways)]) > 1


async def test_who_else_writes_there_is_named_and_left_alone(
    pair: Pair, fresh_topic: FreshTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeats, "QUIET_S", 2.0)
    topic, syncs_topic = fresh_topic("shared"), pair.syncs_topic("target")
    await create(pair.sandbox, topic, 1)
    storage = f"mm2-offsets.{pair.source}.internal"
    async with _admin(pair.sandbox, "west") as admin:
        await admin.create_topics([NewTopic(storage, 1, 1)])
    mm2 = {"heartbeats": "target", "offset_syncs": "target"}
    async with producer(pair.sandbox, "west") as other, pair.flow(topic, mm2=mm2) as engine:

        def leaves(name: str, subject: str) -> bool:
            sync = _sync(engine, name)
            if sync.state != SyncState.OUT_OF_STEP:
                return False
            assert [subject] == [left.object for left in sync.left]
            assert "MirrorMaker 2, or another program" in sync.left[0].text
            return True

        async with producer(pair.sandbox) as plain:
            await plain.send_and_wait(topic, b"first")
        await until(lambda: _sync(engine, "mm2 heartbeats").changes > 0, "a heartbeat")
        await until(lambda: _sync(engine, "mm2 offset syncs").changes > 0, "offset syncs")
        said = [each for each in engine.engine.events.since(0) if storage in each.text]
        assert [each.severity for each in said] == [Severity.WARNING]
        # What is not this flow's to write disturbs nobody.
        foreign = OffsetSync("another", 0, 5, 5)
        await other.send_and_wait(syncs_topic, foreign.value(), key=foreign.key(), partition=0)
        mine = Heartbeat(pair.source, pair.target, 1)
        await other.send_and_wait("heartbeats", mine.value(), key=mine.key(), partition=0)
        await until(
            lambda: leaves("mm2 heartbeats", f"topic heartbeats on cluster {pair.target}"),
            "the other's heartbeat is seen",
        )
        assert _sync(engine, "mm2 offset syncs").state == SyncState.IN_STEP
        sync = OffsetSync(topic, 0, 9, 9)
        await other.send_and_wait(syncs_topic, sync.value(), key=sync.key(), partition=0)
        await until(
            lambda: leaves("mm2 offset syncs", f"topic {syncs_topic} on cluster {pair.target}"),
            "the other's offset sync is seen",
        )
        written = _sync(engine, "mm2 offset syncs").changes
        async with producer(pair.sandbox) as plain:
            await plain.send_and_wait(topic, b"more")
        await until(
            lambda: _sync(engine, "mm2 heartbeats").state == SyncState.IN_STEP,
            "heartbeats go on once the other is quiet",
        )
        assert _sync(engine, "mm2 offset syncs").changes == written
        assert (await pair.records("target", syncs_topic))[-1] == (sync.key(), sync.value())


async def test_a_lost_connection_and_a_deleted_topic_are_got_over(
    pair: Pair, fresh_topic: FreshTopic
) -> None:
    topic, syncs_topic = fresh_topic("gone"), pair.syncs_topic("target")
    await create(pair.sandbox, topic, 1)
    async with producer(pair.sandbox) as plain, pair.flow(topic, mm2=SYNCS) as engine:

        async def written(record: int) -> bool:
            await plain.send_and_wait(topic, b"%d" % record)
            return await _newest_written(pair, "target", engine)

        await until_async(lambda: written(1), "the first is written")
        syncs = next(
            s for s in engine.flow._mirroring.in_step.loops if s.snapshot.name == "mm2 offset syncs"
        )
        connection = syncs.syncer._topic._connection
        connection.abort("cut by the test")
        await until_async(lambda: written(2), "it goes on after a lost connection")
        assert _sync(engine, "mm2 offset syncs").state == SyncState.IN_STEP
        assert syncs.syncer._topic._connection is not connection
        async with _admin(pair.sandbox, "west") as admin:
            await admin.delete_topics([syncs_topic])
        await until_async(lambda: written(3), "it goes on in a new topic")
        pairs = [OffsetSync.parse(*row) for row in await pair.records("target", syncs_topic)]
        assert pairs[0].upstream == 0  # of the whole map, not of what came later


async def _commit(
    sandbox: Sandbox, group: str, topic: str, offsets: dict[int, tuple[int, str]]
) -> None:
    """Commit a group's offsets on the source, as a consumer that is gone afterwards."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=sandbox.bootstrap("east"), group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in offsets])
        await consumer.commit(
            {
                TopicPartition(topic, partition): OffsetAndMetadata(*position)
                for partition, position in offsets.items()
            }
        )
    finally:
        await consumer.stop()


@contextmanager
def _checkpoint_connector(
    pair: Pair, folder: Path, topic: str, place: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run MirrorMaker 2's checkpoint connector, alone, in a standalone Connect worker."""
    source, target = pair.sandbox.bootstrap("east"), pair.sandbox.bootstrap("west")
    converter = "org.apache.kafka.connect.converters.ByteArrayConverter"
    mirror = "org.apache.kafka.connect.mirror"
    worker = {
        "bootstrap.servers": target,
        "listeners": f"http://{HOST}:{free_ports(1)[0]}",
        "key.converter": converter,
        "value.converter": converter,
        "offset.storage.file.filename": folder / "offsets",
    }
    connector = {
        "name": f"checkpoints-{pair.source}",
        "connector.class": f"{mirror}.MirrorCheckpointConnector",
        "tasks.max": 1,
        "source.cluster.alias": pair.source,
        "target.cluster.alias": pair.target,
        "source.cluster.bootstrap.servers": source,
        "target.cluster.bootstrap.servers": target,
        "replication.policy.class": f"{mirror}.IdentityReplicationPolicy",
        "topics": topic,
        "groups": f"{topic}.*",
        "offset-syncs.topic.location": place,
        "emit.checkpoints.interval.seconds": 1,
        "refresh.groups.interval.seconds": 2,
        "checkpoints.topic.replication.factor": 1,
        "offset-syncs.topic.replication.factor": 1,
    }
    files = []
    for name, settings in (("worker", worker), ("connector", connector)):
        path = folder / f"{name}.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        files.append(str(path))
    with (folder / "connect.log").open("wb") as log:
        process = subprocess.Popen(
            pair.sandbox.java.command(STANDALONE, files, log_level="INFO"),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def _checkpoints(pair: Pair) -> dict[tuple[str, int], Checkpoint]:
    """Return the newest checkpoints by group and partition."""
    rows = await pair.records("target", f"{pair.source}.checkpoints.internal")
    found = [Checkpoint.parse(*row) for row in rows]
    return {(each.group, each.partition): each for each in found}


@pytest.mark.parametrize("place", ["source", pytest.param("target", marks=pytest.mark.soak)])
async def test_mirrormaker2s_checkpoint_connector_translates_by_our_offset_syncs(
    pair: Pair, fresh_topic: FreshTopic, tmp_path: Path, place: str
) -> None:
    topic = fresh_topic("beside")
    await create(pair.sandbox, topic, 2)
    end = await _load(pair.sandbox, topic, 2_000)
    async with pair.flow(topic, mm2={"offset_syncs": place}, sync={"groups": False}) as engine:
        await engine.mirrored(topic, end)
        await until_async(lambda: _newest_written(pair, place, engine), "the newest is written")
        ends = {p: engine.flow.board.partitions[topic, p].acked.source for p in (0, 1)}
        runs = list(engine.offset_map(topic, 0).runs())
        positions = {
            "end": ends,
            "run": {0: runs[len(runs) // 2][0], 1: 0},
            "gap": {0: runs[3][0] + runs[3][2], 1: 1_000},
            "lag": {0: runs[1][0], 1: ends[1] - 300},
        }
        for name, offsets in positions.items():
            marked = {partition: (offset, name) for partition, offset in offsets.items()}
            await _commit(pair.sandbox, f"{topic}.{name}", topic, marked)
        with _checkpoint_connector(pair, tmp_path, topic, place) as connect:

            async def complete() -> bool:
                assert connect.poll() is None, (tmp_path / "connect.log").read_text()[-2000:]
                return len(await _checkpoints(pair)) == 2 * len(positions)

            await until_async(complete, "a checkpoint of each group and partition", 60)
        checkpoints = await _checkpoints(pair)
        for name, offsets in positions.items():
            for partition, offset in offsets.items():
                checkpoint = checkpoints[f"{topic}.{name}", partition]
                offset_map = engine.offset_map(topic, partition)
                right = offset_map.to_target(offset)
                if right is None:
                    right = engine.flow.board.partitions[topic, partition].acked.target
                assert (checkpoint.topic, checkpoint.upstream) == (topic, offset)
                assert checkpoint.metadata == name
                assert checkpoint.downstream <= right
                if name == "end":
                    assert checkpoint.downstream == right
                assert right - checkpoint.downstream <= ends[partition] - offset


def _asking() -> MainClass:
    """A Java client: ask(bootstrap servers, source, group)."""
    ask = MainClass("Ask")
    ask.new("java/util/HashMap", 1)
    ask.load(1)
    ask.text("bootstrap.servers")
    ask.arg(0)
    ask.virtual(
        "java/util/HashMap", "put", "(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;"
    )
    ask.pop()
    ask.out()
    ask.load(1)
    ask.static(CLIENT, "upstreamClusters", "(Ljava/util/Map;)Ljava/util/Set;")
    ask.printed()
    ask.out()
    ask.load(1)
    ask.arg(1)
    ask.arg(2)
    ask.number(10)
    ask.static("java/time/Duration", "ofSeconds", "(J)Ljava/time/Duration;")
    ask.static(
        CLIENT,
        "translateOffsets",
        "(Ljava/util/Map;Ljava/lang/String;Ljava/lang/String;Ljava/time/Duration;)Ljava/util/Map;",
    )
    ask.printed()
    return ask


async def test_javas_client_finds_the_source_and_translates(
    pair: Pair, fresh_topic: FreshTopic, tmp_path: Path
) -> None:
    topic = fresh_topic("client")
    await create(pair.sandbox, topic, 2)
    end = await _load(pair.sandbox, topic, 500)
    mm2 = {"heartbeats": "both", "checkpoints": True}
    async with pair.flow(topic, rename="prefix", mm2=mm2, sync=LOOKED_AT, groups=SOON) as engine:
        await engine.mirrored(topic, end)
        offsets = {0: 33, 1: 321}
        await _commit(
            pair.sandbox, f"{topic}.group", topic, {p: (o, "m") for p, o in offsets.items()}
        )
        await until(
            lambda: ("heartbeats", 0) in engine.flow.board.partitions, "heartbeats are taken"
        )
        await engine.mirrored("heartbeats", 1)
        right = {p: engine.offset_map(topic, p).to_target(o) for p, o in offsets.items()}
        await until_async(lambda: _translated(pair, right), "the group is translated")
    ask = _asking()
    (tmp_path / f"{ask.name}.class").write_bytes(ask.file())
    java = pair.sandbox.java
    arguments = [pair.sandbox.bootstrap("west"), pair.source, f"{topic}.group"]
    class_path = ":".join([str(tmp_path), *map(str, java.jars)])
    command = java.command(ask.name, arguments, log_level="ERROR")
    command[command.index(f"@{java.class_path_file}")] = f"--class-path={class_path}"
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    upstream, translated = done.stdout.splitlines()
    assert pair.source in upstream.strip("[]").split(", ")
    for partition, offset in right.items():
        name = f"{pair.source}.{topic}-{partition}"
        assert (
            f"{name}=OffsetAndMetadata{{offset={offset}, leaderEpoch=null, metadata='m'}}"
            in translated
        )
