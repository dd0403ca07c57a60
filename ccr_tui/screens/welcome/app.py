"""The welcome as an application of its own: there is no engine before there is a configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.screen import Screen

from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.welcome.actions import ANYWHERE
from ccr_tui.screens.welcome.choices import Chosen
from ccr_tui.screens.welcome.start import StartScreen
from ccr_tui.settings.loader import Settings
from ccr_tui.symbols import Symbols, for_locale
from ccr_tui.themes import theme_folders
from ccr_tui.theming import Theming
from ccr_tui.typed_ahead import TypedAheadApp

TWICE_WITHIN = 3.0
"""Seconds in which ctrl+c must be pressed again."""
_STYLES = Path(__file__).parents[2] / "styles"
_HERE = Path(__file__).parent


class WelcomeApp(TypedAheadApp[Chosen | None], inherit_bindings=False):
    """Ends with what was chosen, None when the operator would rather not."""

    TITLE = "ccr"
    CSS_PATH = [  # noqa: RUF012 - Textual's
        _STYLES / "console.tcss",
        _HERE.parent / "editing" / "editing.tcss",
        _HERE / "welcome.tcss",
    ]
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = set()
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", show=False),
        Binding("shift+tab", "app.focus_previous", show=False),
        *REGISTRY.bindings(ANYWHERE),
    ]
    ENABLE_COMMAND_PALETTE = False
    NOTIFICATION_TIMEOUT = 6.0

    def __init__(
        self,
        why: str,
        *,
        read_only: bool = False,
        theme: str | None = None,
        folders: Sequence[Path] | None = None,
        symbols: Symbols | None = None,
        settings: Settings | None = None,
    ) -> None:
        """`why` says, in a sentence, why there is no console yet."""
        settings = settings or Settings()
        REGISTRY.use_keys(settings.keys)
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        REGISTRY.rebind(self)
        self.animation_level = "none"
        self.symbols = symbols or for_locale()
        self.read_only = read_only
        self._why = why
        self._asked_at = float("-inf")
        self.crash: Exception | None = None
        """The fault that ended it, for the caller to tell."""
        told = tuple(str(problem) for problem in settings.problems)
        theming = Theming(self, theme_folders() if folders is None else folders)
        self._problems = told + theming.begin(theme or settings.values.theme)

    def get_default_screen(self) -> Screen[None]:
        """Begin with the ways on."""
        return StartScreen(self, self._why)

    def on_mount(self) -> None:
        """Say what is wrong with settings and themes."""
        self.set_class(self.symbols.ascii_only, "-ascii")
        for problem in self._problems:
            self.notify(problem, severity="warning", markup=False)

    def _handle_exception(self, error: Exception) -> None:
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        # Textual's own prints the values of variables, and secrets are typed in here.
        self._close_messages_no_wait()

    def go_on(self, chosen: Chosen) -> None:
        """End with what was chosen."""
        self.exit(chosen)

    def action_act(self, action_id: str) -> None:
        """Perform the one action that works everywhere."""
        getattr(self, f"do_{REGISTRY[action_id].method}")()

    def do_leave(self) -> None:
        """Leave ccr; where something was begun, at the second time within three seconds."""
        now = time.monotonic()
        if len(self.screen_stack) == 1 or now - self._asked_at <= TWICE_WITHIN:
            self.exit(None)
            return
        self._asked_at = now
        self.notify("Press it again to leave ccr.", severity="warning", timeout=TWICE_WITHIN)
