"""The last hour of a flow in memory: what would have been lost, and throughput.

One point every STEP_S for the flow, and for each topic that was among the WORST lately, or that was
asked for. A point is five numbers of 8 bytes in arrays, so a flow's hour takes at most
(1 + TOPICS) * 1.1 * POINTS * 40 bytes = 1.6 MB, and what arrays keep in reserve: less than 2 MB
however many topics there are.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterable, Mapping

from engine.api.loss_snapshots import HistorySnapshot, LossPoint
from engine.replication.loss import TopicTally, total

STEP_S = 5.0
POINTS = 720  # an hour
WORST = 20  # topics that a point makes worth remembering
TOPICS = 50  # that are remembered at the same time


class _Series:
    """Columns of one flow or topic; the newest POINTS and at most a tenth more."""

    __slots__ = ("columns",)

    def __init__(self) -> None:
        # lost records, bytes and seconds, records and bytes a second; exact up to 2^53
        self.columns = tuple(array("d") for _ in range(5))

    def append(self, *values: float | None) -> None:
        for column, value in zip(self.columns, values, strict=True):
            column.append(math.nan if value is None else value)
            _trim(column)

    def __len__(self) -> int:
        return len(self.columns[0])


def _trim(column: array[float]) -> None:
    if len(column) > POINTS * 1.1:
        del column[:-POINTS]


class LossHistory:
    """One flow's."""

    def __init__(self) -> None:
        self._at = array("d")
        self._flow = _Series()
        self._topics: dict[str, _Series] = {}  # who was among the worst last comes last

    def due(self, now: float) -> bool:
        """Whether it is time for a point; `now` is in seconds since the epoch."""
        # A clock that was set back must not end the history.
        return not self._at or not 0 <= now - self._at[-1] < STEP_S - 0.5

    def note(self, topics: Mapping[str, TopicTally], now: float) -> None:
        """Add a point."""
        everything = total(topics.values(), {})
        self._at.append(now)
        _trim(self._at)
        self._flow.append(
            everything.records,
            everything.bytes,
            everything.seconds,
            sum(topic.records_per_second for topic in topics.values()),
            sum(topic.bytes_per_second for topic in topics.values()),
        )
        self._remember(topic for topic in topics.values() if topic.records)
        for name, series in self._topics.items():
            topic = topics.get(name) or TopicTally(name)
            series.append(
                topic.records,
                topic.bytes({}),
                topic.seconds if topic.records else 0.0,
                topic.records_per_second,
                topic.bytes_per_second,
            )

    def want(self, topic: str) -> None:
        """Remember a topic from now on, as one that was among the worst is."""
        self._topics[topic] = self._topics.pop(topic, _Series())
        self._forget()

    def _remember(self, losing: Iterable[TopicTally]) -> None:
        for worst in heapq.nlargest(WORST, losing, key=lambda topic: topic.records):
            series = self._topics.pop(worst.topic) if worst.topic in self._topics else _Series()
            self._topics[worst.topic] = series
        self._forget()

    def _forget(self) -> None:
        while len(self._topics) > TOPICS:
            del self._topics[next(iter(self._topics))]

    def worst(self, now: float) -> LossPoint | None:
        """Return the point of the last hour at which most records would have been lost."""
        records, size, seconds, *_ = self._flow.columns
        young = [index for index, at in enumerate(self._at) if now - at <= POINTS * STEP_S]
        if not young:
            return None
        index = max(young, key=lambda index: records[index])
        most = _known(size[index])
        return LossPoint(
            self._at[index],
            round(records[index]),
            None if most is None else round(most),
            _known(seconds[index]),
        )

    def snapshot(self, flow: str, topic: str | None) -> HistorySnapshot:
        """Return the flow's hour, or a topic's, which is empty when it was not among the worst."""
        series = self._flow if topic is None else self._topics.get(topic, _Series())
        count = min(len(series), POINTS)
        records, size, seconds, records_rate, bytes_rate = (
            column[len(column) - count :] for column in series.columns
        )
        return HistorySnapshot(
            flow,
            topic,
            STEP_S,
            tuple(self._at[len(self._at) - count :]),
            tuple(records),
            tuple(map(_known, size)),
            tuple(map(_known, seconds)),
            tuple(records_rate),
            tuple(bytes_rate),
        )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
