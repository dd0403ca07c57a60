"""Keys typed ahead wait for the screen that the key before them opened.

Textual puts a new screen in front at once, but it is composed, mounted and given its focus in a
task of its own; a key that comes meanwhile finds nobody to take it.
"""

from __future__ import annotations

import asyncio
import contextlib

from textual import events
from textual.app import App, ReturnType
from textual.screen import Screen

PATIENCE = 2.0
"""Seconds; a screen that takes longer must not hold the keys up: one of them may be ctrl+c."""


class EntersLater:
    """A screen that gives no field the focus before it knows what to put into it."""

    entered: asyncio.Event
    """Set when one has it, or when none will."""


class TypedAheadApp(App[ReturnType], inherit_bindings=False):
    """Takes a key only when the screen in front can."""

    _came_up_last: Screen[object] | None = None

    async def on_event(self, event: events.Event) -> None:
        """Let a screen that was just opened come up before a key is read."""
        if isinstance(event, events.Key) and self.screen is not self._came_up_last:
            await self._comes_up(self.screen)
        await super().on_event(event)

    async def _comes_up(self, screen: Screen[object]) -> None:
        up = asyncio.Event()
        # Its queue has the first resumption, which gives the focus, before this.
        screen.call_later(up.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await up.wait()
                if isinstance(screen, EntersLater):
                    await screen.entered.wait()
        self._came_up_last = screen
