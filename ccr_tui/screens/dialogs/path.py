"""Asks where to write a file."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from ccr_tui.screens.dialogs.base import ButtonsDialog


class PathDialog(ButtonsDialog[Path | None]):
    """Returns a path that ends in one of the endings; None when the operator would rather not."""

    def __init__(self, title: str, proposal: Path, endings: tuple[str, ...]) -> None:
        super().__init__()
        self.heading = title
        self.proposal = proposal
        self.endings = endings

    def compose(self) -> ComposeResult:
        """Title, input, what the endings mean, buttons."""
        known = " or ".join(f".{ending}" for ending in self.endings)
        with Vertical(classes="dialog -wide"):
            yield Static(self.heading, markup=False, classes="dialog-title")
            yield Static(f"File, ending in {known}:", markup=False, classes="dialog-ask")
            path = Input(str(self.proposal), id="path", compact=True)
            path.cursor_blink = False
            yield path
            yield Static("", markup=False, id="problem", classes="dialog-hint")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Write", id="write", compact=True, variant="primary")

    def on_mount(self) -> None:
        """Be ready to be typed into."""
        self.query_one("#path").focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._write()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "write":
            self._write()
        else:
            self.dismiss(None)

    def _write(self) -> None:
        typed = self.query_one("#path", Input).value.strip()
        if typed.rpartition(".")[2].lower() not in self.endings:
            known = " or ".join(f".{ending}" for ending in self.endings)
            self.query_one("#problem", Static).update(f"The name must end in {known}.")
            return
        self.dismiss(Path(typed).expanduser())
