"""Which theme the console wears: chosen at the start, by the operator, and when a file changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual.app import App
from textual.message import Message

from ccr_tui.themes import DEFAULT, SIXTEEN, Themes, load_themes

LOOK_EVERY = 2.0
"""Seconds between two looks at the theme folders."""

_Seen = frozenset[tuple[Path, int, int]]


class ThemesChanged(Message, bubble=False):
    """A theme file was added, changed or removed."""

    def __init__(self, themes: Themes) -> None:
        super().__init__()
        self.themes = themes


class Theming:
    """The themes of some folders on an app."""

    def __init__(self, app: App[Any], folders: Sequence[Path]) -> None:
        self._app = app
        self._folders = tuple(folders)
        self._ours: set[str] = set()
        self._told: tuple[str, ...] = ()
        self._seen: _Seen = frozenset()

    @property
    def names(self) -> list[str]:
        """What there is to choose from."""
        return sorted(self._ours)

    def begin(self, wanted: str | None) -> tuple[str, ...]:
        """Put the wanted theme on, or the one that fits the terminal; return what is wrong."""
        self._seen = self._look()  # before reading: what is changed meanwhile is read again
        problems = self._take_in(load_themes(self._folders))
        few_colours = self._app.no_color or self._app.console.color_system in (None, "standard")
        choices = [SIXTEEN if few_colours else DEFAULT, self._app.theme]
        if wanted is not None:
            choices.insert(0, wanted)
        self._app.theme = next(name for name in choices if name in self._app.available_themes)
        if self._app.theme == choices[0]:
            return problems
        return (*problems, f"There is no theme named {choices[0]}; this is {self._app.theme}.")

    async def watch(self) -> None:
        """Post `ThemesChanged` when files change, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = await asyncio.to_thread(self._look)
            if now != self._seen:
                self._seen = now
                themes = await asyncio.to_thread(load_themes, self._folders)
                self._app.post_message(ThemesChanged(themes))

    def changed(self, themes: Themes) -> tuple[str, ...]:
        """Wear what the files say now; return what is newly wrong with them."""
        known = self._told
        problems = self._take_in(themes)
        if self._app.theme not in self._app.available_themes:
            self._app.theme = DEFAULT
        self._app.mutate_reactive(App.theme)
        return tuple(problem for problem in problems if problem not in known)

    def _take_in(self, themes: Themes) -> tuple[str, ...]:
        for theme in themes.by_name.values():
            self._app.register_theme(theme)
        for gone in self._ours - themes.by_name.keys():
            self._app.unregister_theme(gone)
        self._ours = set(themes.by_name)
        self._told = themes.problems
        return themes.problems

    def _look(self) -> _Seen:
        found: set[tuple[Path, int, int]] = set()
        for folder in self._folders:
            for path in folder.glob("*.yaml"):
                try:
                    stat = path.stat()
                except OSError:  # removed meanwhile
                    continue
                found.add((path, stat.st_mtime_ns, stat.st_size))
        return frozenset(found)
