"""Fetcher, sender and what ties them together, over real sockets to brokers of the test's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest_v11, FetchResponse_v11
from aiokafka.protocol.produce import ProduceRequest_v8, ProduceResponse_v8

from engine.api.snapshots import PartitionState
from engine.config.cluster_section import ClusterConfig
from engine.config.flow_section import LimitsConfig
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.fetch import PartitionData
from engine.kafka.metadata import ClusterMetadata, PartitionMetadata, TopicMetadata
from engine.replication.already_there import AlreadyThere
from engine.replication.fetcher import Fetcher
from engine.replication.limiter import Limiter
from engine.replication.links import Links
from engine.replication.partition import MirrorPartition, Progress
from engine.replication.sender import MAX_IN_FLIGHT, Sender
from engine.replication.troubles import OutOfRange
from tests.unit import source_log as log
from tests.unit.loopback import Peer, Request, listening, say_versions
from tests.unit.recording_listener import RecordingListener

VERSIONS = [(0, 3, 11), (1, 4, 17)]
PATIENCE_S = 20.0
NO_LIMIT = 2**40
Answers = dict[tuple[str, int], tuple[int, bytes]]  # (topic, partition) → (error, records)


def cluster(port: int) -> Cluster:
    """Describe a cluster whose brokers 1 and 2 are both at that port."""
    made = Cluster("east", ClusterConfig(bootstrap_servers=[f"127.0.0.1:{port}"]))
    made.brokers = {1: ("127.0.0.1", port), 2: ("127.0.0.1", port)}
    return made


def running(number: int, listener: RecordingListener, at: int = 0) -> MirrorPartition:
    """Build a partition that waits for data from `at` on."""
    partition = MirrorPartition(("orders", number), "orders", listener)
    partition.acked = Progress(at, at, 0)
    partition.positioned = True
    partition.begin((99, 0), AlreadyThere(proven=True), 64)
    return partition


def batch(offset: int, count: int = 10, size: int = 500) -> bytes:
    """Build a batch that is not tiny."""
    return log.batch_of(log.dense(offset, [(1, b"k", b"v" * size, ())] * count))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  (conditions of all kinds)
            await asyncio.sleep(0.005)


class Brokers:
    """Hands the requests that arrive to the test, one at a time, whatever connection they use."""

    def __init__(self) -> None:
        self.connections = 0
        self._arrived: asyncio.Queue[tuple[Peer, Request]] = asyncio.Queue()

    async def serve(self, peer: Peer) -> None:
        """Keep one connection."""
        await say_versions(peer, VERSIONS)
        self.connections += 1
        while True:
            self._arrived.put_nowait((peer, await peer.request()))

    async def request(self) -> tuple[Peer, Request]:
        """Wait for the next request."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._arrived.get()

    def quiet(self) -> bool:
        """Whether no request waits."""
        return self._arrived.empty()


@asynccontextmanager
async def brokers() -> AsyncIterator[tuple[Brokers, Cluster]]:
    """Serve on a port."""
    made = Brokers()
    async with listening(made.serve) as port:
        yield made, cluster(port)


