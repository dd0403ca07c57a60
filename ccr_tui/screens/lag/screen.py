"""The lag of one flow: every partition, live."""

from __future__ import annotations

import time

from textual import on
from textual.app import ComposeResult

from ccr_tui.actions import FLOW, GLOBAL, TABLE, ActionContext
from ccr_tui.catalog import REGISTRY
from ccr_tui.messages import PartitionUpdate
from ccr_tui.screens.base import CcrScreen, Console
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.facts import partition_facts
from ccr_tui.screens.lag import filtering
from ccr_tui.screens.lag.columns import lag_columns
from ccr_tui.screens.lag.filterbar import FilterBar
from ccr_tui.screens.lag.place import SCOPE
from ccr_tui.screens.lag.titles import LagTitles
from ccr_tui.state import ConsoleState
from ccr_tui.widgets.details import DetailPanel
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.pane import TablePane
from ccr_tui.widgets.table.view import LineTable
from engine.api.snapshots import FlowSnapshot, PartitionSnapshot


class LagScreen(CcrScreen):
    """One flow's partitions; the one under the cursor is described below the table."""

    SCOPES = (SCOPE, FLOW, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE, FLOW)

    def __init__(self, console: Console, subject: str | None = None) -> None:
        super().__init__(console, subject)
        self.flow_name = subject or ""
        self.titles = LagTitles(console.symbols)
        self.filter_bar = FilterBar()
        self.table: LineTable[PartitionSnapshot] = LineTable(
            lag_columns(console.symbols),
            key=lambda row: (row.topic, row.partition),
            tie=lambda row: (row.topic, row.partition),
            order=Order("state", descending=True),
            symbols=console.symbols,
            rests_on_top=True,
            id="partitions",
        )
        self.pane = TablePane(self.table, id="partition-pane")
        self.detail = DetailPanel(console.symbols, id="detail")
        self.filter: filtering.Filter | None = None
        self._page_seen = False

    def compose_body(self) -> ComposeResult:
        """Titles, filter, table, details."""
        yield self.titles
        yield self.filter_bar
        yield self.pane
        yield self.detail

    def on_mount(self) -> None:
        """Ask for the partitions."""
        self.filter_bar.display = False
        self.table.focus()
        self.console.bridge.watch(self.flow_name)

    def on_unmount(self) -> None:
        """Stop asking for the partitions."""
        self.console.bridge.watch(None)

    @property
    def flow(self) -> FlowSnapshot | None:
        """The flow as last seen."""
        return self.console.state.flow(self.flow_name)

    def context(self) -> ActionContext:
        """Act on the partition under the cursor and its flow."""
        return ActionContext(self.console.state, self.flow, self.table.current)

    def apply(self, updates: list[PartitionUpdate]) -> None:
        """Take in what changed."""
        for update in updates:
            page = update.page
            if page.flow != self.flow_name:
                continue
            self._page_seen = True
            if update.full:
                self.table.replace(page.partitions)
                continue
            self.table.load(page.partitions, page.removed)
            if len(self.table.book.rows) != page.total:
                # A page went missing between engine and console: begin with a full one.
                self.console.bridge.watch(self.flow_name)
        self.show_state()

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring titles, table and details up to date."""
        self.table.settle()
        self.titles.show(self.flow_name, self.flow, self.table, self.filter)
        self.pane.show_note(self._note(state))
        self._show_detail(state, now)

    def _note(self, state: ConsoleState) -> str:
        flow = self.flow
        if state.snapshot is not None and flow is None:
            return f"The engine no longer has a flow named {self.flow_name}. Esc goes back."
        if self.table.book.rows:
            if self.table.book.shown or self.filter is None:
                return ""
            return f"No partition matches /{self.filter.text}. Esc clears the filter."
        if state.failure is not None:
            return f"No data: {state.failure}"
        if not self._page_seen or flow is None:
            return "Waiting for the engine to list the partitions."
        return (
            f"No partitions: no topic on {flow.source} is selected by this flow. Topics are looked "
            "up again every few seconds; see `topics:` of the flow in the configuration."
        )

    def _show_detail(self, state: ConsoleState, now: float) -> None:
        partition = self.table.current
        if partition is None:
            self.detail.show("No partition", [])
            return
        facts = partition_facts(partition, state, now, self.console.symbols)
        self.detail.show(filtering.name_of(partition), facts, "Enter: in full")

    @on(LineTable.Highlighted)
    def _highlighted(self) -> None:
        self._show_detail(self.console.state, time.monotonic())
        self.titles.show(self.flow_name, self.flow, self.table, self.filter)
        self.show_footer()

    @on(LineTable.Opened)
    def do_open(self) -> None:
        """Show the partition in full."""
        partition = self.table.current
        if partition is not None:
            state, now = self.console.state, time.monotonic()
            facts = partition_facts(partition, state, now, self.console.symbols)
            self.app.push_screen(TextDialog(filtering.name_of(partition), facts))

    def do_back(self) -> None:
        """Clear the filter, or leave when there is none."""
        if self.filter is not None:
            self.filter_bar.input.value = ""
            self._set_filter("")
        else:
            self.dismiss(None)

    def do_sort_next(self) -> None:
        """Sort by the next column that is on the screen."""
        shown = {place.column.id for place in self.table.placed}
        sortable = [c.id for c in self.table.columns if c.sort and (c.id in shown or not shown)]
        now = self.table.book.order.column
        following = sortable.index(now) + 1 if now in sortable else 0
        self.pane.sort_by(sortable[following % len(sortable)])

    def do_sort_reverse(self) -> None:
        """Sort the other way."""
        self.pane.sort_by(self.table.book.order.column)

    def do_sort_by(self, column: str) -> None:
        """Sort by a column, from its natural end."""
        if self.table.book.order.column != column:
            self.pane.sort_by(column)

    def do_filter(self) -> None:
        """Type a filter."""
        self.filter_bar.open()

    @on(FilterBar.Edited)
    def _filter_edited(self, event: FilterBar.Edited) -> None:
        self._set_filter(event.text)

    @on(FilterBar.Closed)
    def _filter_closed(self) -> None:
        self.filter_bar.display = False
        self.table.focus()

    def _set_filter(self, text: str) -> None:
        try:
            wanted = filtering.parse(text)
        except filtering.FilterError as error:
            self.filter_bar.problem.update(str(error))
            return
        self.filter_bar.problem.update("")
        if (wanted.text if wanted else "") == (self.filter.text if self.filter else ""):
            return
        self.filter = wanted
        self.table.set_filter(wanted.matches if wanted else None)
        self.filter_bar.problem.update(wanted.trouble if wanted else "")
        self.show_state()
