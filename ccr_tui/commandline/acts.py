"""What the action `command` does: asks for a line, and performs what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ccr_tui.catalog import REGISTRY
from ccr_tui.commandline.history import History
from ccr_tui.commandline.line import CommandLine
from ccr_tui.commandline.words import Typed, Vocabulary
from ccr_tui.screens.everywhere import PLACES

if TYPE_CHECKING:
    from ccr_tui.app import CcrApp
    from ccr_tui.screens.base import CcrScreen


class Commander:
    """The `:` line of one app."""

    def __init__(self, app: CcrApp) -> None:
        self._app = app
        self.history = History()

    def do_command(self) -> None:
        """Ask for a command and perform it."""
        self._app.run_worker(self._ask(), group="command-line")

    async def _ask(self) -> None:
        screen = self._app.top
        if screen is None or isinstance(self._app.screen, CommandLine):
            return
        if not self.history.lines:
            await asyncio.to_thread(self.history.load)
        choices = {"FLOW": self._flows, "CLUSTER": self._clusters, "NAME": self._themes}
        vocabulary = Vocabulary(REGISTRY, screen.SCOPES, PLACES, choices)
        line = CommandLine(vocabulary, screen.context(), self.history.lines)
        typed = await self._app.push_screen_wait(line)
        if typed is not None:
            self.history.add(f"{typed.command.name} {typed.argument}".strip())
            self._perform(typed, screen)
            await asyncio.to_thread(self.history.save)

    def _perform(self, typed: Typed, screen: CcrScreen) -> None:
        action, argument = typed.command.action, typed.argument
        context = screen.context()
        if argument and action.id == "theme":
            self._app.theme = argument
        elif argument and action.id.startswith("go."):
            self._app.go(action.argument, argument)
        elif argument:
            flow = self._app.state.flow(argument)
            about = replace(context, flow=flow, partition=None, topic=None, event=None)
            self._app.perform(action, about, screen)
        else:
            self._app.perform(action, context, screen)

    def _flows(self) -> Sequence[str]:
        snapshot = self._app.state.snapshot
        return [flow.name for flow in snapshot.flows] if snapshot else []

    def _clusters(self) -> Sequence[str]:
        snapshot = self._app.state.snapshot
        return [cluster.name for cluster in snapshot.clusters] if snapshot else []

    def _themes(self) -> Sequence[str]:
        return self._app.theming.names
