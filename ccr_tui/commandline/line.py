"""The line itself, at the bottom of the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ccr_tui.actions import ActionContext
from ccr_tui.commandline.words import CommandError, Typed, Vocabulary
from engine.printable import printable


class CommandLine(ModalScreen[Typed | None]):
    """Returns what was understood; None when the operator would rather not."""

    CSS_PATH = "line.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", show=False),
        Binding("tab", "complete(1)", show=False, priority=True),
        Binding("shift+tab", "complete(-1)", show=False, priority=True),
        Binding("up", "recall(-1)", show=False, priority=True),
        Binding("down", "recall(1)", show=False, priority=True),
    ]

    def __init__(
        self, vocabulary: Vocabulary, context: ActionContext, history: Sequence[str]
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.context = context
        self.history = [*history, ""]
        self._recalled = len(history)
        self._found: list[str] = []  # what Tab goes through
        self._at = -1
        self.said = Static("", markup=False, id="command-said")
        self.input = Input(compact=True, id="command-input")

    def compose(self) -> ComposeResult:
        """What may be typed, and where."""
        with Vertical(id="command-line"):
            yield self.said
            with Horizontal():
                yield Static(":", markup=False, id="command-colon")
                yield self.input

    def on_mount(self) -> None:
        """Be ready to be typed into."""
        self.input.cursor_blink = False
        self.input.focus()
        self._tell(self.input.value)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        if self._at < 0 or event.value != self._found[self._at]:
            self._found, self._at = [], -1
            self._tell(event.value)

    def _tell(self, text: str) -> None:
        """Say what the command does and whether it can now, or what it may become."""
        command = self.vocabulary.described(text)
        if command is None:
            self.said.update("  ".join(self.vocabulary.completions(text)[:40]) or "no such command")
            return
        why = command.action.why_disabled(self.context)
        takes = f" [{command.argument}]" if command.argument else ""
        not_now = f"; not now: {why}" if why and not command.argument else ""
        self.said.update(printable(f"{command.action.title}{takes}{not_now}"))

    def action_complete(self, step: int) -> None:
        """Put the next completion into the line."""
        if not self._found:
            self._found = self.vocabulary.completions(self.input.value)
        if self._found:
            self._at = (self._at + step) % len(self._found) if self._at >= 0 else 0
            self._write(self._found[self._at])
            self._tell(self._found[self._at])

    def action_recall(self, step: int) -> None:
        """Put a line that was typed before into the line."""
        self._recalled = min(max(0, self._recalled + step), len(self.history) - 1)
        self._write(self.history[self._recalled])

    def _write(self, text: str) -> None:
        self.input.value = text
        self.input.cursor_position = len(text)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if not event.value.strip():
            self.dismiss(None)
            return
        try:
            typed = self.vocabulary.read(event.value)
        except CommandError as error:
            self.said.update(printable(str(error)))
        else:
            self.dismiss(typed)

    def action_cancel(self) -> None:
        """Close without a command."""
        self.dismiss(None)
