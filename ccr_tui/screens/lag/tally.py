"""Partitions added up by topic, change by change: nothing is added up again that did not change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ccr_tui.screens.lag.eta import NEVER, eta
from ccr_tui.screens.tones import STUCK_TRENDS, WORD_RANKS, soon, state_word
from engine.api.retention_snapshots import Overtaking
from engine.api.snapshots import PartitionSnapshot, PartitionState, Trend

PartitionKey = tuple[str, int]
MOST = 0.5
"""The share from which on a partition is hot."""


@dataclass(frozen=True, slots=True)
class Hot:
    """The partition that takes most of its topic's lag or, without lag, of its rate."""

    partition: int
    share: float
    of: str  # lag, rate


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One topic of a flow; sums, and the worst of its partitions."""

    topic: str
    partitions: int
    words: tuple[tuple[str, int], ...]  # what partitions do and how many, worst first
    stopped: int
    lag_records: int | None  # None: no partition's is known
    lag_seconds: float | None  # the worst partition's
    records_per_second: float
    bytes_per_second: float
    lag_change: float | None  # records a second; None: not known
    eta: float | None
    hot: Hot | None
    overtaken: Overtaking | None  # the first
    overtaken_partition: int
    overtaken_soon: bool  # within a day

    @property
    def trend(self) -> Trend:
        """What the lag of all partitions together does."""
        if self.lag_records == 0:
            return Trend.IN_STEP
        if self.lag_change is None:
            return Trend.UNKNOWN
        if self.lag_change > 0:
            return Trend.GROWING
        moves = self.lag_change < 0 or self.records_per_second > 0
        return Trend.DRAINING if moves else Trend.STALLED


def is_stuck(partition: PartitionSnapshot) -> bool:
    """Whether someone should look at why it does not move."""
    if partition.state is PartitionState.RUNNING:
        return partition.trend in STUCK_TRENDS
    return partition.state in (PartitionState.STOPPED, PartitionState.WAITING)


class _Most:
    """Which partition has the highest value; looked for again only when that one's falls."""

    __slots__ = ("holder", "of", "stale", "value")

    def __init__(self, of: Callable[[PartitionSnapshot], float | None]) -> None:
        self.of = of
        self.value: float | None = None
        self.holder = -1
        self.stale = False

    def changed(self, row: PartitionSnapshot) -> None:
        value, most = self.of(row), self.value
        if value is not None and (most is None or value >= most):
            self.value, self.holder = value, row.partition
        elif row.partition == self.holder:
            self.stale = True

    def removed(self, partition: int) -> None:
        self.stale = self.stale or partition == self.holder

    def settle(self, rows: Iterable[PartitionSnapshot]) -> None:
        if not self.stale:
            return
        self.value, self.holder, self.stale = None, -1, False
        for row in rows:
            self.changed(row)


def _overtaken_early(row: PartitionSnapshot) -> float | None:
    return None if row.overtaken is None else -row.overtaken.at


