"""What a user may set for the console, wherever it is opened."""

from __future__ import annotations

import shlex

from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator

AUTO = "auto"
"""A copied text goes to the terminal, which puts it on its clipboard; to a file if too large."""
OFF = "off"
"""It goes to a file."""
_COMMAND = "command "


class ConsoleSettings(BaseModel):
    """The file's keys. What is not set is as it is without a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: dict[str, list[str]] = Field(default_factory=dict)
    """By an action's id, instead of the keys that it has."""
    theme: str | None = Field(default=None, min_length=1)
    mouse: StrictBool = True
    clipboard: str = AUTO
    """`AUTO`, `OFF`, or `command` with a program and its arguments, which gets the text."""
    export_dir: str | None = Field(default=None, min_length=1)
    """Where exported files are proposed to be written."""
    read_only: StrictBool = False
    breadcrumbs: StrictBool = True
    """Whether a wide header says by which places one came."""

    @field_validator("clipboard")
    @classmethod
    def _known(cls, clipboard: str) -> str:
        known = clipboard in (AUTO, OFF) or bool(_words(clipboard))
        if not known:
            raise ValueError("must be auto, off, or command with a program: command wl-copy")
        return clipboard

    @property
    def clipboard_command(self) -> tuple[str, ...]:
        """The program that gets what is copied, with its arguments; empty when none does."""
        return _words(self.clipboard)


def _words(clipboard: str) -> tuple[str, ...]:
    if not clipboard.startswith(_COMMAND):
        return ()
    try:
        return tuple(shlex.split(clipboard.removeprefix(_COMMAND)))
    except ValueError:  # a quotation mark without its other one
        return ()
