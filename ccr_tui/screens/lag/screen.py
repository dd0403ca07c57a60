"""The lag of one flow: its topics, a topic's partitions, or all partitions; live."""

from __future__ import annotations

import time
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.screen import ModalScreen

from ccr_tui import formats
from ccr_tui.actions import FLOW, GLOBAL, TABLE, ActionContext, TopicInSight
from ccr_tui.asking import Asked
from ccr_tui.catalog import REGISTRY
from ccr_tui.messages import PartitionUpdate
from ccr_tui.screens.base import Console
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.filtering import FilteringScreen
from ccr_tui.screens.hour import HourOf, HourPane, LastHour, records
from ccr_tui.screens.lag import filtering
from ccr_tui.screens.lag.facts import describe_partition, describe_topic
from ccr_tui.screens.lag.place import SCOPE
from ccr_tui.screens.lag.titles import LagTitles
from ccr_tui.screens.lag.views import ViewName, Views
from ccr_tui.state import ConsoleState
from ccr_tui.widgets.details import DetailPanel
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.plot.series import Series
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.pane import TablePane
from ccr_tui.widgets.table.view import LineTable
from engine.api.loss_snapshots import HistorySnapshot
from engine.api.snapshots import FlowSnapshot


class LagScreen(FilteringScreen):
    """Three tables of which one is shown; what is under its cursor is described below."""

    SCOPES = (SCOPE, FLOW, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE, FLOW)
    FILTER_HINT = "text, !text, re:regex, stopped, growing, overtaken"
    CSS_PATH = ["../hour.tcss", "screen.tcss"]  # noqa: RUF012 - Textual's

    def __init__(self, console: Console, subject: str | None = None) -> None:
        super().__init__(console, subject)
        self.flow_name = subject or ""
        self.titles = LagTitles(console.symbols)
        self.views = Views(console.symbols)
        self.detail = DetailPanel(console.symbols, id="detail")
        self.hour = HourPane(console.symbols, _plotted)
        self.last_hour = LastHour(self, self.hour, self._ask_history)
        self._page_seen = False

    def compose_body(self) -> ComposeResult:
        """Titles, filter, tables, details, plots."""
        yield self.titles
        yield self.filter_bar
        yield self.views.topics.pane
        yield self.views.within.pane
        yield self.views.flat.pane
        yield self.detail
        yield self.hour

    def on_mount(self) -> None:
        """Ask for the partitions."""
        self.views.show(ViewName.TOPICS)

    def on_screen_resume(self) -> None:
        """Ask for the partitions, from the beginning: some may have gone meanwhile."""
        if self.console.bridge.watched != self.flow_name:
            self.console.bridge.watch(self.flow_name)

    def on_screen_suspend(self) -> None:
        """Stop asking for the partitions, unless it is for a dialog only."""
        behind_a_dialog = isinstance(self.app.screen, ModalScreen)
        if self.console.bridge.watched == self.flow_name and not behind_a_dialog:
            self.console.bridge.watch(None)

    @property
    def shown(self) -> FilteredTable[Any]:
        """The one of the tables that is shown."""
        return self.views.current

    @property
    def table(self) -> LineTable[Any]:
        """The table itself."""
        return self.shown.table

    @property
    def pane(self) -> TablePane[Any]:
        """Its pane."""
        return self.shown.pane

    @property
    def flow(self) -> FlowSnapshot | None:
        """The flow as last seen."""
        return self.console.state.flow(self.flow_name)

    def context(self) -> ActionContext:
        """Act on the partition under the cursor, or the topic, and on their flow."""
        topic = self.views.topic_row if self.views.name is ViewName.TOPICS else None
        return ActionContext(
            self.console.state,
            self.flow,
            self.views.partition,
            topic=TopicInSight(topic.topic, topic.stopped) if topic else None,
        )

    def apply(self, updates: list[PartitionUpdate]) -> None:
        """Take in what changed."""
        for update in updates:
            page = update.page
            if page.flow != self.flow_name:
                continue
            self._page_seen = True
            if update.full:
                self.views.replace(page.partitions)
                continue
            self.views.load(page.partitions, page.removed)
            if len(self.views.flat.table.book.rows) != page.total:
                # A page went missing between engine and console: begin with a full one.
                self.console.bridge.watch(self.flow_name)
        self.show_state()

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring titles, table and details up to date."""
        self.table.settle()
        self.titles.show(self.flow_name, self.flow, self.views, state, now)
        self.pane.show_note(self._note(state))
        self._show_detail(state, now)
        self._show_hour(now)

    def _note(self, state: ConsoleState) -> str:
        flow = self.flow
        if state.snapshot is not None and flow is None:
            return f"The engine no longer has a flow named {self.flow_name}. Esc goes back."
        unmatched = self.not_matching()
        if unmatched is not None:
            return unmatched
        if state.failure is not None:
            return f"No data: {state.failure}"
        if not self._page_seen or flow is None:
            return "Waiting for the engine to list the partitions."
        if self.views.name is ViewName.TOPIC:
            return f"{self.views.topic} is no longer in this flow. Esc goes back to the topics."
        return (
            f"No partitions: no topic on {flow.source} is selected by this flow. Topics are looked "
            "up again every few seconds; see `topics:` of the flow in the configuration."
        )

    # what is under the cursor

    def _described(self, state: ConsoleState, now: float) -> tuple[str, list[Fact]]:
        partition, topic = self.views.partition, self.views.topic_row
        symbols = self.console.symbols
        if partition is not None:
            hot = self.views.tally.hot(partition)
            facts = describe_partition(partition, hot, state, now, symbols)
            return filtering.name_of(partition), facts
        if topic is not None:
            return topic.topic, describe_topic(topic, self.views.tally, state, now, symbols)
        return f"No {self.views.current.noun}", []

    def _show_detail(self, state: ConsoleState, now: float) -> None:
        if self.last_hour.of is not HourOf.NOTHING:
            return
        heading, facts = self._described(state, now)
        opens = "Enter: its partitions" if self.views.name is ViewName.TOPICS else "Enter: in full"
        self.detail.show(heading, facts, opens if facts else "")

    @on(LineTable.Highlighted)
    def _highlighted(self) -> None:
        now = time.monotonic()
        self._show_detail(self.console.state, now)
        self._show_hour(now)
        self.titles.show(self.flow_name, self.flow, self.views, self.console.state, now)
        self.show_footer()

    @on(LineTable.Opened)
    def do_open(self) -> None:
        """Open the topic, or show the partition in full."""
        topic = self.views.topic_row
        if self.views.name is ViewName.TOPICS and topic is not None:
            self.views.open(topic.topic)
            self.show_state()
        else:
            self.do_details()

    def do_details(self) -> None:
        """Show what is under the cursor in full."""
        heading, facts = self._described(self.console.state, time.monotonic())
        if facts:
            self.app.push_screen(TextDialog(heading, facts))

    def do_back(self) -> None:
        """Clear the filter, or go from a topic to the topics, or leave."""
        if self.shown.filter is None and self.views.name is ViewName.TOPIC:
            self.views.show(ViewName.TOPICS)
            self.show_state()
        else:
            super().do_back()

    def do_flat(self) -> None:
        """Change between topics and the list of all partitions."""
        flat = self.views.name is ViewName.FLAT
        self.views.show(ViewName.TOPICS if flat else ViewName.FLAT)
        self.show_state()

    def do_next_stuck(self) -> None:
        """Go to the next stuck partition."""
        self._go_to_stuck(1)

    def do_previous_stuck(self) -> None:
        """Go to the stuck partition before."""
        self._go_to_stuck(-1)

    def _go_to_stuck(self, step: int) -> None:
        key = self.views.next_stuck(step)
        if key is None:
            self.notify(f"No partition of {self.flow_name} is stuck.", markup=False)
            return
        self.views.go_to(key)
        self.show_state()

    # order

    def do_sort_by(self, column: str) -> None:
        """Sort by a column, from its natural end."""
        if self.table.book.order.column != column:
            self.pane.sort_by(column)

    # the last hour

    def do_hour(self) -> None:
        """Plot the flow's last hour, then the topic's, then none."""
        self.last_hour.turn()
        self.show_state()

    def _show_hour(self, now: float) -> None:
        topic = self.views.topic_row
        self.last_hour.show(self.flow_name, topic.topic if topic else None, now)

    async def _ask_history(self, topic: str | None) -> HistorySnapshot:
        return await self.console.bridge.api.flows.history(self.flow_name, topic)

    @on(Asked)
    def _asked(self) -> None:
        self._show_hour(time.monotonic())


def _plotted(history: HistorySnapshot) -> tuple[Series, Series]:
    rate = Series("Records/s", history.at, history.records_per_second, formats.rate)
    return records("Lag, records", history), rate
