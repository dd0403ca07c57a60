"""Looking for conflicts costs no more than it may, and says whose writes they were."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from engine.config.flow_section import FlowConfig
from engine.kafka import records as r
from engine.kafka.metadata import ClusterMetadata
from engine.replication.board import Board
from engine.replication.both_ways import conflict_watch as module
from engine.replication.both_ways.conflict_watch import ConflictWatch
from engine.replication.both_ways.inbound import InboundFlow
from engine.replication.both_ways.marks import FLOW_EPOCH
from engine.replication.events import Events
from engine.replication.partition import MirrorPartition
from engine.replication.state_records import FlowRecord
from engine.replication.sync.syncer import SyncContext
from tests.unit import source_log as log
from tests.unit.recording_listener import RecordingListener
from tests.unit.source_log import Rec

FLOWS = [
    InboundFlow("there", 70, "east", "east-id", False, frozenset()),
    InboundFlow("third", 71, "north", "north-id", False, frozenset()),
]
LOCAL = (9, 0, 0)


class Target:
    """The target: logs that grow batch by batch."""

    name = "west"

    def __init__(self) -> None:
        self.logs: dict[tuple[str, int], list[bytes]] = {("t", 0): [], ("t", 1): []}
        self.ends = dict.fromkeys(self.logs, 1_000)
        self.read: list[tuple[str, int]] = []

    def write(self, partition: int, key: bytes, producer: tuple[int, int, int], at: int) -> None:
        """Append a record."""
        offset = self.ends["t", partition]
        records = [Rec(offset, at, key, b"v" * 100)]
        self.logs["t", partition].append(log.batch_of(records, producer=producer))
        self.ends["t", partition] += 1

    async def metadata(self) -> ClusterMetadata:
        return ClusterMetadata("west-id", 1)

    async def list_offsets(
        self, wanted: Mapping[tuple[str, int], int], metadata: object, *, isolation: int
    ) -> dict[tuple[str, int], int]:
        assert isolation == 1
        return {key: self.ends[key] for key in wanted}

    async def batches(
        self, key: tuple[str, int], start: int, end: int, *, committed: bool, max_bytes: int
    ) -> AsyncIterator[tuple[r.Batch, memoryview]]:
        assert committed
        self.read.append(key)
        size = 0
        for data in self.logs[key]:
            header = r.read_header(memoryview(data))
            if start <= header.base_offset < end and size < max_bytes:
                size += header.size
                yield header, memoryview(data)

    async def look(self, metadata: object) -> None:
        pass

    flows = FLOWS


def watch(target: Target) -> ConflictWatch:
    """Build one over both partitions."""
    board = Board("there")
    for number in (0, 1):
        made = MirrorPartition(("t", number), "t", RecordingListener())
        made.positioned = True
        board.add(made)
    cluster: Any = target
    context = SyncContext(
        "there", FlowConfig(source="east", target="west"), cluster, cluster, board, FlowRecord(),
        lambda _: None, Events(),  # type: ignore[arg-type,return-value]
    )  # fmt: skip
    found = ConflictWatch(context, cluster, 10.0)
    found._reader = found._into_target = cluster
    return found


async def test_it_begins_at_the_ends_and_names_each_origin() -> None:
    target = Target()
    target.write(0, b"old", (70, FLOW_EPOCH, 0), 1_000)
    looking = watch(target)
    await looking.sync_once()
    target.write(0, b"old", LOCAL, 1_000)
    for key, producer in ((b"a", (70, FLOW_EPOCH, 1)), (b"b", (71, FLOW_EPOCH, 0)), (b"c", LOCAL)):
        target.write(1, key, producer, 5_000)
        target.write(1, key, (72, FLOW_EPOCH, 0), 6_000)
    await looking.sync_once()
    shown = looking.snapshot()
    assert (shown.records, shown.conflicts, shown.skipped) == (7, 3, 0)
    (topic,) = shown.topics
    origins = [(each.before.origin, each.behind.origin) for each in topic.samples]
    assert origins == [("east", "flow 72"), ("north", "flow 72"), ("west", "flow 72")]
    events = looking._context.events.since(0)
    assert len(events) == 1, "once a minute and topic"
    assert "key 'a' was written on east and on flow 72 within 10 s" in events[0].text


async def test_a_round_reads_no_more_than_its_bytes_and_goes_on_where_it_stopped(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(module, "ROUND_BYTES", 1_000)
    target = Target()
    looking = watch(target)
    await looking.sync_once()
    for number in range(20):
        target.write(number % 2, b"%d" % number, LOCAL, 1_000)
    seen = []
    while not seen or seen[-1] < 20:
        await looking.sync_once()
        seen.append(looking.snapshot().records)
    assert seen[0] < 20
    assert set(target.read) == {("t", 0), ("t", 1)}
    reads = len(target.read)
    await looking.sync_once()
    assert len(target.read) == reads, "nothing is read when nothing is new"


async def test_what_it_cannot_keep_up_with_is_let_go_and_counted(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MOST_BEHIND", 5)
    target = Target()
    looking = watch(target)
    await looking.sync_once()
    for number in range(6):
        target.write(0, b"%d" % number, LOCAL, 1_000)
    target.write(1, b"x", LOCAL, 1_000)
    await looking.sync_once()
    shown = looking.snapshot()
    assert (shown.records, shown.skipped) == (1, 6)
