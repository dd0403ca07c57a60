"""The command palette over the action registry."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.widgets import Input

from ccr_tui.actions import TABLE, Action, key_name
from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.base import CcrScreen


class ActionPalette(CommandPalette):
    """Textual's palette without a blinking cursor, which would be traffic on a slow link."""

    def __init__(self) -> None:
        super().__init__(placeholder="Find an action", id="--command-palette")

    def on_mount(self) -> None:
        """Stop the blinking."""
        self.query_one(Input).cursor_blink = False


class ActionProvider(Provider):
    """Offers what can be done on the screen beneath; what cannot be done now says why."""

    async def discover(self) -> Hits:
        """List everything."""
        for action, help_text in self._offered():
            yield DiscoveryHit(action.title, self._perform(action), help=help_text)

    async def search(self, query: str) -> Hits:
        """List what matches, best first."""
        matcher = self.matcher(query)
        for action, help_text in self._offered():
            score = matcher.match(action.title)
            if score > 0:
                yield Hit(
                    score, matcher.highlight(action.title), self._perform(action), help=help_text
                )

    def _offered(self) -> Iterator[tuple[Action, str]]:
        screen = self.screen
        if not isinstance(screen, CcrScreen):
            return
        context = screen.context()
        for action in REGISTRY.in_scopes(scope for scope in screen.SCOPES if scope is not TABLE):
            if action.applies(context) and action.id != "palette":
                reason = action.why_disabled(context)
                keys = ", ".join(key_name(key) for key in action.keys)
                yield action, f"not now: {reason}" if reason else f"key {keys}" if keys else ""

    def _perform(self, action: Action) -> partial[None]:
        screen = self.screen
        if not isinstance(screen, CcrScreen):
            raise TypeError("the palette was opened over a screen without actions")
        return partial(screen.action_act, action.id)
