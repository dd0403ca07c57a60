"""Asks for a secret: what is typed or pasted is never on the screen."""

from __future__ import annotations

from pydantic import SecretStr
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, Static

from ccr_tui.missing_secrets import WantedSecret
from ccr_tui.screens.dialogs.base import ButtonsDialog
from engine.printable import printable


class SecretDialog(ButtonsDialog[SecretStr | None]):
    """Returns what was typed; None when the operator would rather not."""

    def __init__(self, wanted: WantedSecret) -> None:
        super().__init__()
        self.wanted = wanted

    def compose(self) -> ComposeResult:
        """Title, why, input, buttons."""
        with Vertical(classes="dialog"):
            yield Static(f"Give {self.wanted}", markup=False, classes="dialog-title")
            with VerticalScroll(can_focus=False):
                yield Static(self._text(), markup=False)
            yield Static("The secret, hidden:", markup=False, classes="dialog-ask")
            value = Input(id="secret", compact=True, password=True)
            value.cursor_blink = False
            yield value
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                give = Button("Give", id="give", compact=True, variant="warning", disabled=True)
                yield give

    def _text(self) -> str:
        reason, secret = self.wanted.cluster.reason, self.wanted.secret
        why = f"{printable(reason.text)}\n\n" if reason else ""
        trouble = ", which cannot be read" if self.wanted.missing else ""
        return (
            f"{why}Configured is {printable(secret.reference)}{trouble}.\n\nThe engine holds what"
            " you give in memory until it ends, writes it nowhere, and connects with it by itself."
        )

    def on_mount(self) -> None:
        """Be ready to be typed into."""
        self.query_one("#secret").focus()

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        self.query_one("#give", Button).disabled = not event.value

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._give()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "give":
            self._give()
        else:
            self.dismiss(None)

    def _give(self) -> None:
        field = self.query_one("#secret", Input)
        value, field.value = field.value, ""
        if value:
            self.dismiss(SecretStr(value))