@asynccontextmanager
async def at_work(link: Fetcher | Sender) -> AsyncIterator[None]:
    """Let a link run for the time of a test."""
    task = asyncio.create_task(link.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# Fetching


class Fetch:
    """A fetch request that arrived, and the way to answer it."""

    def __init__(self, peer: Peer, request: Request) -> None:
        self.peer = peer
        self._request = request
        self.body: Any = FetchRequest_v11.decode(request.body)

    @property
    def asked(self) -> dict[int, int]:
        """Offsets by partition, as told."""
        return {row[0]: row[2] for _, rows in self.body.topics for row in rows}

    @property
    def forgotten(self) -> list[int]:
        """Partitions told to forget."""
        return [number for _, rows in self.body.forgotten_topics_data for number in rows]

    async def answer(self, answers: Answers, *, error: int = 0, session: int = 7) -> None:
        """Answer for some partitions."""
        topics = [
            (topic, [(number, code, 9_000, 9_000, 0, None, -1, records)])
            for (topic, number), (code, records) in answers.items()
        ]
        body = FetchResponse_v11(0, error, session, topics).encode()
        await self.peer.answer(self._request, body)


async def fetch_at(made: Brokers) -> Fetch:
    """Wait for the next fetch."""
    return Fetch(*await made.request())


class FetchCase:
    """A fetcher with two partitions."""

    def __init__(self, source: Cluster) -> None:
        self.listener = RecordingListener()
        self.first, self.second = running(0, self.listener), running(1, self.listener)
        self.moved = 0
        self.share = NO_LIMIT
        self.fetcher = Fetcher(
            source,
            1,
            committed=True,
            limiter=Limiter(None),
            admit=lambda partition: partition.wants_data(self.share),
            leader_moved=self.leader_moved,
        )
        self.assign()

    def leader_moved(self) -> None:
        self.moved += 1

    def assign(self) -> None:
        """Do what every look at the topics does."""
        self.fetcher.assign([self.first, self.second])


async def test_what_is_fetched_goes_on_from_where_it_ended() -> None:
    async with brokers() as (made, source):
        case = FetchCase(source)
        async with at_work(case.fetcher):
            fetch = await fetch_at(made)
            assert (fetch.asked, fetch.body.session_epoch) == ({0: 0, 1: 0}, 0)
            await fetch.answer({("orders", 0): (0, batch(0))})
            fetch = await fetch_at(made)
            assert (fetch.asked, fetch.body.session_id, fetch.body.session_epoch) == ({0: 10}, 7, 1)
            await fetch.answer({})
            fetch = await fetch_at(made)
            assert (fetch.asked, fetch.body.session_epoch) == ({}, 2)
        assert [append.count for append in case.first.queue] == [10]
        assert case.first.measures.source_end == 9_000
        assert case.second.idle


@pytest.mark.parametrize("error", [Code.NOT_LEADER_OR_FOLLOWER, Code.UNKNOWN_TOPIC_OR_PARTITION])
async def test_a_partition_whose_leader_moved_is_asked_for_again_after_the_next_look(
    error: int,
) -> None:
    async with brokers() as (made, source):
        case = FetchCase(source)
        async with at_work(case.fetcher):
            await (await fetch_at(made)).answer({("orders", 0): (error, b"")})
            fetch = await fetch_at(made)
            assert (fetch.asked, fetch.forgotten) == ({}, [0])
            assert case.moved == 1
            assert case.first.state == PartitionState.WAITING
            assert case.first.reason is not None
            assert "the source answered" in case.first.reason.text
            case.assign()
            await fetch.answer({("orders", 1): (0, batch(0))})
            fetch = await fetch_at(made)
            assert fetch.asked == {0: 0, 1: 10}
            await fetch.answer({("orders", 0): (0, batch(0))})
            await until(lambda: case.first.state == PartitionState.RUNNING)
            assert case.first.position == 10
        assert case.listener.resyncs == [], "the target has nothing to do with it"


async def test_a_session_that_the_broker_forgot_is_begun_anew() -> None:
    async with brokers() as (made, source):
        case = FetchCase(source)
        async with at_work(case.fetcher):
            await (await fetch_at(made)).answer({})
            fetch = await fetch_at(made)
            assert fetch.asked == {}
            await fetch.answer({}, error=Code.FETCH_SESSION_ID_NOT_FOUND, session=0)
            fetch = await fetch_at(made)
            assert (fetch.asked, fetch.body.session_epoch) == ({0: 0, 1: 0}, 0)
        assert made.connections == 1


@pytest.mark.parametrize("way", ["cut", "nonsense", "error"])
async def test_after_a_lost_connection_all_is_asked_for_again(way: str) -> None:
    async with brokers() as (made, source):
        case = FetchCase(source)
        async with at_work(case.fetcher):
            fetch = await fetch_at(made)
            await fetch.answer({("orders", 0): (0, batch(0))})
            fetch = await fetch_at(made)
            if way == "cut":
                fetch.peer.cut()
            elif way == "nonsense":
                await fetch.peer.answer(fetch._request, b"\x00" * 13)
            else:
                await fetch.answer({}, error=Code.UNKNOWN_SERVER_ERROR)
            await until(lambda: case.fetcher.trouble is not None)
            assert case.moved
            fetch = await fetch_at(made)
            assert (fetch.asked, fetch.body.session_epoch) == ({0: 10, 1: 0}, 0)
            assert case.fetcher.trouble is None
        assert made.connections == 2


@pytest.mark.parametrize("end", ["cut", "left out"])
async def test_an_answer_that_leaves_a_partition_out_says_that_nothing_changed(end: str) -> None:
    """What is known of an idle partition is as old as the last answer, and stays so afterwards."""
    async with brokers() as (made, source):
        case = FetchCase(source)
        idle = case.second
        async with at_work(case.fetcher):
            await (await fetch_at(made)).answer({("orders", n): (0, b"") for n in (0, 1)})
            fetch = await fetch_at(made)
            idle.measures.observed_at -= 3600  # a quiet hour later
            case.fetcher.answered_at -= 3600
            assert case.fetcher.seen_at(idle) < time.time() - 3000
            await fetch.answer({})
            fetch = await fetch_at(made)
            answered = case.fetcher.answered_at
            assert answered > time.time() - 60
            assert case.fetcher.seen_at(idle) == answered
            if end == "cut":
                fetch.peer.cut()
                await until(lambda: case.fetcher.trouble is not None)
                await fetch_at(made)
            else:
                case.share = 0
                case.fetcher.check(idle)
                await fetch.answer({})
                assert (await fetch_at(made)).forgotten == [1]
            assert idle.measures.observed_at >= answered


async def test_a_full_partition_is_left_out_until_it_has_let_go() -> None:
    async with brokers() as (made, source):
        case = FetchCase(source)
        async with at_work(case.fetcher):
            case.share = 1
            await (await fetch_at(made)).answer({("orders", 0): (0, batch(0))})
            fetch = await fetch_at(made)
            assert (fetch.asked, fetch.forgotten) == ({}, [0])
            assert fetch.body.max_wait_time <= 10, "soon asked again"
            case.first.appended(case.first.next_append(), 0)
            await fetch.answer({})
            assert (await fetch_at(made)).asked == {0: 10}


async def test_records_of_another_offset_than_is_wanted_now_are_not_taken() -> None:
    """The partition began anew while its answer was on the way."""
    async with brokers() as (made, source):
        case = FetchCase(source)
        async with at_work(case.fetcher):
            fetch = await fetch_at(made)
            case.first.halt(PartitionState.PAUSED)
            case.first.acked = Progress(5, 5, 0)
            case.first.begin((99, 0), AlreadyThere(proven=True), 64)
            await fetch.answer({("orders", 0): (0, batch(0))})
            fetch = await fetch_at(made)
            assert fetch.asked == {0: 5}
            assert case.first.idle


async def test_an_offset_out_of_range_and_a_missing_right_are_told() -> None:
    async with brokers() as (made, source):
        case = FetchCase(source)
        async with at_work(case.fetcher):
            answers: Answers = {
                ("orders", 0): (Code.OFFSET_OUT_OF_RANGE, b""),
                ("orders", 1): (Code.TOPIC_AUTHORIZATION_FAILED, b""),
            }
            fetch = await fetch_at(made)
            await fetch.answer(answers)
            await until(lambda: case.second.state == PartitionState.STOPPED)
        assert case.listener.troubles == [OutOfRange()]
        assert case.second.reason is not None
        assert "Grant READ on orders" in case.second.reason.next_step


# Sending


def full(partition: MirrorPartition, batches: int) -> MirrorPartition:
    """Queue appends of ten records each."""
    view = log.joined([batch(10 * number) for number in range(batches)])
    data = PartitionData("orders", partition.partition, 0, 999, 999, 0, (), 0, len(view))
    partition.take(view, data, committed=True)
    return partition


class Produce:
    """A produce request that arrived, and the way to answer it."""

    def __init__(self, peer: Peer, request: Request) -> None:
        assert request.version == 8
        self.peer = peer
        self._request = request
        body: Any = ProduceRequest_v8.decode(request.body)
        self.batches = {number: data for _, rows in body.topics for number, data in rows}

    def sequence(self, number: int) -> int:
        """Return the base sequence sent for a partition."""
        return log.header_of(self.batches[number])["base_sequence"]

    async def answer(self, answers: dict[int, tuple[int, int]]) -> None:
        """Answer (error, base offset) by partition."""
        rows = [(n, code, base, -1, 0, [], None) for n, (code, base) in answers.items()]
        body = ProduceResponse_v8([("orders", rows)], 0).encode()
        await self.peer.answer(self._request, body)


async def produced_at(made: Brokers) -> Produce:
    """Wait for the next produce request."""
    return Produce(*await made.request())


class SendCase:
    """A sender with two partitions."""

    def __init__(self, target: Cluster, batches: int) -> None:
        self.listener = RecordingListener()
        self.first = full(running(0, self.listener), batches)
        self.second = full(running(1, self.listener), batches)
        self.moved = 0
        self.sender = Sender(target, 1, self.leader_moved)
        self.sender.enqueue(self.first)
        self.sender.enqueue(self.second)

    def leader_moved(self) -> None:
        self.moved += 1


async def test_one_request_takes_a_batch_of_each_partition_and_five_are_unanswered() -> None:
    async with brokers() as (made, target):
        case = SendCase(target, 8)
        async with at_work(case.sender):
            requests = [await produced_at(made) for _ in range(MAX_IN_FLIGHT)]
            for number, request in enumerate(requests):
                assert [request.sequence(0), request.sequence(1)] == [10 * number, 10 * number]
            for _ in range(20):
                await asyncio.sleep(0)  # the sender's turn, were it to send a sixth
            assert (len(case.first.queue), len(case.second.queue)) == (3, 3)
            for number in range(8):
                await requests[number].answer({0: (0, 10 * number), 1: (0, 10 * number)})
                if number + MAX_IN_FLIGHT < 8:
                    requests.append(await produced_at(made))
            await until(lambda: case.first.idle and case.second.idle)
        assert case.first.acked == case.second.acked == Progress(80, 80, 80, 1)


async def test_each_partition_gets_its_own_answer() -> None:
    async with brokers() as (made, target):
        case = SendCase(target, 1)
        async with at_work(case.sender):
            request = await produced_at(made)
            await request.answer({0: (Code.NOT_LEADER_OR_FOLLOWER, -1), 1: (0, 0)})
            await until(lambda: case.second.idle)
        assert case.second.acked.source == 10
        assert case.first.state == PartitionState.WAITING
        assert (case.listener.resyncs, case.moved) == ([False], 1)


async def test_a_defect_of_ours_stops_its_partition_and_no_other() -> None:
    async with brokers() as (made, target):
        case = SendCase(target, 1)
        case.first.offset_map.append(10_000, 0, 1)  # so that the map refuses what comes
        async with at_work(case.sender):
            await (await produced_at(made)).answer({0: (0, 0), 1: (0, 0)})
            await until(lambda: case.second.idle)
        assert case.second.acked.source == 10
        assert case.first.state == PartitionState.STOPPED
        assert case.first.reason is not None
        assert "internal error: ValueError: run (0, 0, 10) reaches back" in case.first.reason.text


async def test_a_partition_that_the_answer_leaves_out_is_looked_at() -> None:
    async with brokers() as (made, target):
        case = SendCase(target, 1)
        async with at_work(case.sender):
            await (await produced_at(made)).answer({1: (0, 0)})
            await until(lambda: case.second.idle)
        assert case.first.reason is not None
        assert case.first.reason.text == "the target did not answer for this partition"
        assert case.listener.resyncs == [False]


@pytest.mark.parametrize("way", ["cut", "nonsense"])
async def test_a_lost_connection_gives_everything_back_once(way: str) -> None:
    async with brokers() as (made, target):
        case = SendCase(target, 8)
        async with at_work(case.sender):
            requests = [await produced_at(made) for _ in range(MAX_IN_FLIGHT)]
            await requests[0].answer({0: (0, 0), 1: (0, 0)})
            await until(lambda: case.first.acked.source == case.second.acked.source == 10)
            if way == "cut":
                requests[1].peer.cut()
            else:
                await requests[1].peer.answer(requests[1]._request, b"\x00\x00\x00\x05")
            await until(lambda: len(case.listener.resyncs) == 2)
            for partition in (case.first, case.second):
                assert partition.idle
                assert partition.state == PartitionState.WAITING
                assert partition.acked == Progress(10, 10, 10, 1)
            assert case.listener.held == 0
            await until(lambda: made.connections == 2)
            while not made.quiet():
                await made.request()
            case.first.begin((99, 0), AlreadyThere(proven=True), 64)
            full(case.first, 2)
            case.sender.enqueue(case.first)
            request = await produced_at(made)
            assert list(request.batches) == [0]
            assert request.sequence(0) == 10
            assert case.listener.resyncs == [False, False]


async def test_a_broker_that_cannot_be_reached_gives_the_queue_back_and_says_so() -> None:
    async with listening(lambda peer: say_versions(peer, [])) as port:
        target = cluster(port)
    case = SendCase(target, 3)
    async with at_work(case.sender):
        await until(lambda: case.sender.trouble is not None)
        assert case.sender.trouble is not None
        assert "connection refused" in str(case.sender.trouble)
        assert case.listener.resyncs == [False, False]
        assert case.listener.held == 0
        assert case.moved


# Both


@contextmanager
def linked(links: Links, tasks: asyncio.TaskGroup) -> Iterator[None]:
    """Let links start their tasks in a group."""
    links.tasks = tasks
    yield
    for _, task in [*links._fetchers.values(), *links._senders.values()]:
        task.cancel()


class LinkedListener(RecordingListener):
    """Passes on what partitions tell, as a flow does."""

    links: Links

    def has_work(self, partition: MirrorPartition) -> None:
        self.links.has_work(partition)

    def holds(self, partition: MirrorPartition, delta: int) -> None:
        super().holds(partition, delta)
        self.links.holds(partition, delta)


def led_by(leaders: dict[int, int]) -> ClusterMetadata:
    """Describe topic orders: leader by partition."""
    partitions = {n: PartitionMetadata(leader, 1, 1, 0) for n, leader in leaders.items()}
    brokers = {1: ("127.0.0.1", 1), 2: ("127.0.0.1", 2)}
    return ClusterMetadata(
        "id", 1, brokers, {"orders": TopicMetadata("orders", False, 0, partitions)}
    )


async def test_room_at_a_sender_wakes_the_fetchers_of_all_brokers() -> None:
    """What one broker's partition waits for may be held by a partition of another broker."""
    async with brokers() as (sources, source), brokers() as (targets, target):
        listener = LinkedListener()
        listener.links = Links(
            source,
            target,
            LimitsConfig(buffer_bytes=1024 * 1024, connections=1),
            committed=True,
            limiter=Limiter(None),
            may_fetch=lambda: True,
            leader_moved=lambda: None,
        )
        first, second = running(0, listener), running(1, listener)
        async with asyncio.TaskGroup() as tasks:
            with linked(listener.links, tasks):
                second.halt(PartitionState.PAUSED)
                listener.links.assign([first, second], led_by({0: 1, 1: 2}), led_by({0: 1, 1: 1}))
                fetch = await fetch_at(sources)
                assert fetch.asked == {0: 0}
                await fetch.answer({("orders", 0): (0, batch(0, 1_200, 1_000))})
                produced = await produced_at(targets)
                second.begin((99, 0), AlreadyThere(proven=True), 64)
                listener.links.check(second)
                await until(lambda: bool(listener.links._fetchers[2][0]._pressed))
                await produced.answer({0: (0, 0)})
                asked: dict[int, int] = {}
                while asked != {1: 0}:
                    asked = (await fetch_at(sources)).asked
        assert first.acked.source == 1_200


async def test_a_partition_follows_its_leader_with_what_it_holds() -> None:
    async with brokers() as (sources, source), brokers() as (targets, target):
        listener = LinkedListener()
        listener.links = Links(
            source,
            target,
            LimitsConfig(connections=1),
            committed=True,
            limiter=Limiter(None),
            may_fetch=lambda: True,
            leader_moved=lambda: None,
        )
        partition = running(0, listener)
        async with asyncio.TaskGroup() as tasks:
            with linked(listener.links, tasks):
                listener.links.assign([partition], led_by({0: 1}), led_by({0: 1}))
                fetch = await fetch_at(sources)
                await fetch.answer({("orders", 0): (0, batch(0))})
                await produced_at(targets)
                before = listener.links._senders[1, 0][0]
                assert before.held == partition.held > 0
                listener.links.assign([partition], led_by({0: 2}), led_by({0: 2}))
                after = listener.links._senders[2, 0][0]
                assert (before.held, after.held) == (0, partition.held)
                await until(lambda: listener.resyncs == [False])  # its connection is gone
                assert after.held == partition.held == 0
                partition.begin((99, 0), AlreadyThere(proven=True), 64)
                listener.links.check(partition)
                asked: dict[int, int] = {}
                while asked != {0: 0}:
                    asked = (await fetch_at(sources)).asked
