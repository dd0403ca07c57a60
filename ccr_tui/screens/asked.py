"""Screens of tables that one question to the engine feeds.

One table is shown at a time. `/` filters it; what cannot be asked any more stays on the screen with
its age.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Generic

from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from ccr_tui.asking import AnswerT, Asked, Asker
from ccr_tui.formats import age
from ccr_tui.screens.base import Console
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.filtering import FilteringScreen
from ccr_tui.state import ConsoleState
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.details import DetailPanel
from ccr_tui.widgets.facts import Fact, FactsView
from ccr_tui.widgets.oneline import OneLine
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.printable import printable


class TablesScreen(FilteringScreen, Generic[AnswerT]):
    """Heading, sums, trouble, filter, one of the tables, what is under the cursor."""

    EVERY = 2.0
    """Seconds between two questions."""

    def __init__(self, console: Console, subject: str | None = None) -> None:
        super().__init__(console, subject)
        self.asker: Asker[AnswerT] = Asker(self, self.ask, every=self.EVERY)
        self.heading = OneLine(classes="heading")
        self.summary = FactsView()
        self.trouble = Static("", markup=False, classes="trouble")
        self.all_tables = self.tables(console.symbols)
        self.detail = DetailPanel(console.symbols, id="detail")

    # what a screen of this kind says for itself

    @abstractmethod
    async def ask(self) -> AnswerT:
        """Ask the engine."""

    @abstractmethod
    def tables(self, symbols: Symbols) -> tuple[FilteredTable[Any], ...]:
        """Make the tables."""

    @abstractmethod
    def fill(self, answer: AnswerT) -> None:
        """Put an answer into the tables."""

    @abstractmethod
    def headline(self) -> str:
        """Return what stands above it all."""

    @abstractmethod
    def told(self, answer: AnswerT) -> list[Fact]:
        """Sum the answer up."""

    @abstractmethod
    def described(self, row: Any) -> tuple[str, list[Fact]]:
        """Return heading and facts of a row of the table that is shown."""

    @abstractmethod
    def nothing(self, answer: AnswerT | None) -> str:
        """Say why a table without rows has none."""

    def hint(self) -> str:
        """Say beside what is under the cursor how there is more of it."""
        return "i: in full"

    @property
    def looking(self) -> Asker[AnswerT]:
        """The one whose answer is shown."""
        return self.asker

    def always(self) -> list[Fact]:
        """Return what stands above the sums, whether there is an answer or not."""
        return []

    # the rest

    def compose_body(self) -> ComposeResult:
        """Heading, sums, trouble, filter, tables, details."""
        yield self.heading
        yield self.summary
        yield self.trouble
        yield self.filter_bar
        for table in self.all_tables:
            yield table.pane
        yield self.detail

    def on_mount(self) -> None:
        """Begin to ask."""
        self.trouble.display = False
        self.show_table()
        self.run_worker(self.asker.run(), group="asking")

    def on_screen_resume(self) -> None:
        """Ask at once: what is shown is as old as the last visit."""
        self.looking.poke()

    def do_refresh_now(self) -> None:
        """Ask now what this screen asks, and what all do."""
        self.looking.poke()
        self.console.bridge.poke()

    def on_asked(self, event: Asked) -> None:
        """Take the answer in."""
        event.stop()
        if self.looking.answer is not None:
            self.fill(self.looking.answer)
        self.show_state()

    def show_table(self) -> None:
        """Show the table that is to be shown, and no other."""
        if self.looking.answer is not None:
            self.fill(self.looking.answer)
        for each in self.all_tables:
            each.show(shown=each is self.shown)
        self.show_state()

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring everything up to date."""
        rule = self.console.symbols.rule
        old = self.looking.age(now)
        asked = f" asked {age(old)} ago {rule}" if old is not None else ""
        self.heading.show([(f"{rule} {self.headline()} ", "")], [(asked, "")], rule)
        answer = self.looking.answer
        sums = self.told(answer) if answer is not None else []
        self.summary.show([*self.always(), *sums])
        trouble = self.looking.trouble(now)
        self.trouble.display = bool(trouble) and answer is not None
        self.trouble.update(printable(trouble))
        self.shown.table.settle()
        self.shown.pane.show_note(self._note(trouble, answer))
        self._show_detail()

    def _note(self, trouble: str, answer: AnswerT | None) -> str:
        unmatched = self.not_matching()
        if unmatched is not None:
            return unmatched
        if answer is None and trouble:
            return f"No data: {printable(trouble)}"
        return self.nothing(answer)

    def _show_detail(self) -> None:
        row = self.shown.table.current
        if row is None:
            self.detail.show(f"No {self.shown.noun}", [])
            return
        heading, facts = self.described(row)
        self.detail.show(heading, facts, self.hint())

    @on(LineTable.Highlighted)
    def _highlighted(self) -> None:
        self._show_detail()

    def do_details(self) -> None:
        """Show what is under the cursor in full."""
        row = self.shown.table.current
        if row is not None:
            self.app.push_screen(TextDialog(*self.described(row)))
