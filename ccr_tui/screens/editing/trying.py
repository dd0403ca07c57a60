"""Fields of one entry of the configuration, tried by the engine while one types."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from ccr_tui.bridge import told
from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.base import CcrScreen, Console
from ccr_tui.state import ConsoleState
from ccr_tui.typed_ahead import EntersLater
from ccr_tui.widgets.form.book import FieldBook, Told
from ccr_tui.widgets.form.controls import ChoiceControl, Edited
from ccr_tui.widgets.form.panel import FieldHelp
from ccr_tui.widgets.form.rows import FieldRow
from ccr_tui.widgets.form.specs import FieldSpec, Kind
from ccr_tui.widgets.oneline import OneLine
from engine.api.config_protocol import ConfigApi
from engine.api.config_snapshots import ConfigDocument, Proposal
from engine.config.editing.edits import Edit, Put
from engine.errors import CcrError
from engine.printable import printable

TRY_AFTER = 0.25
"""Seconds without a key after which the engine is asked what it makes of the entry."""

_NAME_HELP = (
    "What the {noun} is called here, in logs and on every screen. At most 81 letters, digits, '.',"
    " '_' and '-', the first a letter or digit. It cannot be changed later."
)


class TryingScreen(CcrScreen, EntersLater):
    """Shows an entry, what its fields mean, and what the engine makes of them."""

    CSS_PATH = Path(__file__).parent / "editing.tcss"
    AUTO_FOCUS = ""  # once the entry is there
    SECTION: ClassVar[str]
    """Of the file: clusters, flows."""
    NOUN: ClassVar[str]

    def __init__(self, console: Console, subject: str | None = None) -> None:
        """`subject` names the entry; empty or None: a new one."""
        super().__init__(console, subject)
        self.entered = asyncio.Event()
        name = FieldSpec(("name",), Kind.TEXT, _NAME_HELP.format(noun=self.NOUN), required=True)
        self.name_row = FieldRow(name)
        self.book = self.make_book()
        self.field_help = FieldHelp(console.symbols)
        self.title_line = OneLine(classes="heading", id="editing-title")
        self.note = Static("", markup=False, classes="note")
        self.document: ConfigDocument | None = None
        self.proposal: Proposal | None = None
        self._others: Sequence[Told] = ()
        self._trouble = ""
        self._all_problems = False
        self._saved = False

    def make_book(self) -> FieldBook:
        """Make the fields."""
        raise NotImplementedError

    def compose_form(self) -> ComposeResult:
        """Lay the fields out."""
        raise NotImplementedError

    def edited(self) -> None:
        """React to what was typed; called before the engine is asked."""

    def loaded(self, document: ConfigDocument) -> None:
        """React to what the file says, before its entry is shown."""

    def compose_body(self) -> ComposeResult:
        """Title, fields, help."""
        yield self.title_line
        yield self.note
        with Container(id="editing-form"):
            yield from self.compose_form()
        yield self.field_help

    def on_mount(self) -> None:
        """Read the file."""
        self.form.display = False
        self.field_help.display = False
        self._say("Reading the configuration.")
        self._begin(self._load, "load")

    @property
    def form(self) -> Widget:
        """What holds the fields."""
        return self.query_one("#editing-form")

    @property
    def config(self) -> ConfigApi:
        """The engine's door to the file."""
        return self.console.bridge.api.config

    @property
    def adding(self) -> bool:
        """Whether the entry is a new one."""
        return not self.subject

    @property
    def entry_name(self) -> str:
        """What the entry is called; may be empty while it is new."""
        return self.subject or self.name_row.text.strip()

    @property
    def changed(self) -> bool:
        """Whether something would be lost by leaving."""
        return not self._saved and (self.book.changed or (self.adding and self.name_row.changed))

    @property
    def unsaved(self) -> bool:
        """Whether something would be lost by closing it."""
        return self.changed

    async def _load(self) -> None:
        try:
            document = await self.config.document()
        except CcrError as error:
            what, next_step = told(error)
            self._say(f"The configuration cannot be read. {what}. {next_step}")
            self.entered.set()
            return
        entry = document.section(self.SECTION).get(self.subject or "")
        if not self.adding and entry is None:
            self._say(f"There is no {self.NOUN} {self.subject} in {document.path} any more.")
            self.entered.set()
            return
        self.document = document
        for row in self.book.rows.values():
            if isinstance(row.control, ChoiceControl):
                row.control.on_choice = self.edited
        self.loaded(document)
        with self.prevent(Edited):
            self.name_row.load(self.subject or None)
            self.book.load(entry or {})
        self.name_row.control.disabled = not self.adding
        self._say("")
        self.form.display = self.field_help.display = True
        self.edited()
        self.call_after_refresh(self._enter)

    def _begin(self, job: Callable[[], Awaitable[None]], group: str) -> None:
        """Start a job in place of an earlier one of its kind."""
        self.run_worker(job, group=group, exclusive=True)

    def _enter(self) -> None:
        first = self.name_row if self.adding else next(iter(self.book.rows.values()))
        # At once: `focus` would wait behind the keys, and they wait for it.
        self.set_focus(first.typing_control)
        self.entered.set()
        self.show_state()

    def _say(self, text: str) -> None:
        self.note.update(printable(text))
        self.note.display = bool(text)

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring the title up to date."""
        rule = self.console.symbols.rule
        name = f"Add a {self.NOUN}" if self.adding else f"{self.NOUN.capitalize()} {self.subject}"
        self.title_line.show([(f"{rule} {name} ", "")], [(f" {self.standing()} {rule}", "")], rule)

    def standing(self) -> str:
        """Say how far the entry is, in a few words."""
        if self.document is not None and self.document.why_read_only:
            return f"may not be changed: {printable(self.document.why_read_only)}"
        if self._trouble:
            return self._trouble
        wrong = sum(bool(row.problem) for row in self.book.rows.values() if row.display)
        if wrong or self.name_row.problem:
            count = wrong + bool(self.name_row.problem)
            return f"{count} field{'s' if count > 1 else ''} to be put right"
        if self._others and (self._all_problems or self.changed):
            return printable(self._others[0][1].splitlines()[0])
        return "changed, not saved" if self.changed else "nothing changed"

    # typing

    @property
    def takes_text(self) -> bool:
        """Whether keys are for the field in focus."""
        return super().takes_text or isinstance(self.focused, ChoiceControl)

    def show_footer(self) -> None:
        """Show what works now: in a field, only what is not text."""
        actions = REGISTRY.in_scopes(self.SCOPES)
        shown = [action for action in actions if action.in_inputs or not self.takes_text]
        self.footer.show_actions(shown, self.context())

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        row = next((each for each in event.widget.ancestors if isinstance(each, FieldRow)), None)
        if row is not None:
            self.field_help.show_field(row)
        self.show_footer()

    @on(Edited)
    def _edited(self, event: Edited) -> None:
        event.stop()
        self.edited()
        self._begin(self._try_soon, "try")

    async def _try_soon(self) -> None:
        await asyncio.sleep(TRY_AFTER)
        await self.attempt()

    def edits(self) -> tuple[list[Edit], list[Told]]:
        """Return what is to be changed in the file, and what cannot be written."""
        section, wrong = self.book.section()
        name = self.entry_name
        if not name:
            wrong.append((("name",), "is missing: give it one"))
        elif self.adding and self.document and name in self.document.section(self.SECTION):
            wrong.append((("name",), f"there is a {self.NOUN} of that name"))
        return [Put((self.SECTION, name or "new"), section)], wrong

    async def attempt(self) -> Proposal | None:
        """Ask the engine what it makes of the entry; show what is wrong under its fields."""
        if self.document is None:
            return None
        edits, wrong = self.edits()
        self._trouble = ""
        try:
            self.proposal = await self.config.propose(edits)
        except CcrError as error:
            self.proposal = None
            self._trouble = f"not checked: {printable(error.cause)}"
        found = self.proposal.problems if self.proposal else ()
        mine = (self.SECTION, self.entry_name or "new")
        inside = [(each.path[2:], each.text) for each in found if each.path[:2] == mine]
        others = [(each.path, each.text) for each in found if each.path[:2] != mine]
        self._show_problems([*wrong, *inside], others)
        return None if wrong else self.proposal

    def _show_problems(self, inside: Sequence[Told], others: Sequence[Told]) -> None:
        of_name = [text for path, text in inside if path in ((), ("name",))]
        tried = self._all_problems or self.name_row.changed
        self.name_row.problem = of_name[0] if of_name and tried else ""
        kept = [each for each in inside if each[0] not in ((), ("name",))]
        left = self.book.show_problems(kept)
        if not self._all_problems:
            for row in self.book.rows.values():
                # Nobody likes to be told what is missing before there was a chance to type it.
                if row.problem and not row.changed and not row.text:
                    row.problem = ""
        self._others = [*left, *others]
        self.problems_shown()
        self._explain_again()
        self.show_state()

    def problems_shown(self) -> None:
        """React to problems that came or went."""

    def _explain_again(self) -> None:
        if self.focused is None:
            return
        row = next((each for each in self.focused.ancestors if isinstance(each, FieldRow)), None)
        if row is not None:
            self.field_help.show_field(row)

    def _focus_row(self, row: FieldRow) -> None:
        self.show_row(row)
        row.focus_control()

    def show_row(self, row: FieldRow) -> None:
        """Bring a field into sight, where fields are on several pages."""
