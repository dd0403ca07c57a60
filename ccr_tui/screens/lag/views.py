"""The lag screen's three tables: topics, the partitions of one of them, all partitions."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from ccr_tui.screens.lag import filtering
from ccr_tui.screens.lag.columns import lag_columns
from ccr_tui.screens.lag.tally import FlowTally, PartitionKey, TopicRow
from ccr_tui.screens.lag.topic_columns import topic_columns
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.snapshots import PartitionSnapshot


class ViewName(StrEnum):
    """Which table is shown."""

    TOPICS = "topics"
    TOPIC = "topic"
    FLAT = "flat"


class Views:
    """All three, fed from the same pages."""

    def __init__(self, symbols: Symbols) -> None:
        self.tally = FlowTally()
        self.topic = ""
        """Whose partitions are shown, once one was opened."""
        topics: LineTable[TopicRow] = LineTable(
            topic_columns(symbols),
            key=lambda row: row.topic,
            tie=lambda row: row.topic,
            order=Order("state", descending=True),
            symbols=symbols,
            rests_on_top=True,
            id="topics",
        )
        self.topics = FilteredTable(topics, filtering.OF_TOPICS, "topic")
        self.within = FilteredTable(
            _partitions(symbols, "topic-partitions"), filtering.OF_PARTITIONS, "partition"
        )
        self.flat = FilteredTable(
            _partitions(symbols, "partitions"), filtering.OF_PARTITIONS, "partition"
        )
        self.name = ViewName.TOPICS

    @property
    def current(self) -> FilteredTable[Any]:
        """The one that is shown."""
        return self._all[self.name]

    @property
    def _all(self) -> dict[ViewName, FilteredTable[Any]]:
        return {
            ViewName.TOPICS: self.topics,
            ViewName.TOPIC: self.within,
            ViewName.FLAT: self.flat,
        }

    @property
    def partition(self) -> PartitionSnapshot | None:
        """The partition under the cursor; None among topics."""
        if self.name is ViewName.TOPICS:
            return None
        return (self.within if self.name is ViewName.TOPIC else self.flat).table.current

    @property
    def topic_row(self) -> TopicRow | None:
        """The topic under the cursor, or of the partition under it."""
        if self.name is ViewName.TOPICS:
            return self.topics.table.current
        partition = self.partition
        return self.topics.table.book.rows.get(partition.topic) if partition else None

    def show(self, name: ViewName) -> None:
        """Show one of them."""
        self.name = name
        for each, view in self._all.items():
            if each is not name:
                view.show(shown=False)
        self.current.show(shown=True)

    def open(self, topic: str) -> None:
        """Show a topic's partitions, as they were left if it is the one that was shown last."""
        if topic != self.topic:
            self.topic = topic
            self.within.set_filter("")
            self.within.table.restart()
        self.within.replace(self.tally.partitions(topic))
        self.show(ViewName.TOPIC)

    def load(self, rows: Iterable[PartitionSnapshot], removed: Iterable[PartitionKey]) -> None:
        """Take in changed and new partitions, and those that are gone."""
        kept, gone = tuple(rows), tuple(removed)
        self.topics.load(*self.tally.update(kept, gone))
        self.flat.load(kept, gone)
        here = [row for row in kept if row.topic == self.topic]
        if here or gone:
            self.within.load(here, gone)

    def replace(self, rows: tuple[PartitionSnapshot, ...]) -> None:
        """Take in all partitions there are."""
        self.topics.replace(self.tally.replace(rows))
        self.flat.replace(rows)
        self.within.replace(row for row in rows if row.topic == self.topic)

    def go_to(self, key: PartitionKey) -> None:
        """Put the cursor on a partition: in the flat list if that is shown, else in its topic."""
        if self.name is not ViewName.FLAT:
            self.open(key[0])
        view = self.current
        if key not in view.table.book.position:
            view.set_filter("")
        view.table.go_to(key)

    def next_stuck(self, step: int) -> PartitionKey | None:
        """Return the stuck partition after (step 1) or before (-1) the cursor; None: none is.

        In the order of topic and partition, round and round.
        """
        stuck = sorted(self.tally.stuck)
        if not stuck:
            return None
        at = self._at()
        if step > 0:
            return next((key for key in stuck if key > at), stuck[0])
        return next((key for key in reversed(stuck) if key < at), stuck[-1])

    def _at(self) -> PartitionKey:
        partition, topic = self.partition, self.topics.table.current
        if partition is not None:
            return partition.topic, partition.partition
        return (topic.topic, -1) if topic is not None else ("", -1)


def _partitions(symbols: Symbols, id: str) -> LineTable[PartitionSnapshot]:
    return LineTable(
        lag_columns(symbols),
        key=lambda row: (row.topic, row.partition),
        tie=lambda row: (row.topic, row.partition),
        order=Order("state", descending=True),
        symbols=symbols,
        rests_on_top=True,
        id=id,
    )