class TopicTally:
    """One topic's partitions and their sums."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.rows: dict[int, PartitionSnapshot] = {}
        self._words: dict[str, int] = {}
        self._lag = self._known = self._moving = self._without_eta = 0
        self._records = self._bytes = self._change = 0.0
        self._oldest = _Most(lambda row: row.lag_seconds)
        self._furthest = _Most(lambda row: row.lag_records)
        self._fastest = _Most(lambda row: row.records_per_second)
        self._latest = _Most(eta)
        self._first = _Most(_overtaken_early)
        self._extremes = (self._oldest, self._furthest, self._fastest, self._latest, self._first)

    def put(self, row: PartitionSnapshot) -> None:
        """Take in a new or changed partition."""
        before = self.rows.get(row.partition)
        if before is not None:
            self._add(before, -1)
        self.rows[row.partition] = row
        self._add(row, 1)
        for extreme in self._extremes:
            extreme.changed(row)

    def drop(self, partition: int) -> None:
        """Forget a partition."""
        row = self.rows.pop(partition, None)
        if row is not None:
            self._add(row, -1)
            for extreme in self._extremes:
                extreme.removed(partition)

    def _add(self, row: PartitionSnapshot, sign: int) -> None:
        word = state_word(row)
        self._words[word] = self._words.get(word, 0) + sign
        if row.lag_records is not None:
            self._lag += sign * row.lag_records
            self._known += sign
        if row.lag_records_per_second is not None:
            self._change += sign * row.lag_records_per_second
            self._moving += sign
        self._without_eta += sign * (eta(row) is None)
        self._records += sign * row.records_per_second
        self._bytes += sign * row.bytes_per_second

    def row(self) -> TopicRow:
        """Return the topic as it is now."""
        for extreme in self._extremes:
            extreme.settle(self.rows.values())
        words = [(word, count) for word, count in self._words.items() if count]
        words.sort(key=lambda pair: -WORD_RANKS[pair[0]])
        first = self.rows.get(self._first.holder)
        return TopicRow(
            self.topic,
            len(self.rows),
            tuple(words),
            self._words.get("stopped", 0),
            self._lag if self._known else None,
            self._oldest.value,
            max(0.0, round(self._records, 1)),
            max(0.0, round(self._bytes, 1)),
            round(self._change, 1) if self._moving else None,
            self._eta(),
            self._hot(),
            first.overtaken if first else None,
            self._first.holder,
            first is not None and soon(first.overtaken, first.observed_at),
        )

    def _eta(self) -> float | None:
        if self._latest.value == NEVER or not self._without_eta:
            return self._latest.value
        return None

    def _hot(self) -> Hot | None:
        if len(self.rows) < 2:
            return None
        for name, whole, most in (
            ("lag", self._lag, self._furthest),
            ("rate", self._records, self._fastest),
        ):
            if most.value and whole >= 1:
                share = most.value / whole
                return Hot(most.holder, share, name) if share >= MOST else None
        return None


class FlowTally:
    """All topics of a flow, and which of their partitions are stuck."""

    def __init__(self) -> None:
        self.topics: dict[str, TopicTally] = {}
        self.stuck: set[PartitionKey] = set()

    def update(
        self, rows: Iterable[PartitionSnapshot], removed: Iterable[PartitionKey] = ()
    ) -> tuple[list[TopicRow], list[str]]:
        """Take in changes; return the topics that changed, and those that are gone."""
        touched: set[str] = set()
        for row in rows:
            tally = self.topics.get(row.topic)
            if tally is None:
                tally = self.topics[row.topic] = TopicTally(row.topic)
            tally.put(row)
            touched.add(row.topic)
            (self.stuck.add if is_stuck(row) else self.stuck.discard)((row.topic, row.partition))
        for topic, partition in removed:
            self.stuck.discard((topic, partition))
            if topic in self.topics:
                self.topics[topic].drop(partition)
                touched.add(topic)
        gone = [topic for topic in touched if not self.topics[topic].rows]
        for topic in gone:
            del self.topics[topic]
        return [self.topics[topic].row() for topic in touched if topic in self.topics], gone

    def replace(self, rows: Iterable[PartitionSnapshot]) -> list[TopicRow]:
        """Take in all there are."""
        self.topics.clear()
        self.stuck.clear()
        return self.update(rows)[0]

    def partitions(self, topic: str) -> Iterator[PartitionSnapshot]:
        """Yield a topic's partitions."""
        tally = self.topics.get(topic)
        yield from tally.rows.values() if tally else ()

    def hot(self, partition: PartitionSnapshot) -> Hot | None:
        """Return how hot a partition is, if it is its topic's hot one."""
        tally = self.topics.get(partition.topic)
        hot = tally.row().hot if tally else None
        return hot if hot and hot.partition == partition.partition else None
