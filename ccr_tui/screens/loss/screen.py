"""What would be lost if the source died now: the sentence to read out, and where it comes from."""

from __future__ import annotations

import time
from typing import Any

from textual import on
from textual.app import ComposeResult

from ccr_tui import formats
from ccr_tui.actions import FLOW, GLOBAL, TABLE
from ccr_tui.catalog import REGISTRY
from ccr_tui.filtering import Words
from ccr_tui.screens.base import Console
from ccr_tui.screens.hour import HourPane, LastHour, records
from ccr_tui.screens.listing import ListingScreen, sentences
from ccr_tui.screens.loss.columns import partition_columns, size, topic_columns
from ccr_tui.screens.loss.place import SCOPE
from ccr_tui.state import ConsoleState
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.plot.series import Series
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.columns import Tone
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.loss_snapshots import HistorySnapshot, LossSnapshot, PartitionLoss, TopicLoss
from engine.service import loss_wording


class LossScreen(ListingScreen[LossSnapshot]):
    """Topics that would lose records, worst first; a topic's partitions."""

    SCOPES = (SCOPE, FLOW, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE, FLOW)
    CSS_PATH = "../hour.tcss"

    def __init__(self, console: Console, subject: str | None = None) -> None:
        super().__init__(console, subject)
        self.hour = HourPane(console.symbols, _plotted)
        self.last_hour = LastHour(self, self.hour, self._ask_history)

    def compose_body(self) -> ComposeResult:
        """Put the last hour into the details' place."""
        yield from super().compose_body()
        yield self.hour

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring everything up to date."""
        super().show_body(state, now)
        self._show_hour(now)

    async def ask(self) -> LossSnapshot:
        """Ask what would be lost, of the open topic by partition."""
        return await self.console.bridge.api.flows.loss(self.flow_name, self.opened)

    def tables(self, symbols: Symbols) -> tuple[FilteredTable[Any], FilteredTable[Any]]:
        """Make the table of topics and that of partitions."""
        topics: LineTable[TopicLoss] = LineTable(
            topic_columns(),
            key=lambda row: row.topic,
            tie=lambda row: row.topic,
            order=Order("lost", descending=True),
            symbols=symbols,
            rests_on_top=True,
            id="topics",
        )
        partitions: LineTable[PartitionLoss] = LineTable(
            partition_columns(symbols),
            key=lambda row: str(row.partition),
            tie=lambda row: row.partition,
            order=Order("lost", descending=True),
            symbols=symbols,
            rests_on_top=True,
            id="partitions",
        )
        of_topics: Words[TopicLoss] = Words(lambda row: row.topic, lambda row: ())
        of_partitions: Words[PartitionLoss] = Words(
            lambda row: str(row.partition), lambda row: (row.state.value,)
        )
        return (
            FilteredTable(topics, of_topics, "topic that would lose records"),
            FilteredTable(partitions, of_partitions, "partition"),
        )

    def fill(self, answer: LossSnapshot) -> None:
        """Put topics and the open topic's partitions into the tables."""
        self.outer.replace(answer.topics)
        self.inner.replace(each for each in answer.listed if each.topic == self.opened)

    def headline(self) -> str:
        """Name the flow, and the topic that is open."""
        inside = (
            f" {self.console.symbols.crumb} {formats.one_line(self.opened)}" if self.opened else ""
        )
        return f"{self.crumb}{inside}"

    def told(self, answer: LossSnapshot) -> list[Fact]:
        """Say the sentence for the incident call, and what else must be known of the numbers."""
        loses = answer.lost_records or not answer.looked_at
        said = sentences([loss_wording.sentence(answer)], Tone.BAD if loses else Tone.GOOD)
        return said + sentences([*loss_wording.notes(answer)], Tone.DIM)

    def text_to_copy(self) -> str:
        """Copy the sentence to read out."""
        answer = self.asker.answer
        return loss_wording.sentence(answer) if answer is not None else ""

    def hint(self) -> str:
        """Name the key for the sentence, which is what one comes here for."""
        return f"c: copy the sentence  {super().hint()}"

    def do_hour(self) -> None:
        """Plot the flow's last hour, then the topic's, then none."""
        self.last_hour.turn()
        self.show_state()

    @on(LineTable.Highlighted)
    def _another_topic(self) -> None:
        self._show_hour(time.monotonic())

    def _show_hour(self, now: float) -> None:
        topic = self.opened
        if topic is None and isinstance(self.outer.table.current, TopicLoss):
            topic = self.outer.table.current.topic
        self.last_hour.show(self.flow_name, topic, now)

    async def _ask_history(self, topic: str | None) -> HistorySnapshot:
        return await self.console.bridge.api.flows.history(self.flow_name, topic)

    def described(self, row: Any) -> tuple[str, list[Fact]]:
        """Describe a topic or a partition."""
        if isinstance(row, PartitionLoss):
            return _partition(row)
        return _topic(row)

    def nothing(self, answer: LossSnapshot | None) -> str:
        """Say that nothing would be lost, or that it is not known yet."""
        if answer is None:
            return "Waiting for the engine to count."
        if self.opened is not None:
            return f"The engine lists no partition of {formats.one_line(self.opened)}."
        if not answer.looked_at:
            return "The source's ends were never seen."
        return "No topic would lose a record."


def _plotted(history: HistorySnapshot) -> tuple[Series, Series]:
    age = Series("Oldest of them", history.at, history.lost_seconds, _short)
    return records("Would be lost", history), age


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms" if 0 < seconds < 0.1 else formats.seconds(seconds)


def _topic(row: TopicLoss) -> tuple[str, list[Fact]]:
    bound = "at most " if row.at_most else ""
    facts: list[Fact] = [
        [
            ("Lost   ", Tone.DIM),
            (f"{bound}{row.lost_records:,} records, {size(row.lost_bytes)}", Tone.STRONG),
            (f", the oldest {formats.seconds(row.lost_seconds)} old", Tone.PLAIN),
        ],
        [("Where  ", Tone.DIM), (formats.plural(row.partitions, "partition"), Tone.PLAIN)],
    ]
    if row.partitions_halted:
        halted = f"  {row.partitions_halted:,} of them stopped, waiting or paused: see the lag (2)"
        facts[-1] = [*facts[-1], (halted, Tone.BAD)]
    if row.at_most:
        facts.append([("Among them are other flows' records, which would not be lost.", Tone.DIM)])
    return formats.one_line(row.topic), facts


def _partition(row: PartitionLoss) -> tuple[str, list[Fact]]:
    lost = formats.count(row.lost_records, 20)
    end, reached = formats.offset(row.source_end), formats.offset(row.mirrored_to)
    facts: list[Fact] = [
        [
            ("Lost   ", Tone.DIM),
            (f"{lost} records, {size(row.lost_bytes)}", Tone.STRONG),
            (f", the oldest {formats.seconds(row.lost_seconds)} old", Tone.PLAIN),
        ],
        [("At     ", Tone.DIM), (f"source end {end}  mirrored to {reached}", Tone.PLAIN)],
    ]
    return f"{formats.one_line(row.topic)}/{row.partition}", facts
