"""Rounds of the offset syncs: what is written when, with a topic that only remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from engine.api.snapshots import OutOfStep
from engine.config.cluster_section import ClusterConfig
from engine.config.flow_section import FlowConfig
from engine.errors import KafkaError
from engine.kafka.cluster import Cluster
from engine.replication.board import Board
from engine.replication.events import Events
from engine.replication.partition import MirrorPartition, Progress
from engine.replication.state_records import Entry, FlowRecord
from engine.replication.sync.mm2 import offset_syncs
from engine.replication.sync.mm2.formats import OffsetSync
from engine.replication.sync.mm2.offset_syncs import OffsetSyncs
from engine.replication.sync.mm2.presence import Presence
from engine.replication.sync.syncer import SyncContext
from tests.unit.recording_listener import RecordingListener


@dataclass
class Remembered:
    """Stands for the topic; `theirs` is what is found at the next look."""

    theirs: list[tuple[bytes, bytes]] = field(default_factory=list)
    written: list[OffsetSync] = field(default_factory=list)
    complete: bool = True
    anew: bool = True
    in_the_way: OutOfStep | None = None
    refuses: bool = False

    async def look(self) -> list[tuple[bytes, bytes]]:
        found, self.theirs = self.theirs, []
        return found

    async def write(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        if self.refuses:
            raise KafkaError("writing to", "topic", "NOT_ENOUGH_REPLICAS")
        self.anew = False
        self.written += [OffsetSync.parse(*row) for row in rows]


class Case:
    """A flow's partitions and their offset syncs."""

    def __init__(self, partitions: int) -> None:
        section = {"source": "a", "target": "b", "mm2": {"offset_syncs": "target"}}
        cluster = Cluster("a", ClusterConfig(bootstrap_servers=["127.0.0.1:1"]))
        board = Board("flow")

        async def remember(entries: Sequence[Entry]) -> None:
            raise AssertionError("offset syncs keep nothing in the state topic")

        config = FlowConfig.model_validate(section)
        context = SyncContext(
            "flow", config, cluster, cluster, board, FlowRecord(), remember, Events()
        )
        presence = Presence(context)
        presence._looked = True
        self.syncs = OffsetSyncs(context, presence)
        self.topic = Remembered()
        self.syncs._topic = self.topic  # type: ignore[assignment]
        self.partitions = [
            MirrorPartition(("t", number), "t", RecordingListener()) for number in range(partitions)
        ]
        for partition in self.partitions:
            board.add(partition)

    def mirror(self, number: int, count: int) -> None:
        """Mirror so many more records of a partition."""
        partition = self.partitions[number]
        at = partition.acked
        partition.positioned = True
        partition.offset_map.append(at.source, at.target, count)
        partition.acked = Progress(at.source + count, at.target + count, 0)

    async def round(self) -> list[OffsetSync]:
        """Return what one round writes."""
        self.topic.written.clear()
        await self.syncs.sync_once()
        return list(self.topic.written)


async def test_only_what_is_new_is_written() -> None:
    case = Case(2)
    assert await case.round() == []
    case.mirror(0, 10)
    assert await case.round() == [OffsetSync("t", 0, 0, 0), OffsetSync("t", 0, 9, 9)]
    assert await case.round() == []
    case.mirror(0, 5)
    case.mirror(1, 1)
    assert await case.round() == [OffsetSync("t", 0, 14, 14), OffsetSync("t", 1, 0, 0)]


async def test_partitions_take_turns_when_there_is_too_much_for_a_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However busy the first are, the last get theirs."""
    monkeypatch.setattr(offset_syncs, "MOST_PAIRS", 6)
    case = Case(9)
    waiting = set(range(9))
    for _ in range(3):
        for number in range(9):
            case.mirror(number, 3)
        rows = await case.round()
        assert len(rows) <= 7
        waiting -= {row.partition for row in rows}
    assert not waiting


async def test_what_could_not_be_written_is_written_later() -> None:
    case = Case(1)
    case.mirror(0, 10)
    case.topic.refuses = True
    with pytest.raises(KafkaError):
        await case.round()
    case.topic.refuses = False
    assert [row.upstream for row in await case.round()] == [0, 9]


async def test_nothing_is_written_beside_another_and_all_of_it_afterwards() -> None:
    case = Case(1)
    case.mirror(0, 10)
    assert len(await case.round()) == 2
    case.mirror(0, 10)
    foreign = OffsetSync("t", 0, 15, 4)
    case.topic.theirs = [(foreign.key(), foreign.value())]
    case.topic.in_the_way = OutOfStep("topic", "another writes there")
    assert await case.round() == []
    case.topic.in_the_way = None
    rows = [(row.upstream, row.downstream) for row in await case.round()]
    assert rows == [(0, 0), (19, 19)]  # from the beginning: the other's pair is not true here


async def test_others_are_looked_for_once_it_is_known_what_is_ours() -> None:
    """The board is empty while the flow begins."""
    case = Case(0)
    theirs = [(b"key", b"value")]
    case.topic.theirs = theirs
    assert await case.round() == []
    assert case.topic.theirs is theirs, "not looked at yet"


async def test_what_stands_there_after_a_restart_is_not_written_again() -> None:
    case = Case(1)
    case.mirror(0, 10)
    known = [OffsetSync("t", 0, 0, 0), OffsetSync("t", 0, 9, 9)]
    case.topic.theirs = [(row.key(), row.value()) for row in known]
    assert await case.round() == []
    case.mirror(0, 1)
    assert await case.round() == [OffsetSync("t", 0, 10, 10)]


async def test_of_a_long_topic_that_was_not_read_whole_the_newest_alone_is_written() -> None:
    """An older pair would make readers forget what they have."""
    case = Case(1)
    case.mirror(0, 1_000)
    case.topic.complete = False
    assert await case.round() == [OffsetSync("t", 0, 999, 999)]
