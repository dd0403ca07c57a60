"""Finding out whose batches they are: on record first, left out after that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from engine.api.snapshots import PartitionState
from engine.config.flow_section import FlowConfig
from engine.errors import KafkaError
from engine.kafka.metadata import ClusterMetadata
from engine.replication.board import Board
from engine.replication.both_ways import provenance as module
from engine.replication.both_ways.inbound import InboundFlow, state_topics
from engine.replication.both_ways.provenance import Provenance
from engine.replication.events import Events
from engine.replication.partition import MirrorPartition
from engine.replication.state_records import Entry, FlowRecord
from engine.replication.sync.syncer import SyncContext
from engine.replication.troubles import UnknownOrigin
from tests.unit.recording_listener import RecordingListener

EAST = ClusterMetadata("east-id", 1)
WEST = ClusterMetadata("west-id", 1)
BACK = InboundFlow("back", 70, "west", "west-id", False, frozenset({"t"}))
THIRD = InboundFlow("third", 71, "north", "north-id", False, frozenset({"t"}))


class Cluster:
    """Answers Metadata."""

    def __init__(self, name: str, metadata: ClusterMetadata) -> None:
        self.name = name
        self._metadata = metadata

    async def metadata(self) -> ClusterMetadata:
        return self._metadata


class StateTopics:
    """What the state topics of a cluster say; `shown` becomes `flows` at a look."""

    def __init__(self, *shown: InboundFlow) -> None:
        self.shown = list(shown)
        self.flows: list[InboundFlow] = []
        self.unreadable: dict[str, str] = {}
        self.looks = 0

    async def look(self, metadata: ClusterMetadata, *, anew: bool = False) -> None:
        self.looks += 1
        self.flows = list(self.shown)

    def close(self) -> None:
        pass


class Case:
    """A flow from east to west; what it remembers, and whether it can."""

    def __init__(self, *into_east: InboundFlow, record: FlowRecord | None = None, **settings: Any):
        self.remembered: list[Entry] = []
        self.refuses = False
        config = FlowConfig(source="east", target="west", **settings)
        clusters: Any = Cluster("east", EAST), Cluster("west", WEST)
        self.events = Events()
        self.board = Board("there")
        context = SyncContext(
            "there", config, *clusters, self.board, record or FlowRecord(), self._remember,
            self.events,
        )  # fmt: skip
        self.provenance = Provenance(context)
        self.source, self.target = StateTopics(*into_east), StateTopics()
        self.provenance._into_source = self.source  # type: ignore[assignment]
        self.provenance._into_target = self.target  # type: ignore[assignment]
        self.partition = MirrorPartition(("t", 0), "t", RecordingListener())

    async def _remember(self, entries: Iterable[Entry]) -> None:
        if self.refuses:
            raise KafkaError("writing to", "ccr.there.internal", "no leader", retriable=True)
        for key, value in entries:
            if key.startswith("sync/"):
                assert int(key.rpartition("/")[2]) not in (self.provenance.inbound or {})
            self.remembered.append((key, value))

    async def learn(self, producer_id: int) -> bool:
        return await self.provenance.learn(self.partition, UnknownOrigin(producer_id, 5))

    @property
    def ids(self) -> list[str]:
        """The ids on record."""
        return [key for key, _ in self.remembered if key.startswith("sync/provenance/")]


async def test_a_flow_is_on_record_before_anything_of_it_is_left_out() -> None:
    case = Case()
    await case.provenance.prepare(EAST, WEST)
    assert case.provenance.inbound == {}
    case.source.shown = [BACK]
    case.refuses = True
    with pytest.raises(KafkaError):
        await case.learn(70)
    assert case.provenance.inbound == {}
    case.refuses = False
    assert await case.learn(70)
    assert (case.provenance.inbound, case.ids) == ({70: 0}, ["sync/provenance/70"])


async def test_brokers_that_have_not_heard_of_a_state_topic_are_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case()
    await case.provenance.prepare(EAST, WEST)
    for _ in range(3):
        with pytest.raises(KafkaError) as raised:
            await case.learn(70)
        assert raised.value.retriable
    case.source.shown = [BACK]
    assert await case.learn(70)
    case.source.shown = []
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    assert not await case.learn(99)
    assert case.partition.state == PartitionState.STOPPED
    assert case.partition.reason is not None
    assert case.partition.reason.acceptable


async def test_an_operator_can_accept_one_unknown_flow() -> None:
    case = Case()
    await case.provenance.prepare(EAST, WEST)
    case.partition.accepts = True
    assert await case.learn(99)
    assert (case.provenance.inbound, case.ids) == ({99: 0}, ["sync/provenance/99"])
    with pytest.raises(KafkaError):
        await case.learn(98)


async def test_what_was_remembered_counts_for_the_cluster_it_was_learnt_of() -> None:
    record = FlowRecord()
    for producer_id, cluster in ((70, "east-id"), (71, "another-id")):
        value = {"cluster": cluster, "flow": "back", "at": 1.0}
        record.fold(f"sync/provenance/{producer_id}", value, 0)
    case = Case(record=record)
    await case.provenance.prepare(EAST, WEST)
    assert case.provenance.inbound == {70: 0}
    assert await case.learn(70)
    assert case.source.looks == 1  # at the beginning only


@pytest.mark.parametrize("settings", [{"origin": "any"}, {"rename": "prefix"}])
async def test_a_flow_that_takes_all_leaves_nobodys_out(settings: dict[str, str]) -> None:
    case = Case(BACK, **settings)
    await case.provenance.prepare(EAST, WEST)
    assert case.provenance.inbound is None
    assert case.provenance.two_way
    assert [(each.name, each.back) for each in case.provenance.snapshot()] == [("back", True)]


async def test_the_flows_clusters_are_written_once() -> None:
    case = Case()
    for _ in range(2):
        await case.provenance.prepare(EAST, WEST)
    ends = {
        "source": "east", "source_id": "east-id", "target": "west", "target_id": "west-id",
        "rename": "identity",
    }  # fmt: skip
    assert case.remembered == [("flow", ends)]


@pytest.mark.parametrize(
    ("direct", "told"),
    [
        ([], True),
        ([InboundFlow("other", 5, "north", "north-id", False, frozenset({"u"}))], True),
        ([InboundFlow("other", 5, "south", "south-id", False, frozenset({"t"}))], True),
        ([InboundFlow("direct", 5, "north", "north-id", False, frozenset({"t"}))], False),
    ],
)
async def test_a_chain_that_loses_records_is_told(direct: list[InboundFlow], told: bool) -> None:
    """Of flows from a third cluster whose records were left out; not of the way back."""
    case = Case(BACK, THIRD)
    case.target.shown = direct
    await case.provenance.prepare(EAST, WEST)
    assert (await case.provenance.sync_once()).left == []
    inbound = case.provenance.inbound
    assert inbound is not None
    inbound[70] += 3
    inbound[71] += 3
    case.partition.history.left_out = 6
    case.board.add(case.partition)
    left = (await case.provenance.sync_once()).left
    assert [each.object for each in left] == ["flow third"] * told
    assert all("records of t that it mirrors from north into east" in each.text for each in left)


def test_state_topics_are_known_by_their_names() -> None:
    names = [
        "ccr.a-to-b.internal",
        "ccr.a.b.internal",
        "ccr.a-to-b.quarantine.internal",
        "ccr.internal",
        "orders",
    ]
    found = state_topics(ClusterMetadata("id", 1, topics=dict.fromkeys(names)))  # type: ignore[arg-type]
    assert found == {"a-to-b": "ccr.a-to-b.internal", "a.b": "ccr.a.b.internal"}
