"""When retention reaches what is not mirrored: the arithmetic, and the watch on a board."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.api.retention_snapshots import Overtaking
from engine.api.snapshots import PartitionState
from engine.errors import KafkaError
from engine.kafka.cluster import Cluster
from engine.kafka.topic_configs import TopicConfig
from engine.replication import retention_watch
from engine.replication.board import Board
from engine.replication.events import Events
from engine.replication.overtaking import Look, Retention, forecast
from engine.replication.partition import MirrorPartition, Progress
from engine.replication.retention_watch import RetentionWatch
from tests.unit.recording_listener import RecordingListener

NOW = 1_800_000_000.0
HOUR = 3600.0


def looks(
    ages: Iterable[float | None] = (), sizes: Iterable[float | None] = (), *, moves: int = 1
) -> list[Look]:
    """Looks ten seconds apart; the last one is now."""
    ages, sizes = list(ages), list(sizes)
    count = len(ages) or len(sizes)
    ages, sizes = ages or [None] * count, sizes or [None] * count
    return [
        Look(NOW - 10 * (count - 1 - n), 100 + n * moves, ages[n], sizes[n]) for n in range(count)
    ]


def test_what_is_halted_goes_when_its_oldest_record_is_too_old() -> None:
    found = forecast(looks([600.0]), Retention(HOUR, None), halted=True)
    assert found == Overtaking(NOW + 3000, "retention.ms")


def test_what_stands_still_is_as_if_halted_once_that_was_seen_for_a_while() -> None:
    retention = Retention(HOUR, None)
    assert forecast(looks([100.0, 110.0], moves=0), retention, halted=False) is None
    found = forecast(looks([100.0, 110.0, 120.0], moves=0), retention, halted=False)
    assert found == Overtaking(NOW + 3480, "retention.ms")


def test_lag_that_grows_by_half_a_second_a_second_takes_twice_as_long() -> None:
    found = forecast(looks([600.0, 605.0, 610.0]), Retention(HOUR, None), halted=False)
    assert found == Overtaking(NOW + 2 * (HOUR - 610), "retention.ms")


@pytest.mark.parametrize(
    ("ages", "why"),
    [
        ([600.0, 590.0, 580.0], "it drains"),
        ([600.0, 600.0, 600.1], "it stands as it is"),
        ([1.0, 11.0, 21.0], "a moment's lag"),
        ([600.0, 605.0], "not seen for long"),
        ([None, None, None], "nobody knows its age"),
        ([0.9 * HOUR, 0.89 * HOUR, 0.8 * HOUR], "it is late but drains"),
    ],
)
def test_nothing_is_overtaken_as_things_go(ages: list[float | None], why: str) -> None:
    assert forecast(looks(ages), Retention(HOUR, None), halted=False) is None, why


def test_by_size_what_is_not_mirrored_must_fill_all_that_is_kept() -> None:
    retention = Retention(None, 10_000)
    grows = looks(sizes=[4_000.0, 5_000.0, 6_000.0])  # 100 bytes a second
    assert forecast(grows, retention, halted=False) == Overtaking(NOW + 40, "retention.bytes")
    full = looks(sizes=[10_001.0])
    assert forecast(full, retention, halted=False) == Overtaking(NOW, "retention.bytes")
    assert forecast(looks(sizes=[6e3, 5e3, 4e3]), retention, halted=False) is None


def test_the_earlier_of_age_and_size_counts_and_what_is_years_away_does_not() -> None:
    both = looks([600.0, 610.0, 620.0], [4_000.0, 5_000.0, 6_000.0])
    assert forecast(both, Retention(HOUR, 10_000), halted=False) == Overtaking(
        NOW + 40, "retention.bytes"
    )
    assert forecast(both, Retention(630.0, 10_000), halted=False) == Overtaking(
        NOW + 10, "retention.ms"
    )
    assert forecast(looks([600.0]), Retention(365 * 24 * HOUR, None), halted=True) is None


@pytest.mark.parametrize(
    ("configs", "seconds", "size"),
    [
        ({"cleanup.policy": "delete", "retention.ms": "5000", "retention.bytes": "-1"}, 5.0, None),
        ({"cleanup.policy": "compact,delete", "retention.bytes": "7"}, None, 7),
        ({"cleanup.policy": "compact", "retention.ms": "5000", "retention.bytes": "7"}, None, None),
    ],
)  # fmt: skip
def test_what_a_topic_keeps(
    configs: dict[str, str], seconds: float | None, size: int | None
) -> None:
    found = Retention.of(configs)
    assert (found.seconds, found.bytes) == (seconds, size)
    assert found.limited is (seconds is not None or size is not None)


class Source:
    """What the watch asks of the source: where logs begin."""

    def __init__(self) -> None:
        self.starts: dict[tuple[str, int], int] = {}
        self.asked: list[set[tuple[str, int]]] = []

    async def metadata(self, topics: set[str]) -> None:
        return None

    async def list_offsets(
        self, wanted: Mapping[tuple[str, int], int], metadata: object
    ) -> dict[tuple[str, int], int]:
        self.asked.append(set(wanted))
        return {key: self.starts.get(key, 0) for key in wanted}


class Watched:
    """A watch on a board of two topics: `orders` keeps an hour, `clicks` may not be read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        self.source, self.board, self.events = Source(), Board("flow"), Events()
        self.read: list[list[str]] = []
        clock = SimpleNamespace(
            time=lambda: self.now, monotonic=lambda: self.now,
            strftime=retention_watch.time.strftime, localtime=retention_watch.time.localtime,
        )  # fmt: skip
        monkeypatch.setattr(retention_watch, "time", clock)
        monkeypatch.setattr(retention_watch, "described_configs", self.describe)
        source = cast("Cluster", self.source)
        self.watch = RetentionWatch("flow", source, self.board, self.events)

    async def describe(self, cluster: Any, topics: list[str], names: Any) -> Any:
        self.read.append(topics)
        hour = TopicConfig({"cleanup.policy": "delete", "retention.ms": "3600000"}, frozenset())
        refused = KafkaError("reading", "clicks", "not allowed", "Grant DESCRIBE_CONFIGS")
        there = {"orders": hour} if "orders" in topics else {}
        return there, ({"clicks": refused} if "clicks" in topics else {})

    def partition(self, topic: str, *, mirrored_to: int, end: int) -> MirrorPartition:
        made = MirrorPartition((topic, 0), topic, RecordingListener())
        made.positioned = True
        made.acked = Progress(mirrored_to, mirrored_to, mirrored_to)
        made.observe_end(mirrored_to, self.now - 1)
        made.observe_end(end, self.now)
        made.set_state(PartitionState.RUNNING)
        self.board.add(made)
        return made

    async def after(self, seconds: float) -> None:
        self.now += seconds
        await self.watch.look()

    def told(self) -> list[str]:
        return [f"{event.subject}: {event.text}" for event in self.events.since(0)]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


