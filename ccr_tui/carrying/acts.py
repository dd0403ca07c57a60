"""Copying and exporting, as the operator does it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ccr_tui.carrying import clipboard, command, files, rows
from ccr_tui.formats import plural
from ccr_tui.screens.dialogs.path import PathDialog
from ccr_tui.screens.dialogs.text import failure_dialog
from ccr_tui.settings.model import AUTO, ConsoleSettings
from engine.config.home import expanded
from engine.errors import CcrError

if TYPE_CHECKING:
    from ccr_tui.app import CcrApp
    from ccr_tui.screens.base import CcrScreen

ENDINGS = ("csv", "json")
_SHOWN = 40


class Carrier:
    """What the actions `copy`, `copy.row` and `export` do, on the screen in front."""

    def __init__(self, app: CcrApp, settings: ConsoleSettings) -> None:
        self._app = app
        self._to_terminal = settings.clipboard == AUTO
        self._command = settings.clipboard_command
        self.folder = expanded(settings.export_dir or ".")
        """Where files are proposed to be written."""

    def do_copy(self) -> None:
        """Copy what is under the cursor."""
        screen = self._app.top
        self.copy(screen.text_to_copy() if screen is not None else "")

    def do_copy_row(self) -> None:
        """Copy all that is known of what is under the cursor."""
        table = self._app.top.table_in_sight if self._app.top is not None else None
        carried = table.current_carried if table is not None else None
        self.copy(rows.as_json(carried) if carried is not None else "")

    def do_export(self) -> None:
        """Write the rows that are shown to a file."""
        screen = self._app.top
        if screen is None or screen.table_in_sight is None:
            self._app.notify("There is no table here to export.", severity="warning")
            return
        self._app.run_worker(self._export(screen), group="carrying")

    def copy(self, text: str) -> None:
        """Copy a text: by the command that is set, else to the terminal or into a file."""
        if not text.strip():
            self._app.notify("There is nothing under the cursor to copy.", severity="warning")
            return
        if self._command:
            self._app.run_worker(self._copy_by_command(text), group="carrying")
            return
        found = clipboard.sequences(text) if self._to_terminal else ()
        if not found:
            self._app.run_worker(self._copy_to_file(text), group="carrying")
            return
        for sequence in found:
            self._app.to_terminal(sequence)
        self._app.notify(f"Sent to the terminal (OSC 52): {self._begin(text)}", markup=False)

    def _begin(self, text: str) -> str:
        first = text.strip().splitlines()[0]
        cut = self._app.symbols.ellipsis if first != text.strip() or len(first) > _SHOWN else ""
        return f"{first[:_SHOWN]}{cut}"

    async def _copy_by_command(self, text: str) -> None:
        try:
            await asyncio.to_thread(command.feed, self._command, text)
        except CcrError as error:
            self._app.push_screen(failure_dialog("Copying", error))
        else:
            self._app.notify(f"Given to {self._command[0]}: {self._begin(text)}", markup=False)

    async def _copy_to_file(self, text: str) -> None:
        path = files.proposed(self.folder, "ccr-copy", "txt", _now())
        why = "Too large for the clipboard, so it was" if self._to_terminal else "The text was"
        await self._write(path, text, why)

    async def _export(self, screen: CcrScreen) -> None:
        table = screen.table_in_sight
        if table is None:
            return
        exported = table.exported()
        name = "-".join(word for word in (screen.crumb, table.id) if word)
        proposal = files.proposed(self.folder, name, ENDINGS[0], _now())
        what = plural(len(exported), "row")
        dialog = PathDialog(f"Export {what}", proposal, ENDINGS)
        path = await self._app.push_screen_wait(dialog)
        if path is None:
            return
        encode = rows.as_json if path.suffix.lower() == ".json" else rows.as_csv
        await self._write(path, await asyncio.to_thread(encode, exported), what)

    async def _write(self, path: Path, text: str, what: str) -> None:
        try:
            written = await asyncio.to_thread(files.write_new, path, text)
        except CcrError as error:
            self._app.push_screen(failure_dialog("Writing a file", error))
        else:
            self._app.notify(f"{what} written to {written}", markup=False, timeout=12)


def _now() -> datetime:
    return datetime.now().astimezone()
