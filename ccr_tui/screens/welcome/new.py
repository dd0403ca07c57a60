"""A new configuration by form: where to read, where to write, what to mirror."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from ccr_tui.actions import Question
from ccr_tui.screens.cluster_form import fields
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.welcome.base import Host, WelcomeScreen
from ccr_tui.screens.welcome.saving import SaveScreen, found_secret
from ccr_tui.widgets.form.book import FieldBook, Section, Told
from ccr_tui.widgets.form.controls import Edited
from ccr_tui.widgets.form.panel import FieldHelp
from ccr_tui.widgets.form.rows import FieldRow, SecretRow, row_for
from ccr_tui.widgets.form.specs import FieldSpec, Kind, fields_of
from engine.config import loader
from engine.config.editing.differences import intended
from engine.config.editing.editor import new_text
from engine.config.editing.edits import Put
from engine.config.flow_section import FlowConfig
from engine.config.problems import InvalidConfigError, KeyPath
from engine.importing.report import FoundSecret
from engine.printable import printable

_NAME_HELP = "What it is called here, in logs and on every screen: letters, digits, '.', '_', '-'."
_LATER = {"connect_timeout", "request_timeout", "read_only"}
_FLOW_FIELDS = ("topics.include", "topics.exclude", "rename", "start", "sync.groups", "offsets")
_CHECKED_AS = Path("ccr.yaml")


@dataclass(slots=True)
class Draft:
    """The configuration so far."""

    clusters: dict[str, Section] = field(default_factory=dict)
    flows: dict[str, Section] = field(default_factory=dict)
    secrets: list[FoundSecret] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """Return it as the file has it."""
        flows = {"flows": self.flows} if self.flows else {}
        return {"version": 1, "clusters": self.clusters, **flows}

    def problems(self, above: KeyPath) -> list[Told]:
        """Return what is wrong with an entry."""
        try:
            loader.check(new_text(self.data()), _CHECKED_AS)
        except InvalidConfigError as error:
            depth = len(above)
            return [
                (tuple(each.path[depth:]), each.text)
                for each in error.problems
                if each.path[:depth] == above
            ]
        return []


class FormScreen(WelcomeScreen):
    """The fields of one entry; F2 goes on when nothing is wrong with them."""

    KEYS = (("welcome.next", "Next"), ("tab", "Next field"), ("welcome.back", "Back"))
    SECTION: ClassVar[str]

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host)
        self.name_row = FieldRow(FieldSpec(("name",), Kind.TEXT, _NAME_HELP, required=True))
        self._proposed_name = name
        self.book = FieldBook(self.rows())
        self.field_help = FieldHelp(host.symbols)
        self._tried = False

    def rows(self) -> Iterable[FieldRow]:
        """Make the fields."""
        raise NotImplementedError

    def draft(self) -> Draft:
        """Return the configuration with this entry in it."""
        raise NotImplementedError

    def next_screen(self, draft: Draft) -> WelcomeScreen:
        """Return what comes after this."""
        raise NotImplementedError

    def leave_out(self) -> None:
        """Hide what is of no use with what the fields say."""

    def entry_before(self) -> Section:
        """Return what the entry has that no field is for."""
        return {}

    def compose_body(self) -> ComposeResult:
        """Fields, one below the other, and the help of the one in focus."""
        with VerticalScroll(can_focus=False, classes="fields"):
            yield self.name_row
            yield from self.book.rows.values()
        yield self.field_help

    def begin(self) -> None:
        """Begin with the name."""
        with self.prevent(Edited):
            self.name_row.load(self._proposed_name)
            self.book.load(self.entry_before())
        self.leave_out()
        self.call_after_refresh(self.name_row.focus_control)

    @property
    def entry(self) -> str:
        """The entry's name."""
        return self.name_row.text.strip()

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        row = next((each for each in event.widget.ancestors if isinstance(each, FieldRow)), None)
        if row is not None:
            self.field_help.show_field(row)

    @on(Edited)
    def _edited(self, event: Edited) -> None:
        event.stop()
        self.leave_out()
        if self._tried:
            self._check()

    def _check(self) -> Draft | None:
        """Show what is wrong under its field; return the configuration when nothing is."""
        section, wrong = self.book.section()
        draft = self.draft()
        entries = draft.clusters if self.SECTION == "clusters" else draft.flows
        name = self.entry or "new"
        taken = name in entries
        entries[name] = section
        told = [*wrong, *draft.problems((self.SECTION, name))]
        of_name = next((text for path, text in told if not path), "")
        if not self.entry:
            of_name = "is missing: give it one"
        elif taken:
            of_name = "is the name of the other one"
        self.name_row.problem = of_name
        left = self.book.show_problems([each for each in told if each[0]])
        if left and not of_name:
            self.notify(printable(left[0][1]), severity="warning", markup=False)
        return None if told or of_name else draft

    def do_next(self) -> None:
        """Go on, or to the first field with a problem."""
        self._tried = True
        draft = self._check()
        if draft is not None:
            draft.secrets += self._secrets()
            self.app.push_screen(self.next_screen(draft))
            return
        wrong = self.name_row if self.name_row.problem else self.book.first_wrong()
        if wrong is not None:
            wrong.focus_control()
            self.field_help.show_field(wrong)

    def do_back(self) -> None:
        """Go back; ask first when something would be lost."""
        if not self.book.changed:
            super().do_back()
            return
        text = "What you typed on this page is written nowhere, and would be lost."
        question = Question("Go back?", text, "Go back")
        self.app.push_screen(ConfirmDialog(question), self._back_answered)

    def _back_answered(self, back: bool | None) -> None:
        if back:
            self.book.forget_secrets()
            self.app.pop_screen()

    def _secrets(self) -> Iterator[FoundSecret]:
        for path, row in self.book.rows.items():
            if isinstance(row, SecretRow) and row.display:
                typed = row.taken()
                if typed is not None:
                    yield found_secret((self.SECTION, self.entry, *path), row.reference, typed)


