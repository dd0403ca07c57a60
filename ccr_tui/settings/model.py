"""What a user may set for the console, wherever it is opened."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, StrictBool


class Clipboard(StrEnum):
    """Where a copied text goes."""

    OSC52 = "osc52"  # to the terminal, which puts it on its clipboard
    OFF = "off"  # to a file


class ConsoleSettings(BaseModel):
    """The file's keys. What is not set is as it is without a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: dict[str, list[str]] = Field(default_factory=dict)
    """By an action's id, instead of the keys that it has."""
    theme: str | None = Field(default=None, min_length=1)
    mouse: StrictBool = True
    clipboard: Clipboard = Clipboard.OSC52
    export_dir: str | None = Field(default=None, min_length=1)
    """Where exported files are proposed to be written."""
    read_only: StrictBool = False
