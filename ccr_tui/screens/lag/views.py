"""The lag screen's three tables: topics, the partitions of one of them, all partitions."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Generic

from ccr_tui.screens.lag import filtering
from ccr_tui.screens.lag.columns import lag_columns
from ccr_tui.screens.lag.filtering import Filter, Words
from ccr_tui.screens.lag.tally import FlowTally, PartitionKey, TopicRow
from ccr_tui.screens.lag.topic_columns import topic_columns
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.book import Key, Order
from ccr_tui.widgets.table.columns import RowT
from ccr_tui.widgets.table.pane import TablePane
from ccr_tui.widgets.table.view import LineTable
from engine.api.snapshots import PartitionSnapshot


class ViewName(StrEnum):
    """Which table is shown."""

    TOPICS = "topics"
    TOPIC = "topic"
    FLAT = "flat"


class View(Generic[RowT]):
    """A table with its pane and its filter; loaded also while another one is shown."""

    def __init__(
        self, table: LineTable[RowT], words: Words[RowT], noun: str, name: ViewName
    ) -> None:
        self.table = table
        self.pane = TablePane(table, id=f"{name}-pane")
        self.noun = noun
        self.filter: Filter[RowT] | None = None
        self._words = words

    def load(self, rows: Iterable[RowT], removed: Iterable[Key] = ()) -> None:
        """Take in changes; what is not shown is put in order only when it is."""
        if self.pane.display:
            self.table.load(rows, removed)
        else:
            self.table.book.update(rows, removed)

    def replace(self, rows: Iterable[RowT]) -> None:
        """Take in all rows there are."""
        kept = tuple(rows)
        keys = {self.table.key(row) for row in kept}
        self.load(kept, [key for key in self.table.book.rows if key not in keys])

    def show(self, *, shown: bool) -> None:
        """Show or hide it."""
        self.pane.display = shown
        if shown:
            self.table.settle(now=True)
            self.table.focus()

    def set_filter(self, text: str) -> bool:
        """Filter by what was typed; return whether that is another filter. Raises FilterError."""
        wanted = filtering.parse(text, self._words)
        if (wanted.text if wanted else "") == (self.filter.text if self.filter else ""):
            return False
        self.filter = wanted
        self.table.set_filter(wanted.matches if wanted else None)
        return True


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
        self.topics = View(topics, filtering.OF_TOPICS, "topic", ViewName.TOPICS)
        self.within = View(
            _partitions(symbols, "topic-partitions"),
            filtering.OF_PARTITIONS,
            "partition",
            ViewName.TOPIC,
        )
        self.flat = View(
            _partitions(symbols, "partitions"),
            filtering.OF_PARTITIONS,
            "partition",
            ViewName.FLAT,
        )
        self.name = ViewName.TOPICS

    @property
    def current(self) -> View[Any]:
        """The one that is shown."""
        return self._all[self.name]

    @property
    def _all(self) -> dict[ViewName, View[Any]]:
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
