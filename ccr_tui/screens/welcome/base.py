"""What every screen of the welcome has: a title, a body, and the keys that work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

from ccr_tui.actions import key_name
from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.welcome.actions import WELCOME
from ccr_tui.screens.welcome.choices import Chosen
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.oneline import OneLine, Piece


class KeysLine(OneLine):
    """The keys that work now; where there is little room the way back stays."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key"}
    _keys: Sequence[tuple[str, str]] = ()

    def show_keys(self, keys: Sequence[tuple[str, str]]) -> None:
        """Show keys with what they do: those of actions by id, those of widgets as they are."""
        self._keys = [
            (f" {key_name(REGISTRY[name].keys[0] if name in REGISTRY else name)}", f" {label} ")
            for name, label in keys
        ]
        self._fit(self.size.width)

    def on_resize(self, event: events.Resize) -> None:
        """Show as many as there is room for now."""
        self._fit(event.size.width)

    def _fit(self, width: int) -> None:
        kept = list(self._keys)
        while len(kept) > 1 and sum(len(key) + len(label) for key, label in kept) > width:
            del kept[-2]
        pieces: list[Piece] = []
        for key, label in kept:
            pieces += [(key, "footer--key"), (label, "")]
        self.show(pieces)


class Host(Protocol):
    """What a screen of the welcome needs of its app."""

    symbols: Symbols
    read_only: bool

    def go_on(self, chosen: Chosen) -> None:
        """End the welcome, and go on there."""


class WelcomeScreen(Screen[None]):
    """A full screen; Esc goes back, never out."""

    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (14, "-low"), (22, "-high")]  # noqa: RUF012 - Textual's
    # Without priority: what is typed into a field is text first.
    BINDINGS = REGISTRY.bindings(WELCOME, priority=False)
    TITLE_TEXT: ClassVar[str]
    KEYS: ClassVar[Sequence[tuple[str, str]]] = (("welcome.back", "Back"),)

    def __init__(self, host: Host) -> None:
        super().__init__()
        REGISTRY.rebind(self)
        self.host = host
        self.top_line = OneLine(id="welcome-top")
        self.keys_line = KeysLine(id="welcome-keys")

    def compose(self) -> ComposeResult:
        """Title, body, keys."""
        yield self.top_line
        yield from self.compose_body()
        yield self.keys_line

    def compose_body(self) -> ComposeResult:
        """Give what is between title and keys."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Show title and keys, then begin."""
        self.top_line.show([(f" ccr {self.host.symbols.crumb} {self.title_text()}", "")])
        self.keys_line.show_keys(self.KEYS)
        self.begin()

    def title_text(self) -> str:
        """Return where one is."""
        return self.TITLE_TEXT

    def begin(self) -> None:
        """Begin; Textual calls every class's own `on_mount`, so this is overridden instead."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave keys for which there is nothing to do here to others."""
        if action != "act":
            return super().check_action(action, parameters)
        return hasattr(self, f"do_{REGISTRY[str(parameters[0])].method}")

    def action_act(self, action_id: str) -> None:
        """Perform an action of the registry."""
        action = REGISTRY[action_id]
        getattr(self, f"do_{action.method}")(*([action.argument] if action.argument else []))

    def do_back(self) -> None:
        """Go back to where one came from."""
        self.app.pop_screen()