class ClusterStep(FormScreen):
    """One of the two clusters."""

    SECTION = "clusters"

    def rows(self) -> Iterable[FieldRow]:
        """Return what everybody must think of; the rest can be edited in the console."""
        return [row for row in fields.cluster_rows() if row.spec.key not in _LATER]

    def leave_out(self) -> None:
        """Hide login and TLS where there is none."""
        self.book.leave_out(fields.of_no_use(self.book))
        fields.propose_secrets(self.book, self.entry)


class NewScreen(ClusterStep):
    """The cluster to read from."""

    TITLE_TEXT = "new configuration, 1 of 3: the cluster to read from"

    def __init__(self, host: Host) -> None:
        super().__init__(host, "primary")

    def draft(self) -> Draft:
        """Begin."""
        return Draft()

    def next_screen(self, draft: Draft) -> WelcomeScreen:
        """Go on to the other cluster."""
        return TargetStep(self.host, draft)


class TargetStep(ClusterStep):
    """The cluster to write to."""

    TITLE_TEXT = "new configuration, 2 of 3: the cluster to write to"

    def __init__(self, host: Host, before: Draft) -> None:
        self._before = before
        super().__init__(host, "dr")

    def draft(self) -> Draft:
        """Go on from the other cluster."""
        return Draft(dict(self._before.clusters), {}, list(self._before.secrets))

    def next_screen(self, draft: Draft) -> WelcomeScreen:
        """Go on to the flow."""
        return FlowStep(self.host, draft)


class FlowStep(FormScreen):
    """What is mirrored."""

    TITLE_TEXT = "new configuration, 3 of 3: what to mirror"
    SECTION = "flows"

    def __init__(self, host: Host, before: Draft) -> None:
        self._before = before
        self._source, self._target = before.clusters
        super().__init__(host, f"{self._source}-to-{self._target}")

    def rows(self) -> Iterable[FieldRow]:
        """Return what everybody must think of; the rest can be edited in the console."""
        specs = {spec.key: spec for spec in fields_of(FlowConfig)}
        return [row_for(specs[key]) for key in _FLOW_FIELDS]

    def entry_before(self) -> Section:
        """Name both clusters."""
        return {"source": self._source, "target": self._target}

    def draft(self) -> Draft:
        """Go on from both clusters."""
        return Draft(dict(self._before.clusters), {}, list(self._before.secrets))

    def next_screen(self, draft: Draft) -> WelcomeScreen:
        """Go on to where it is written."""
        return SaveNew(self.host, draft)


class SaveNew(SaveScreen):
    """Of the form."""

    def __init__(self, host: Host, draft: Draft) -> None:
        super().__init__(host, draft.secrets)
        self._draft = draft

    def text(self, sets: Sequence[Put]) -> str:
        """Return the configuration as the form has it."""
        return new_text(intended(self._draft.data(), sets, "the new configuration"))