async def test_a_stopped_partition_is_warned_of_once_and_forgotten_when_it_is_in_step(
    watched: Watched,
) -> None:
    orders = watched.partition("orders", mirrored_to=5, end=9)
    await watched.after(5)
    assert watched.read == []  # too young a lag to ask anybody
    orders.stop("too large", "ccr retry")
    await watched.after(15)
    assert orders.measures.overtaken == Overtaking(NOW + 3600, "retention.ms")
    found = watched.watch.snapshot()
    assert found is not None
    assert (found.topic, found.partition, found.partitions) == ("orders", 0, 1)
    await watched.after(5)
    assert watched.read == [["orders"]]
    (told,) = watched.told()
    assert told.startswith("flow/orders/0: retention overtakes replication at ")
    orders.acked.source = 9
    await watched.after(5)
    assert orders.measures.overtaken is None
    assert watched.watch.snapshot() is None


async def test_what_is_nearly_overtaken_is_looked_at_on_the_source(watched: Watched) -> None:
    orders = watched.partition("orders", mirrored_to=5, end=9)
    orders.stop("too large", "ccr retry")
    await watched.after(20)
    assert watched.source.asked == []
    watched.source.starts["orders", 0] = 8
    await watched.after(3300)
    assert watched.source.asked == [{("orders", 0)}]
    assert orders.measures.overtaken == Overtaking(NOW + 3600, "retention.ms", gone_records=3)


async def test_configs_that_may_not_be_read_are_told_once(watched: Watched) -> None:
    clicks = watched.partition("clicks", mirrored_to=5, end=9)
    clicks.stop("too large", "ccr retry")
    await watched.after(20)
    await watched.after(400)
    assert clicks.measures.overtaken is None
    assert watched.told() == [
        "flow/clicks: whether retention overtakes clicks is not known: not allowed"
    ]
