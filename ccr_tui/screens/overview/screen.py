"""The first screen: every flow, the one under the cursor in full, and what happened last."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult

from ccr_tui import formats
from ccr_tui.actions import FLOW, GLOBAL, TABLE, ActionContext
from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.base import CcrScreen, Console
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.editing.removing import remove
from ccr_tui.screens.facts import age_tone, event_facts, flow_facts
from ccr_tui.screens.overtaking import gap_in
from ccr_tui.screens.overview.columns import FlowRow, event_columns, flow_columns
from ccr_tui.screens.overview.place import SCOPE
from ccr_tui.screens.tones import flow_concern
from ccr_tui.state import ConsoleState, EventRow
from ccr_tui.widgets.details import DetailPanel
from ccr_tui.widgets.facts import Fact, FactsView
from ccr_tui.widgets.oneline import OneLine
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.columns import Tone
from ccr_tui.widgets.table.pane import TablePane
from ccr_tui.widgets.table.view import LineTable
from engine.api.snapshots import FlowSnapshot


class OverviewScreen(CcrScreen):
    """Flows above, details between, events below."""

    SCOPES = (SCOPE, FLOW, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE, FLOW)

    def __init__(
        self, console: Console, subject: str | None = None, hints: Sequence[str] = ()
    ) -> None:
        """Show `hints` of what to try at the bottom (`ccr demo` gives some)."""
        super().__init__(console, subject)
        self.crumb = "Overview"
        self.hints = hints
        symbols = console.symbols
        self.flows: LineTable[FlowRow] = LineTable(
            flow_columns(symbols),
            key=lambda row: row.flow.name,
            tie=lambda row: (-flow_concern(row.flow), row.flow.name),
            order=Order("", descending=False),
            symbols=symbols,
            carried=lambda row: row.flow,
            id="flows",
        )
        self.events: LineTable[EventRow] = LineTable(
            event_columns(),
            key=lambda row: (row.engine_id, row.event.id),
            tie=_newest_first,
            order=Order("", descending=False),
            symbols=symbols,
            rests_on_top=True,
            carried=lambda row: row.event,
            id="events",
        )
        self.flow_pane = TablePane(self.flows, id="flow-pane")
        self.event_pane = TablePane(self.events, id="event-pane")
        self.detail = DetailPanel(symbols, id="detail")
        self.event_heading = OneLine(classes="heading")
        self._events_seen: EventRow | None = None

    def compose_body(self) -> ComposeResult:
        """Flows, details, events."""
        yield self.flow_pane
        yield self.detail
        yield self.event_heading
        yield self.event_pane
        if self.hints:
            rule = self.console.symbols.rule
            heading = OneLine(id="hints-heading", classes="heading")
            heading.show([(f"{rule} Try ", "")], fill=rule)
            yield heading
            mark = (f"{self.console.symbols.cursor} ", Tone.DIM)
            hints = FactsView([mark, (hint, Tone.PLAIN)] for hint in self.hints)
            hints.id = "hints"
            yield hints

    def on_mount(self) -> None:
        """Start on the flows."""
        self.flows.focus()

    def context(self) -> ActionContext:
        """Act on the flow under the cursor, or on the event while the events are in focus."""
        row = self._selected_event()
        return ActionContext(self.console.state, flow=self.flow, event=row.event if row else None)

    def text_to_copy(self) -> str:
        """Copy the flow's name, or what happened."""
        row = self._selected_event()
        return row.event.text if row else super().text_to_copy()

    @property
    def flow(self) -> FlowSnapshot | None:
        """The flow under the cursor, as last seen."""
        row = self.flows.current
        return row.flow if row else None

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring all three parts up to date."""
        self._show_flows(state, now)
        self._show_events(state)
        self._show_detail(state, now)

    def _show_flows(self, state: ConsoleState, now: float) -> None:
        flows = state.snapshot.flows if state.snapshot else ()
        rows = [
            FlowRow(
                flow,
                formats.age(state.observed_ago(flow.observed_at, now)),
                age_tone(flow, state, now),
                gap_in(flow, state, now),
            )
            for flow in flows
        ]
        self.flows.replace(rows)
        self.flow_pane.styles.height = min(len(rows) or 2, max(2, self.size.height // 3)) + 1
        self.flow_pane.show_note(_flow_note(state, now))

    def _show_events(self, state: ConsoleState) -> None:
        newest = state.events[-1] if state.events else None
        if newest is not self._events_seen:
            self._events_seen = newest
            self.events.replace(tuple(state.events))
        self.events.settle()
        rule = self.console.symbols.rule
        self.event_heading.show([(f"{rule} Events, newest first ", "")], fill=rule)
        self.event_pane.show_note("" if newest else _event_note(state))

    def _show_detail(self, state: ConsoleState, now: float) -> None:
        event = self._selected_event()
        if event is not None:
            self.detail.show("Event", event_facts(event.event), "Enter: in full")
        elif self.flow is not None:
            facts = flow_facts(self.flow, state, now, self.console.symbols)
            self.detail.show(self.flow.name, facts, "i: in full")
        else:
            self.detail.show("No flow", [])

    def _selected_event(self) -> EventRow | None:
        return self.events.current if self.events.has_focus else None

    @on(LineTable.Highlighted)
    def _highlighted(self) -> None:
        self._show_detail(self.console.state, time.monotonic())
        self.show_footer()

    @on(LineTable.Opened)
    def _opened(self) -> None:
        if self._selected_event() is not None:
            self.do_details()
        else:
            self.do_open()

    def on_descendant_focus(self) -> None:
        """Describe what is under the cursor of the table in focus."""
        self.call_after_refresh(self._highlighted)

    def do_open(self) -> None:
        """Open the flow's lag."""
        if self.flow is not None:
            self.console.go("lag", self.flow.name)

    def do_details(self) -> None:
        """Show what is under the cursor in full."""
        event = self._selected_event()
        facts: Sequence[Fact]
        if event is not None:
            self.app.push_screen(TextDialog(f"Event {event.event.id}", event_facts(event.event)))
        elif self.flow is not None:
            facts = flow_facts(
                self.flow, self.console.state, time.monotonic(), self.console.symbols
            )
            self.app.push_screen(TextDialog(self.flow.name, facts))

    def do_edit_flow(self) -> None:
        """Edit the flow."""
        if self.flow is not None:
            self.console.go("flow_editor", self.flow.name)

    def do_add_flow(self) -> None:
        """Add a flow."""
        self.console.go("flow_editor", "")

    def do_remove_flow(self) -> None:
        """Remove the flow, after its name was typed."""
        if self.flow is not None:
            removing = remove(self.app, self.console.bridge, "flows", self.flow.name)
            self.run_worker(removing, group="commands")

    def do_focus_events(self) -> None:
        """Go to the events."""
        self.events.focus()

    def do_focus_flows(self) -> None:
        """Go to the flows."""
        self.flows.focus()


def _flow_note(state: ConsoleState, now: float) -> str:
    if state.snapshot is not None:
        if state.snapshot.flows:
            return ""
        return f"No flows in {state.config_name}. Press a to add one."
    if state.failure is not None:
        return f"No data: {state.failure}"
    return "Waiting for the engine's first answer."


def _newest_first(row: EventRow) -> tuple[float, int]:
    return -row.event.at, -row.event.id


def _event_note(state: ConsoleState) -> str:
    return "Nothing has happened yet." if state.snapshot is not None else "No events yet."
