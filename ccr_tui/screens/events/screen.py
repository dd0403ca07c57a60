"""What happened, newest first: also before this engine was started, and who did what.

It reaches back as one scrolls, as far as the engine's file does.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from textual import on
from textual.app import ComposeResult

from ccr_tui import formats
from ccr_tui.actions import GLOBAL, TABLE, ActionContext
from ccr_tui.bridge import told
from ccr_tui.catalog import REGISTRY
from ccr_tui.filtering import Words
from ccr_tui.screens.base import Console
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.events.place import SCOPE
from ccr_tui.screens.events.reach import Reach
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
from engine.errors import CcrError

_AHEAD = 2
"""Screenfuls below the cursor, or below what is in sight, that are to be there already."""
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
            key=lambda row: (row.event.id, row.event.at),
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
        self.reach = Reach()
        self._going_back = False
        self._failure = ""
        self._total = "0 events"

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
        if self.reach.follow(state.events):
            self._fill()
        self.events.table.settle()
        self.events.pane.show_note(self._note(state))
        self._show_detail()
        self._look_back()
        self._show_heading()

    def _fill(self) -> None:
        self.events.replace(tuple(self.reach.rows))
        counts = Counter(row.event.severity for row in self.reach.rows)
        told_of = ", ".join(
            formats.plural(counts[severity], severity.value)
            for severity in (Severity.ERROR, Severity.WARNING)
            if counts[severity]
        )
        total = formats.plural(len(self.reach.rows), "event")
        self._total = f"{total}{f': {told_of}' if told_of else ''}"

    def _look_back(self) -> None:
        """Read older events where one comes near to the end of those that are there."""
        near = self._ahead() < _AHEAD * self.size.height
        if near and self.reach.may_grow_back and not self._going_back and not self._failure:
            self._going_back = True
            self.run_worker(self._go_back(), group="going-back")

    def _ahead(self) -> int:
        table = self.events.table
        seen = max(table.cursor_index, table.scroll_offset.y + table.size.height)
        return len(table.book.shown) - seen

    async def _go_back(self) -> None:
        try:
            await self.reach.go_back(self.console.bridge.api)
        except CcrError as error:
            self._failure, _ = told(error)
        finally:
            self._going_back = False
        self._fill()
        self.show_state()

    def do_refresh_now(self) -> None:
        """Ask again, also for what could not be read."""
        self._failure = ""
        self.console.bridge.poke()
        self.show_state()

    def _show_heading(self) -> None:
        rule = self.console.symbols.rule
        older = " older: scroll down " if self.reach.may_grow_back and not self._going_back else ""
        if self._failure:
            older = f" older: {formats.one_line(self._failure)} "
        title = f"{rule} {self._total}, newest first "
        self.heading.show([(title, "")], [(older, "")] if older else (), rule)

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
        self._look_back()
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
