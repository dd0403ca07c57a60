"""A line for the path of a file: Tab completes it, and shows what there is to choose from."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from engine.config.home import expanded
from engine.printable import printable

_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Completion:
    """How a path can go on."""

    text: str
    """As far as there is only one way."""
    names: tuple[str, ...] = ()
    """What there is then, folders with a slash; empty when it is complete."""


def complete(text: str) -> Completion:
    """Complete a path as shells do; names that begin with a dot only when asked for."""
    folder, _, start = text.rpartition("/")
    shown = f"{folder}/" if "/" in text else ""
    names = sorted(_names(expanded(shown or "."), start))
    if not names:
        return Completion(text)
    common = os.path.commonprefix(names)  # noqa: RUF071  (of names, by character)
    return Completion(f"{shown}{common}", tuple(names) if len(names) > 1 else ())


def _names(folder: Path, start: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                hidden = entry.name.startswith(".") and not start.startswith(".")
                if entry.name.startswith(start) and not hidden and entry.name.isprintable():
                    yield f"{entry.name}/" if entry.is_dir() else entry.name
    except OSError:
        return  # no such folder, or none of ours: nothing to complete with


class PathInput(Input):
    """Tab completes; with nothing to complete it goes on to the next field."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", show=False)]

    async def action_complete(self) -> None:
        """Complete as far as there is only one way."""
        before = self.value
        found = await asyncio.to_thread(complete, before)
        if self.value != before:
            return  # typed on meanwhile
        if found.text == before and not found.names:
            self.screen.focus_next()
            return
        self.value = found.text
        self.cursor_position = len(found.text)
        field = self.parent
        if isinstance(field, PathField):
            field.show_names(found.names)


class PathField(Vertical):
    """The line, what it may become, and what is wrong with it."""

    def __init__(self, label: str, value: str = "", *, id: str = "path-field") -> None:
        super().__init__(id=id)
        self._label = label
        self.input = PathInput(value, compact=True, placeholder="Tab completes")
        self.input.cursor_blink = False
        self._below = Static("", markup=False, classes="path-below")

    def compose(self) -> ComposeResult:
        """Label, line, what is below."""
        yield Static(self._label, markup=False, classes="path-label")
        yield self.input
        yield self._below

    @property
    def path(self) -> Path:
        """The path that was typed."""
        return expanded(self.input.value.strip())

    @property
    def text(self) -> str:
        """What was typed."""
        return self.input.value.strip()

    def show_names(self, names: tuple[str, ...]) -> None:
        """Show what there is to choose from."""
        more = f"  and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        self._show("  ".join(names[:_SHOWN]) + more, bad=False)

    def show_problem(self, text: str) -> None:
        """Say what is wrong; an empty text takes it back."""
        self._show(printable(text), bad=True)

    def _show(self, text: str, *, bad: bool) -> None:
        self._below.update(text)
        self._below.set_class(bad and bool(text), "-bad")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show("", bad=False)
