"""What values are typed into or chosen with. Each says `Edited` when its text changed."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import ClassVar

from rich.segment import Segment
from rich.text import Text
from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, TextArea


class Edited(Message):
    """A control's text is another one. It carries none: some are secret."""


# With priority: otherwise what is typed ahead, over a slow link, after Tab would go to the field
# that was left, a password into one that shows it.
_TAB: list[BindingType] = [
    Binding("tab", "app.focus_next", show=False, priority=True),
    Binding("shift+tab", "app.focus_previous", show=False, priority=True),
]
_BETWEEN_FIELDS: list[BindingType] = [
    *_TAB,
    Binding("enter,down", "app.focus_next", show=False, priority=True),
    Binding("up", "app.focus_previous", show=False, priority=True),
]
_LETTERS: list[BindingType] = [
    Binding(letter, f"pick('{letter.lower()}')", show=False, priority=True)
    for letter in string.ascii_letters + string.digits
]


class TextControl(Input):
    """One line. Enter goes to the next field."""

    BINDINGS: ClassVar[list[BindingType]] = _BETWEEN_FIELDS

    def __init__(self, placeholder: str = "") -> None:
        super().__init__(compact=True, placeholder=placeholder, select_on_focus=False)
        self.cursor_blink = False

    @property
    def text(self) -> str:
        """What was typed."""
        return self.value

    @text.setter
    def text(self, text: str) -> None:
        self.value = text

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(Edited())


class SecretControl(Input):
    """One line that nobody can read: not on the screen, not in messages, not by copying."""

    BINDINGS: ClassVar[list[BindingType]] = _BETWEEN_FIELDS

    def __init__(self, placeholder: str = "") -> None:
        super().__init__(compact=True, placeholder=placeholder, password=True)
        self.cursor_blink = False

    def post_message(self, message: Message) -> bool:
        """Let out that something was typed, never what."""
        if isinstance(message, Input.Changed):
            return super().post_message(Edited())
        return super().post_message(message)

    def action_copy(self) -> None:
        """Copy nothing."""

    def action_cut(self) -> None:
        """Cut nothing out to where it could be pasted and read."""


class LinesControl(TextArea):
    """Several lines; the arrows leave it at its first and its last."""

    BINDINGS: ClassVar[list[BindingType]] = _TAB

    def __init__(self, placeholder: str = "") -> None:
        super().__init__(
            compact=True,
            placeholder=placeholder,
            tab_behavior="focus",
            soft_wrap=False,
            highlight_cursor_line=False,
        )
        self.cursor_blink = False
        self._marks: Mapping[int, int] = {}

    def mark(self, marks: Mapping[int, int]) -> None:
        """Mark a column of some lines (both from 0): there something is wrong."""
        if marks != self._marks:
            self._marks = dict(marks)
            self._line_cache.clear()
            self.refresh()

    def get_line(self, line_index: int) -> Text:
        """Return a line with what is marked in it."""
        line = super().get_line(line_index)
        column = self._marks.get(line_index)
        if column is not None and line:
            at = min(column, len(line) - 1)
            line.stylize("bold underline reverse", at, at + 1)
        return line

    @on(TextArea.Changed)
    def _changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.post_message(Edited())

    def action_cursor_up(self, select: bool = False) -> None:
        """Move up, at the top to the field before."""
        if self.cursor_location[0] == 0 and not select:
            self.screen.focus_previous()
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Move down, at the bottom to the next field."""
        if self.cursor_location[0] >= self.document.line_count - 1 and not select:
            self.screen.focus_next()
        else:
            super().action_cursor_down(select)


def _nothing() -> None:
    """Nobody waits for a choice."""


class ChoiceControl(Widget, can_focus=True):
    """One of a few, all of them in sight where there is room; the chosen one in brackets.

    Empty text: nothing was chosen, so the default counts.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"choice--chosen", "choice--other", "choice--note"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", show=False, priority=True),
        Binding("right,space", "step(1)", show=False, priority=True),
        Binding("backspace,delete", "unset", show=False, priority=True),
        *_BETWEEN_FIELDS,
        *_LETTERS,
    ]

    def __init__(self, choices: tuple[str, ...], default: str = "", unset: str = "") -> None:
        """`unset` stands first, for none of them; `default` is what counts then."""
        super().__init__()
        self._choices = choices
        self._default = default
        self._unset = unset
        self._text = ""
        self.on_choice: Callable[[], None] = _nothing
        """Called at once, before the next key is read: other fields may come and go by it."""

    @property
    def text(self) -> str:
        """The choice; empty when the default is meant."""
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self.refresh()
            self.on_choice()
            self.post_message(Edited())

    @property
    def choices(self) -> tuple[str, ...]:
        """What there is to choose from."""
        return self._choices

    @choices.setter
    def choices(self, choices: tuple[str, ...]) -> None:
        if choices != self._choices:
            self._choices = choices
            self.refresh()

    def _options(self) -> list[tuple[str, str]]:
        """Return (text, as it is shown)."""
        options = [(each, each) for each in self._choices]
        if self._unset:
            options.insert(0, ("", self._unset))
        if self._text and self._text not in self._choices:
            options.append((self._text, f"{self._text}?"))  # the file has it, the model does not
        return options

    def _at(self) -> int:
        meant = self._text or ("" if self._unset else self._default)
        return next((i for i, (text, _) in enumerate(self._options()) if text == meant), -1)

    def action_step(self, by: int) -> None:
        """Choose the next or the one before; nothing beyond the ends."""
        options = self._options()
        at = min(max(0, self._at() + by), len(options) - 1)
        if options:
            self.text = options[at][0]

    def action_unset(self) -> None:
        """Go back to the default."""
        self.text = ""

    def action_pick(self, letter: str) -> None:
        """Choose the next one that begins with a letter."""
        options, at = self._options(), self._at()
        for text, words in (*options[at + 1 :], *options[: at + 1]):
            if words.lower().startswith(letter):
                self.text = text
                return

    def on_click(self, event: events.Click) -> None:
        """Choose what is under the mouse."""
        x = 0
        for text, words in self._options():
            x += len(words) + 3
            if event.x < x:
                self.text = text
                return

    def get_content_height(self, *_: object) -> int:
        """One line."""
        return 1

    def render_line(self, y: int) -> Strip:
        """Draw all options, or the chosen one alone where there is no room."""
        base = self.rich_style
        if y:
            return Strip.blank(self.size.width, base)
        chosen = base + self.get_component_rich_style("choice--chosen", partial=True)
        other = base + self.get_component_rich_style("choice--other", partial=True)
        note = base + self.get_component_rich_style("choice--note", partial=True)
        options, at = self._options(), self._at()
        width = sum(len(words) + 3 for _, words in options)
        segments = []
        if width > self.size.width:
            words = options[at][1] if at >= 0 else ""
            where = f"  {at + 1} of {len(options)}: left, right or its first letter"
            segments = [Segment(f"[{words}]", chosen), Segment(where, note)]
        else:
            for index, (_, words) in enumerate(options):
                text, style = (f"[{words}]", chosen) if index == at else (f" {words} ", other)
                segments += [Segment(text, style), Segment(" ", base)]
            if not self._text and self._default and not self._unset and width < self.size.width - 9:
                segments.append(Segment(" default", note))
        return Strip(segments).adjust_cell_length(self.size.width, base)


Control = TextControl | LinesControl | ChoiceControl
