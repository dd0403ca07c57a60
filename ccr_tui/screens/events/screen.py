"""What happened, newest first: also before this engine was started, and who did what."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from textual import on
from textual.app import ComposeResult

from ccr_tui import formats
from ccr_tui.actions import GLOBAL, TABLE, ActionContext
from ccr_tui.catalog import REGISTRY
from ccr_tui.filtering import Words
from ccr_tui.screens.base import Console
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.events.place import SCOPE
from ccr_tui.screens.facts import event_facts
from ccr_tui.screens.filtering import FilteringScreen
from ccr_tui.screens.tones import SEVERITY_TONES
from ccr_tui.state import ConsoleState, EventRow
from ccr_tui.widgets.details import DetailPanel
from ccr_tui.widgets.oneline import OneLine
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.snapshots import Event, Severity

_RANKS = {Severity.ERROR: 2.0, Severity.WARNING: 1.0, Severity.INFO: 0.0}


class EventsScreen(FilteringScreen):
    """Events of all flows and clusters; `/` finds text, a flow, or a severity."""

    SCOPES = (SCOPE, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE)
    FILTER_HINT = "text, !text, re:regex, error, warning"

    def __init__(self, console: Console, subject: str | None = None) -> None:
        super().__init__(console, subject)
        table: LineTable[EventRow] = LineTable(
            _columns(),
            key=lambda row: (row.engine_id, row.event.id),
            tie=lambda row: (-row.event.at, -row.event.id),
            order=Order("", descending=False),
            symbols=console.symbols,
            rests_on_top=True,
            carried=lambda row: row.event,
            id="all-events",
        )
        words: Words[EventRow] = Words(
            lambda row: f"{row.event.subject} {row.event.text}",
            lambda row: (row.event.severity.value,),
        )
        self.events = FilteredTable(table, words, "event")
        self.heading = OneLine(classes="heading")
        self.detail = DetailPanel(console.symbols, id="detail")
        self._seen: EventRow | None = None

    @property
    def shown(self) -> FilteredTable[Any]:
        """The one table."""
        return self.events

    def compose_body(self) -> ComposeResult:
        """Heading, filter, table, details."""
        yield self.heading
        yield self.filter_bar
        yield self.events.pane
        yield self.detail

    def on_mount(self) -> None:
        """Start on the newest."""
        self.events.show(shown=True)
        self._show_heading()

    def context(self) -> ActionContext:
        """Act on the event under the cursor, and the flow it is about."""
        row = self.events.table.current
        event = row.event if row else None
        flow = self.console.state.flow(_flow_of(event)) if event else None
        return ActionContext(self.console.state, flow, event=event)

    def text_to_copy(self) -> str:
        """Copy what happened."""
        row = self.events.table.current
        return f"{_moment(row.event.at)} {row.event.subject}: {row.event.text}" if row else ""

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring the table up to date."""
        newest = state.events[-1] if state.events else None
        if newest is not self._seen:
            self._seen = newest
            self.events.replace(tuple(state.events))
            self._show_heading()
        self.events.table.settle()
        self.events.pane.show_note(self._note(state))
        self._show_detail()

    def _show_heading(self) -> None:
        rule = self.console.symbols.rule
        rows = self.events.table.book.rows
        counts = Counter(row.event.severity for row in rows.values())
        said = ", ".join(
            formats.plural(counts[severity], severity.value)
            for severity in (Severity.ERROR, Severity.WARNING)
            if counts[severity]
        )
        total = formats.plural(len(rows), "event")
        title = f"{rule} {total}{f': {said}' if said else ''}, newest first "
        self.heading.show([(title, "")], (), rule)

    def _note(self, state: ConsoleState) -> str:
        unmatched = self.not_matching()
        if unmatched is not None:
            return unmatched
        if state.failure is not None and state.snapshot is None:
            return f"No data: {state.failure}"
        return "Nothing has happened yet." if state.snapshot else "Waiting for the engine."

    def _show_detail(self) -> None:
        row = self.events.table.current
        if row is None:
            self.detail.show("No event", [])
        else:
            self.detail.show(_moment(row.event.at), event_facts(row.event), "i: in full")

    @on(LineTable.Highlighted)
    def _highlighted(self) -> None:
        self._show_detail()
        self.show_footer()

    @on(LineTable.Opened)
    def do_open(self) -> None:
        """Go to the flow that the event is about; show what is about something else in full."""
        flow = self.context().flow
        if flow is not None:
            self.console.go("lag", flow.name)
        else:
            self.do_details()

    def do_details(self) -> None:
        """Show the event in full."""
        row = self.events.table.current
        if row is not None:
            self.app.push_screen(TextDialog(_moment(row.event.at), event_facts(row.event)))


def _columns() -> tuple[Column[EventRow], ...]:
    return (
        Column(
            "time",
            "TIME",
            lambda row: (_moment(row.event.at), Tone.DIM),
            14,
            1,
            sort=lambda row: row.event.at,
            falling=True,
        ),
        Column("severity", "SEVERITY", _severity, 8, 0, sort=_by_severity, falling=True),
        Column("subject", "SUBJECT", _subject, 14, 1, grow=1, most=34, sort=_by_subject),
        Column("text", "WHAT HAPPENED", _text, 24, 0, grow=3),
        Column("next", "NEXT STEP", _next, 30, 3, grow=2),
    )


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%m-%d %H:%M:%S}"


def _severity(row: EventRow) -> Cell:
    return row.event.severity.value, SEVERITY_TONES[row.event.severity]


def _by_severity(row: EventRow) -> float:
    return _RANKS[row.event.severity]


def _subject(row: EventRow) -> Cell:
    return formats.one_line(row.event.subject), Tone.STRONG


def _by_subject(row: EventRow) -> str:
    return row.event.subject


def _text(row: EventRow) -> Cell:
    return formats.one_line(row.event.text), Tone.PLAIN


def _next(row: EventRow) -> Cell:
    return formats.one_line(row.event.next_step), Tone.PLAIN


def _flow_of(event: Event) -> str:
    return event.subject.partition("/")[0]
