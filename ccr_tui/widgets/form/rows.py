"""A field with its label and, under it, what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import JsonValue, SecretStr
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from ccr_tui.widgets.form import values
from ccr_tui.widgets.form.controls import (
    ChoiceControl,
    Control,
    LinesControl,
    SecretControl,
    TextControl,
)
from ccr_tui.widgets.form.specs import FieldSpec, Kind
from engine.printable import printable

_TO_TEXT: dict[Kind, Callable[[object], str]] = {
    Kind.LINES: values.lines_of,
    Kind.PAIRS: values.pairs_of,
    Kind.PINNED: values.pairs_of,
    Kind.START: values.start_of,
}
_FROM_TEXT: dict[Kind, Callable[[str], JsonValue]] = {
    Kind.NUMBER: values.number,
    Kind.SIZE: values.number,
    Kind.TIME: values.number,
    Kind.BOOL: values.yes,
    Kind.LINES: values.lines,
    Kind.PAIRS: values.pairs,
    Kind.PINNED: values.pinned,
    Kind.START: values.start,
}
_SEVERAL = (Kind.LINES, Kind.PAIRS, Kind.PINNED)


class FieldRow(Horizontal):
    """Label, control, and a line for the problem, which is there also while there is none.

    So nothing moves when a problem comes or goes.
    """

    def __init__(self, spec: FieldSpec, *, label: str = "", named: bool = False) -> None:
        """`named`: it is one of names that are only known later, as its control's `choices`."""
        super().__init__(classes="field")
        self.spec = spec
        self.control = _control(spec, named=named)
        self._label = label or spec.label
        self.place = 0
        """Among its neighbours; the focus goes by it."""
        self._original: JsonValue = None
        self._original_text = ""
        self._problem = ""
        self._problem_line = Static("", markup=False, classes="field-problem")

    def compose(self) -> ComposeResult:
        """Label at the left; control and problem at the right."""
        yield Static(self.label, markup=False, classes="field-label")
        with Vertical(classes="field-value"):
            yield from self.compose_value()
            yield self._problem_line

    @property
    def label(self) -> str:
        """What stands at the left; a star where something must be given."""
        return f"{self._label}{' *' if self.spec.required else ''}"

    def compose_value(self) -> ComposeResult:
        """Give what stands above the problem."""
        yield self.control

    def load(self, value: JsonValue) -> None:
        """Show what the file has; None: nothing."""
        self._original = value
        self._original_text = self.control.text = _TO_TEXT.get(self.spec.kind, values.text_of)(
            value
        )

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self.control.text

    @property
    def changed(self) -> bool:
        """Whether it was edited."""
        return self.control.text != self._original_text

    def value(self) -> JsonValue:
        """Return what the file is to have, None for nothing; raises ValueError for what is no form.

        What was not edited is as it was, however it was written. A default that was not in the
        file does not get into it.
        """
        if not self.changed:
            return self._original
        text = self.control.text
        if self._original is None and self.is_default(text):
            return None
        return _FROM_TEXT.get(self.spec.kind, values.plain)(text)

    def is_default(self, text: str) -> bool:
        """Whether a choice only says what counts anyway."""
        return self.spec.kind in (Kind.CHOICE, Kind.BOOL) and text == self.spec.default

    @property
    def problem(self) -> str:
        """What is wrong with it; empty when nothing is."""
        return self._problem

    @problem.setter
    def problem(self, text: str) -> None:
        if text != self._problem:
            self._problem = text
            first, *_ = (text or "").splitlines() or [""]
            self._problem_line.update(printable(first))

    @property
    def _focus_sort_key(self) -> tuple[int, int]:
        # Textual's goes by places on the screen: a field that was shown just now has none yet, and
        # Tab typed ahead would pass it by.
        return self.place, 0

    @property
    def typing_control(self) -> Widget:
        """What one types into first."""
        return self.control

    def focus_control(self) -> None:
        """Go into the field."""
        self.typing_control.focus()


class SecretRow(FieldRow):
    """A masked line for a secret, which goes to the keyring, and where it is kept."""

    control: TextControl

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self.secret = SecretControl("hidden; goes to the keyring when you save")
        self._proposed = ""

    @property
    def label(self) -> str:
        """Of both lines."""
        return f"{super().label}\n  is kept in"

    def compose_value(self) -> ComposeResult:
        """Secret above, reference below."""
        yield self.secret
        yield self.control

    @property
    def typing_control(self) -> Widget:
        """Where the secret is typed, or what says where else it is."""
        return self.control if self.secret.disabled else self.secret

    def propose(self, reference: str, *, needed: bool) -> None:
        """Say where the secret goes when nothing else is typed; at once when it is `needed`."""
        self._proposed = reference
        self._needed = needed
        self.control.placeholder = reference
        self.secret.disabled = bool(self.text.strip()) and not self.in_keyring

    _needed = False

    @property
    def reference(self) -> str:
        """Where the secret is to be: as typed, or as proposed; empty when there is none."""
        typed = self.text.strip()
        return typed or (self._proposed if self._needed or self.secret.value else "")

    @property
    def in_keyring(self) -> bool:
        """Whether the secret is to be in the keyring."""
        return self.reference.startswith("keyring:")

    @property
    def changed(self) -> bool:
        """Whether the reference was edited or a secret typed."""
        return super().changed or bool(self.secret.value)

    def value(self) -> JsonValue:
        """Return the reference, never the secret."""
        if not super().changed and self._original is not None:
            return self._original
        return self.reference or None

    def taken(self) -> SecretStr | None:
        """Return the secret that was typed, if one was and it belongs into the keyring."""
        typed = self.secret.value
        return SecretStr(typed) if typed and self.in_keyring else None

    def forget(self) -> None:
        """Empty the masked line."""
        self.secret.value = ""


def row_for(spec: FieldSpec, *, label: str = "", named: bool = False) -> FieldRow:
    """Make the row that a field's kind asks for."""
    if spec.kind is Kind.SECRET:
        return SecretRow(spec)
    return FieldRow(spec, label=label, named=named)


def _control(spec: FieldSpec, *, named: bool) -> Control:
    if spec.choices or named:
        unset = "" if spec.default or spec.required else "not set"
        return ChoiceControl(spec.choices, spec.default, unset)
    default = f"default: {spec.default}" if spec.default else ""
    placeholder = default or (spec.help if spec.required else "not set")
    if spec.kind in _SEVERAL:
        return LinesControl(placeholder)
    return TextControl(placeholder)
