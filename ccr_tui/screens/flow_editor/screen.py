"""The flow editor: what to take and from where, with what that selects; and all other settings."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll

from ccr_tui import formats
from ccr_tui.actions import GLOBAL, TABLE
from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.base import Console
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.editing.screen import EditingScreen
from ccr_tui.screens.flow_editor.candidate import WrongRegex, candidate_of, wrong_regexes
from ccr_tui.screens.flow_editor.columns import topic_columns, topic_facts
from ccr_tui.screens.flow_editor.looking import Looking, Previewed, Selected
from ccr_tui.screens.flow_editor.place import SCOPE
from ccr_tui.screens.flow_editor.topics import TopicRow
from ccr_tui.state import ConsoleState
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.form.book import FieldBook
from ccr_tui.widgets.form.controls import ChoiceControl, LinesControl
from ccr_tui.widgets.form.rows import FieldRow, row_for
from ccr_tui.widgets.form.specs import fields_of
from ccr_tui.widgets.oneline import OneLine
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.pane import TablePane
from ccr_tui.widgets.table.view import LineTable
from engine.api.config_snapshots import Applied, ConfigDocument
from engine.config.flow_section import FlowConfig
from engine.printable import printable

_FIRST = {
    "source": "source",
    "target": "target",
    "topics.include": "include",
    "topics.exclude": "exclude",
}
"""The fields of the first page, with their short names."""
_REGEXES = ("topics.include", "topics.exclude")


class FlowEditorScreen(EditingScreen):
    """Two pages: topics with what the regexes select, live; and the settings."""

    SCOPES = (SCOPE, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE)
    SECTION = "flows"
    NOUN = "flow"

    def __init__(self, console: Console, subject: str | None = None) -> None:
        super().__init__(console, subject)
        self.looking = Looking(self, lambda: console.bridge.api.flows)
        self.summary = OneLine(classes="heading", id="selection-summary")
        self.table: LineTable[TopicRow] = LineTable(
            topic_columns(),
            key=lambda row: row.topic,
            tie=lambda row: row.place,
            order=Order("", descending=False),
            symbols=console.symbols,
            rests_on_top=True,
            id="editor-topics",
        )
        self.pane = TablePane(self.table, id="editor-pane")
        self._wrong: dict[str, Sequence[WrongRegex]] = {}
        self._slow: set[FieldRow] = set()
        self._told = ""

    def make_book(self) -> FieldBook:
        """Make the fields."""
        return FieldBook(
            row_for(spec, label=_FIRST.get(spec.key, ""), named=spec.key in ("source", "target"))
            for spec in fields_of(FlowConfig)
        )

    def compose_form(self) -> ComposeResult:
        """Both pages; one is in sight."""
        with Vertical(id="topics-page"):
            yield self.name_row
            with Horizontal(classes="side-by-side"):
                yield self.book["source"]
                yield self.book["target"]
            with Horizontal(classes="side-by-side"):
                yield self.book["topics.include"]
                yield self.book["topics.exclude"]
            yield self.summary
            yield self.pane
        with VerticalScroll(can_focus=False, classes="fields", id="settings-page"):
            for row in self.book.rows.values():
                if row.spec.key not in _FIRST:
                    yield row

    def on_mount(self) -> None:
        """Begin with the topics."""
        self.query_one("#settings-page").display = False
        self.name_row.display = self.adding

    def loaded(self, document: ConfigDocument) -> None:
        """Offer the clusters that the file has."""
        names = tuple(document.section("clusters"))
        for key in ("source", "target"):
            control = self.book[key].control
            if isinstance(control, ChoiceControl):
                control.choices = names
        self.looking.begin(self.subject)

    # what is selected

    def edited(self) -> None:
        """Mark what is wrong in regexes at once, and ask what they select."""
        for key in _REGEXES:
            control = self.book[key].control
            if isinstance(control, LinesControl):
                self._wrong[key] = tuple(wrong_regexes(control.text))
                control.mark({each.line: each.column for each in self._wrong[key]})
        self.problems_shown()
        section, _ = self.book.section()
        self.looking.ask(candidate_of(self.entry_name or "new", section))
        self._show_summary()

    def problems_shown(self) -> None:
        """Keep what is known here about regexes: it says which line is meant, and where in it."""
        for key in _REGEXES:
            if self._wrong.get(key):
                self.book[key].problem = self._wrong[key][0].text
            else:
                self._show_slow(key)

    def _show_slow(self, key: str) -> None:
        slow, row = self.looking.slow, self.book[key]
        if row in self._slow and slow is None:
            self._slow.remove(row)
            row.problem = ""
        if slow is None or not isinstance(row.control, LinesControl):
            return
        lines = [line.strip() for line in row.control.text.splitlines()]
        if slow.object in map(printable, lines):
            at = list(map(printable, lines)).index(slow.object)
            row.control.mark({at: 0})
            self._slow.add(row)
            row.problem = f"line {at + 1} is too slow: {slow.cause}. {slow.next_step}"

    @on(Selected)
    def _selected(self) -> None:
        self.problems_shown()
        if not self.looking.trouble:
            self.table.replace(self.looking.rows)
            self.table.settle(now=True)
        self._show_summary()
        self._show_topic()

    @on(Previewed)
    def _previewed(self) -> None:
        trouble = self.looking.preview_trouble
        if trouble and trouble != self._told:
            self.notify(printable(trouble), severity="warning", markup=False)
        self._told = trouble
        self._show_summary()

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring title and summary up to date."""
        super().show_body(state, now)
        self._show_summary()

    def _show_summary(self) -> None:
        rule = self.console.symbols.rule
        left, right = self._selection_said(), self._preview_said()
        self.summary.show([(f"{rule} {left} ", "")], [(f" {right} {rule}", "")], rule)
        self.pane.show_note("" if self.looking.rows else self._note())

    def _selection_said(self) -> str:
        looking = self.looking
        if looking.trouble:
            return "not known" if looking.slow is None else "a regex was stopped"
        selection = looking.selection
        if selection is None:
            return "Topics"
        dot = self.console.symbols.dot
        said = [f"{selection.taken:,} of {formats.plural(len(selection.topics), 'topic')} taken"]
        if any(self._wrong.values()):
            said.append("as of the last valid regexes")
            return f" {dot} ".join(said)
        if looking.starts or looking.ends:
            said.append(f"{looking.starts:,} more, {looking.ends:,} fewer than now")
        return f" {dot} ".join(said)

    def _preview_said(self) -> str:
        looking = self.looking
        if looking.previewing:
            return "looking at sizes and conflicts"
        old = looking.preview_age(time.monotonic())
        if looking.preview_trouble:
            return "sizes and conflicts are not known: F4"
        if looking.preview is None or old is None:
            return ""
        if not looking.is_current:
            return f"sizes {formats.age(old)} old"
        return f"{looking.blocked:,} blocked, sizes {formats.age(old)} old"

    def _note(self) -> str:
        looking = self.looking
        if looking.trouble:
            return looking.trouble
        if not self.book["source"].text:
            return (
                "Choose the source cluster: its topics are listed here, as the regexes take them."
            )
        if looking.selection is not None:
            return f"{looking.selection.flow}: the source has no topics."
        return "Asking the source for its topics."

    # the topic under the cursor

    @on(LineTable.Highlighted)
    def _highlighted(self) -> None:
        self._show_topic()
        self.show_footer()

    def on_descendant_focus(self) -> None:
        """Describe the topic while the table is in focus."""
        self.call_after_refresh(self._show_topic)

    def _show_topic(self) -> None:
        row = self.table.current
        if row is not None and self.table.has_focus:
            self.field_help.show(printable(row.topic), self._facts(row), "Enter: in full")

    def _facts(self, row: TopicRow) -> list[Fact]:
        preview = self.looking.preview
        notes = preview.notes if preview is not None else ()
        return topic_facts(row, self.book["target"].text, self.console.symbols, notes)

    @on(LineTable.Opened)
    def do_topic(self) -> None:
        """Show the topic in full."""
        row = self.table.current
        if row is not None:
            self.app.push_screen(TextDialog(printable(row.topic), self._facts(row)))

    # pages

    def do_turn_page(self) -> None:
        """Go to the other page."""
        settings = not self.query_one("#settings-page").display
        self._show_page(settings=settings)
        rows = (row for row in self.book.rows.values() if (row.spec.key in _FIRST) != settings)
        self.call_after_refresh(next(rows).focus_control)

    def _show_page(self, *, settings: bool) -> None:
        self.query_one("#settings-page").display = settings
        self.query_one("#topics-page").display = not settings

    def show_row(self, row: FieldRow) -> None:
        """Turn to the page of a field."""
        settings = row is not self.name_row and row.spec.key not in _FIRST
        self._show_page(settings=settings)
        row.scroll_visible(animate=False)

    def do_look_again(self) -> None:
        """Ask for sizes and conflicts again."""
        self.looking.look_again()

    def after_save(self, applied: Applied) -> None:
        """Go to the flow's lag: that is where one sees that it runs."""
        name = self.entry_name
        self.dismiss(None)
        self.console.go("lag", name)
