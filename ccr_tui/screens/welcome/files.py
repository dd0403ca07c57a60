"""Screens that ask for a file: one to import, or a configuration that is there."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from ccr_tui.screens.welcome.base import Host, WelcomeScreen
from ccr_tui.screens.welcome.choices import OpenConfig
from ccr_tui.screens.welcome.paths import PathField
from ccr_tui.screens.welcome.report import ReportScreen
from engine.config import loader
from engine.errors import CcrError
from engine.importing.importer import import_file


class FileScreen(WelcomeScreen):
    """Asks for a path, and says what is wrong with what is there."""

    KEYS = (("tab", "Complete"), ("enter", "Go on"), ("welcome.back", "Back"))
    LABEL: ClassVar[str]
    NOTE: ClassVar[str]

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.field = PathField(self.LABEL)

    def compose_body(self) -> ComposeResult:
        """What is asked for, and the line for it."""
        yield Static(self.NOTE, markup=False, id="why")
        yield self.field

    def begin(self) -> None:
        """Be ready to be typed into."""
        self.field.input.focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not self.field.text:
            self.field.show_problem("Type the path of a file; Tab completes it.")
            return
        self.run_worker(self._take(), group="take", exclusive=True)

    async def _take(self) -> None:
        try:
            await self.take()
        except CcrError as error:
            self.field.show_problem(str(error))

    async def take(self) -> None:
        """Go on with the file; raises CcrError for one that is not right."""
        raise NotImplementedError


class OpenScreen(FileScreen):
    """A configuration that is there."""

    TITLE_TEXT = "open a configuration"
    LABEL = "Configuration (YAML)"
    NOTE = "Where is it? It is checked before the console opens on it."

    async def take(self) -> None:
        """Check it, then open the console on it."""
        path = self.field.path
        await asyncio.to_thread(loader.read, path)
        self.host.go_on(OpenConfig(path))


class ImportScreen(FileScreen):
    """A file of MirrorMaker 2 or Replicator."""

    TITLE_TEXT = "import"
    LABEL = "File to import"
    NOTE = (
        "Where is the mm2.properties, the replicator.properties, or the JSON of a"
        " MirrorSourceConnector or ReplicatorSourceConnector? It is only read."
    )

    async def take(self) -> None:
        """Read it, then show what became of every key."""
        imported = await asyncio.to_thread(import_file, self.field.path)
        self.app.push_screen(ReportScreen(self.host, imported))
