"""Asks before an act: with Cancel in focus, or for the name to be typed."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, Static

from ccr_tui.actions import Question
from ccr_tui.screens.dialogs.base import ButtonsDialog, ScrolledDialog, key_of
from ccr_tui.widgets.facts import Fact, FactsView


class ConfirmDialog(ButtonsDialog[bool], ScrolledDialog[bool]):
    """Returns True only when the operator chose the act itself."""

    LINES = 8

    def __init__(
        self,
        question: Question,
        *,
        typed: str | None = None,
        dangerous: bool = False,
        facts: Sequence[Fact] = (),
    ) -> None:
        """Ask `question`; with `typed` the act needs this text to be typed first.

        `facts` stand below it, for what needs room: a difference.
        """
        super().__init__()
        self.facts = facts
        self.question = question
        self.typed = typed
        self.dangerous = dangerous

    def compose(self) -> ComposeResult:
        """Title, text, what to type, buttons."""
        with Vertical(classes="dialog -wide" if self.facts else "dialog"):
            yield Static(self.question.title, markup=False, classes="dialog-title")
            with VerticalScroll(can_focus=False, id="asked"):
                if self.question.body:
                    yield Static(self.question.body, markup=False)
                if self.facts:
                    yield FactsView(self.facts)
            if self.typed is not None:
                yield Static(self._to_type, markup=False, classes="dialog-ask", id="ask")
                name = Input(id="typed", compact=True, placeholder=self.typed)
                name.cursor_blink = False
                yield name
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                confirm = Button(
                    self.question.confirm,
                    id="confirm",
                    compact=True,
                    variant="error" if self.dangerous else "warning",
                )
                confirm.disabled = self.typed is not None
                yield confirm

    def on_mount(self) -> None:
        """Put the focus where Enter does no harm."""
        self.query_one("#typed" if self.typed is not None else "#cancel").focus()

    @property
    def _to_type(self) -> str:
        return f"Type {self.typed} to confirm:"

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        self.query_one("#confirm", Button).disabled = event.value.strip() != self.typed
        self.query_one("#ask", Static).update(self._to_type)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value.strip() == self.typed:
            self.query_one("#confirm", Button).focus()
            leaves = key_of("dialog.close")
            once_more = f"Enter once more: {self.question.confirm}. {leaves} leaves it."
            self.query_one("#ask", Static).update(once_more)
        else:
            self.notify(
                f"That is not {self.typed}; nothing was done.", severity="warning", markup=False
            )

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "confirm")

    def do_close(self) -> None:
        """Close without doing it."""
        self.dismiss(False)
