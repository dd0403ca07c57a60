"""The line in which a filter is typed."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Key
from textual.message import Message
from textual.widgets import Input, Static


class FilterInput(Input):
    """Enter keeps the filter, Esc drops it; keys typed ahead after either are not text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", show=False),
        Binding("down", "submit", show=False),
    ]
    open = False

    def on_key(self, event: Key) -> None:
        """Take no text once typing is over."""
        if not self.open:
            event.stop()
            event.prevent_default()

    async def action_submit(self) -> None:
        """Keep the filter and close."""
        self.open = False
        await super().action_submit()

    def action_drop(self) -> None:
        """Empty the filter and close."""
        self.open = False
        self.value = ""
        self.post_message(self.Submitted(self, ""))


class FilterBar(Horizontal):
    """`/` and what was typed; `problem` says why it is not a filter."""

    class Edited(Message):
        """The text changed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """Typing is over."""

    def __init__(self, hint: str = "text, !text, re:regex") -> None:
        """`hint` says what may be typed."""
        super().__init__(id="filter")
        self.input = FilterInput(compact=True, placeholder=hint)
        self.input.cursor_blink = False
        # A screen without a table in sight would give the focus to it after a dialog.
        self.input.can_focus = False
        self.problem = Static("", markup=False, id="filter-problem")

    def compose(self) -> ComposeResult:
        """Slash, input, problem."""
        yield Static("/", markup=False, id="filter-slash")
        yield self.input
        yield self.problem

    def open(self, text: str = "") -> None:
        """Show the line with the filter that there is, and type into it."""
        self.input.value = text
        self.display = True
        self.input.open = self.input.can_focus = True
        # At once, not with Widget.focus: what is typed on must not reach the table as commands.
        self.screen.set_focus(self.input)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Edited(event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.input.can_focus = False
        self.post_message(self.Edited(event.value))
        self.post_message(self.Closed())
