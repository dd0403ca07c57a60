"""Going about: places on top of one another, back to what one came by, state kept when returning.

A screen that was left is kept as it was: cursor, filter, order. Screens with something half typed
are not; their places say so.
"""

from __future__ import annotations

from textual.app import App

from ccr_tui.places import Place
from ccr_tui.screens.base import CcrScreen, Console

KEPT = 8
"""Screens that are kept though nobody looks at them."""


class Navigator:
    """The places of one app."""

    def __init__(self, app: App[None], console: Console) -> None:
        self._app = app
        self._console = console
        self._kept: dict[str, CcrScreen] = {}  # the one that was gone to last comes last

    @property
    def way(self) -> list[CcrScreen]:
        """The screens one came by, the first one first."""
        return [screen for screen in self._app.screen_stack if isinstance(screen, CcrScreen)]

    def go(self, place: Place, subject: str | None) -> None:
        """Go to a place: back to it when one came by it, else on top of where one is."""
        kind = place.screen_class()
        for screen in self.way:
            if type(screen) is kind and screen.subject == subject:
                self._back_to(screen)
                return
        self._app.push_screen(self._screen(place, kind, subject))

    def _back_to(self, screen: CcrScreen) -> None:
        """Close what is above a screen, unless something would be lost by that."""
        above = self.way[self.way.index(screen) + 1 :]
        held = next((each for each in above if each.unsaved), None)
        if held is not None:
            said = f"{held.crumb}: not saved. Save it, or leave it with Esc first."
            self._app.notify(said, severity="warning", markup=False)
            return
        while self._app.screen is not screen:
            self._app.pop_screen()

    def _screen(self, place: Place, kind: type[CcrScreen], subject: str | None) -> CcrScreen:
        name = f"{place.id} {subject or ''}"
        screen = self._kept.pop(name, None)
        if screen is None:
            screen = kind(self._console, subject)
            screen.place = place
            screen.crumb = f"{place.title} {subject}" if subject else place.title
            if place.kept:
                self._app.install_screen(screen, name)
        if place.kept:
            self._kept[name] = screen
            self._let_go()
        return screen

    def _let_go(self) -> None:
        on_the_way = self.way
        for name in list(self._kept)[:-KEPT]:
            screen = self._kept[name]
            if screen not in on_the_way:
                del self._kept[name]
                self._app.uninstall_screen(screen)
                screen.remove()
