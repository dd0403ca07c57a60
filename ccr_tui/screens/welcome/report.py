"""What became of every key of an imported file, before anything is written."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input

from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.welcome.actions import REPORT
from ccr_tui.screens.welcome.base import Host, WelcomeScreen
from ccr_tui.screens.welcome.saving import SaveImported
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.details import DetailPanel
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from ccr_tui.widgets.table.pane import TablePane
from ccr_tui.widgets.table.view import LineTable
from engine.importing.report import Imported, KeyReport, Outcome
from engine.importing.writing import yaml_text

Row = tuple[int, KeyReport]
_TONES = {
    Outcome.TAKEN: Tone.GOOD,
    Outcome.NOTE: Tone.DIM,
    Outcome.NO_COUNTERPART: Tone.PLAIN,
    Outcome.DECISION: Tone.WARN,
    Outcome.REFUSED: Tone.BAD,
}
_WEIGHT = {outcome: float(weight) for weight, outcome in enumerate(Outcome)}
BY_OUTCOME, BY_LINE = Order("outcome", True), Order("line", False)


def _outcome(row: Row) -> Cell:
    return row[1].outcome, _TONES[row[1].outcome]


_COLUMNS: tuple[Column[Row], ...] = (
    Column(
        "line",
        "LINE",
        lambda row: (str(row[1].line or ""), Tone.DIM),
        5,
        priority=3,
        right=True,
        sort=lambda row: float(row[0]),
    ),
    Column("key", "KEY", lambda row: (row[1].key, Tone.STRONG), 26, priority=0, grow=2),
    Column(
        "outcome", "OUTCOME", _outcome, 16, priority=1, sort=lambda row: _WEIGHT[row[1].outcome]
    ),
    Column("into", "BECAME", lambda row: (row[1].into, Tone.PLAIN), 24, priority=2, grow=3),
)


def _table(symbols: Symbols) -> LineTable[Row]:
    return LineTable(
        _COLUMNS,
        key=lambda row: row[0],
        tie=lambda row: row[0],
        order=BY_OUTCOME,
        symbols=symbols,
        id="keys",
    )


class ReportFilter(Input):
    """Enter and Down go to the table, Esc empties it and goes there, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "screen.to_table", show=False),
        Binding("escape", "screen.drop_filter", show=False),
    ]


class ReportScreen(WelcomeScreen):
    """The keys, those first that somebody must decide on; the one under the cursor in full."""

    TITLE_TEXT = "import"
    KEYS = (
        ("welcome.next", "Go on"),
        ("report.open", "In full"),
        ("report.filter", "Filter"),
        ("report.sort", "Sort"),
        ("report.view", "View the result"),
        ("welcome.back", "Back"),
    )
    BINDINGS = REGISTRY.bindings(REPORT, priority=False)

    def __init__(self, host: Host, imported: Imported) -> None:
        super().__init__(host)
        self.imported = imported
        self.table = _table(host.symbols)
        self.filter = ReportFilter(
            compact=True, placeholder="/ filters: any part of a key, an outcome or a text"
        )
        self.filter.cursor_blink = False
        self.detail = DetailPanel(host.symbols, id="detail")

    def compose_body(self) -> ComposeResult:
        """Filter, table, the key in full."""
        yield self.filter
        yield TablePane(self.table, id="keys-pane")
        with VerticalScroll(can_focus=False, id="key-in-full"):
            yield self.detail

    def begin(self) -> None:
        """Show the keys."""
        self.table.replace(list(enumerate(self.imported.keys)))
        self.table.settle(now=True)
        self.table.focus()

    def title_text(self) -> str:
        """Count the outcomes, the worst first."""
        counts = [
            f"{count} {outcome}"
            for outcome in reversed(Outcome)
            if (count := self.imported.count(outcome))
        ]
        return f"import {self.host.symbols.crumb} {self.imported.kind}: {', '.join(counts)}"

    @on(LineTable.Highlighted)
    def _highlighted(self, event: LineTable.Highlighted) -> None:
        if self.table.current is not None:
            row = self.table.current[1]
            where = f"line {row.line}" if row.line else ""
            self.detail.show(row.key, _facts(row), where)
        else:
            self.detail.show("no key", [[("No key matches the filter.", Tone.DIM)]])

    @on(LineTable.Opened)
    def _opened(self) -> None:
        self.do_full()

    @on(Input.Changed)
    def _filtered(self, event: Input.Changed) -> None:
        wanted = event.value.strip().lower()
        self.table.set_filter((lambda row: wanted in _searched(row[1])) if wanted else None)

    def do_filter(self) -> None:
        """Type a filter."""
        self.filter.focus()

    def action_to_table(self) -> None:
        """Go back to the rows."""
        self.table.focus()

    def action_drop_filter(self) -> None:
        """Show all rows again."""
        self.filter.value = ""
        self.table.focus()

    def do_back(self) -> None:
        """Drop the filter; without one, go back."""
        if self.filter.value:
            self.action_drop_filter()
        else:
            super().do_back()

    def do_sort(self) -> None:
        """Sort by the file's lines, or by what somebody must decide."""
        by_line = self.table.book.order == BY_LINE
        self.table.set_order(BY_OUTCOME if by_line else BY_LINE)

    def do_full(self) -> None:
        """Show the key under the cursor with all there is to say."""
        if self.table.current is not None:
            row = self.table.current[1]
            self.app.push_screen(TextDialog(row.key, _facts(row)))

    def do_view(self) -> None:
        """Show the configuration that would be written."""
        lines: list[Fact] = [
            [(line, Tone.DIM if line.startswith("#") else Tone.PLAIN)]
            for line in yaml_text(self.imported).splitlines()
        ]
        self.app.push_screen(TextDialog("The configuration", lines))

    def do_next(self) -> None:
        """Go on to where it is written."""
        self.app.push_screen(SaveImported(self.host, self.imported))


def _searched(row: KeyReport) -> str:
    return f"{row.key} {row.outcome} {row.text} {row.into}".lower()


def _facts(row: KeyReport) -> list[Fact]:
    facts: list[Fact] = []
    if row.value:
        facts.append([("Value    ", Tone.DIM), (row.value, Tone.PLAIN)])
    facts.append([("Outcome  ", Tone.DIM), (row.outcome, _TONES[row.outcome])])
    if row.into:
        facts.append([("Became   ", Tone.DIM), (row.into, Tone.PLAIN)])
    if row.text:
        facts.append([("Why      ", Tone.DIM), (row.text, Tone.PLAIN)])
    return facts
