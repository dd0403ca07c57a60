"""Where a new configuration and its secrets are written to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr
from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Button, Input, Static

from ccr_tui.screens.welcome.base import Host, WelcomeScreen
from ccr_tui.screens.welcome.choices import OpenConfig
from ccr_tui.screens.welcome.paths import PathField
from ccr_tui.widgets.facts import Fact, FactsView
from ccr_tui.widgets.form.controls import ChoiceControl, Edited
from ccr_tui.widgets.table.columns import Tone
from engine.config import loader, os_keyring
from engine.config.editing import file
from engine.config.editing.edits import Put
from engine.config.locations import usual_places
from engine.config.os_keyring import KeyringError
from engine.errors import CcrError
from engine.importing import keeping
from engine.importing.report import FoundSecret, Imported
from engine.importing.writing import yaml_text

_FOLDER = "secrets"
KEYRING, FILES, LATER = "keyring", "files", "not now"
_WAYS = {
    KEYRING: "The keyring of this user: unlocked with your session.",
    FILES: "A file each, readable for you alone, in the folder secrets beside the configuration.",
    LATER: "Nowhere now: `ccr secrets set` puts them into the keyring, or name another place.",
}


class SaveScreen(WelcomeScreen):
    """Asks for the file, and what to do with secrets; then writes and opens."""

    TITLE_TEXT = "write the configuration"
    KEYS = (("welcome.next", "Write and open"), ("tab", "Next"), ("welcome.back", "Back"))

    def __init__(self, host: Host, secrets: Sequence[FoundSecret]) -> None:
        super().__init__(host)
        self.secrets = tuple(secrets)
        self.field = PathField("Configuration to be written", str(usual_places()[-1]))
        self.ways = ChoiceControl((KEYRING, FILES, LATER), KEYRING)
        self._about = FactsView()
        self._problem = FactsView()

    def compose_body(self) -> ComposeResult:
        """File, secrets, button, problems."""
        with VerticalScroll(can_focus=False, id="saving"):
            here = "A file there, or ccr.yaml in the folder where you start it, is found by itself."
            yield Static(here, markup=False, id="why")
            yield self.field
            if self.secrets:
                count = len(self.secrets)
                where = f"{count} secret{'s' if count > 1 else ''} to be kept in"
                yield Static(where, markup=False, id="secrets-label")
                yield self.ways
                yield self._about
            yield self._problem
            yield Button("Write and open", id="write", compact=True, variant="primary")

    def begin(self) -> None:
        """Begin with the file."""
        self.field.input.focus()
        self._about.show(_about(self.secrets, self.way))
        if self.secrets:
            self.run_worker(self._look_for_keyring(), group="keyring")

    @property
    def way(self) -> str:
        """Where the secrets go."""
        return (self.ways.text or KEYRING) if self.secrets else LATER

    async def _look_for_keyring(self) -> None:
        """Propose files where there is no keyring, as on most servers."""
        try:
            name = await os_keyring.backend_name(operation="looking at the keyring")
        except KeyringError:
            name = None
        if name is None and not self.ways.text:
            self.ways.text = FILES

    @on(Edited)
    def _other_way(self, event: Edited) -> None:
        event.stop()
        self._problem.show(())
        self._about.show(_about(self.secrets, self.way))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    @on(Button.Pressed)
    def _pressed(self) -> None:
        self.do_next()

    def do_next(self) -> None:
        """Write, then open the console."""
        if not self.field.text:
            self.field.show_problem("Type where it is to be written.")
            return
        self._problem.show(())
        self.run_worker(self._write(), group="write", exclusive=True)

    async def _write(self) -> None:
        path = self.field.path
        try:
            await self._write_to(path, self.way)
        except KeyringError as error:
            self._tell(error, "Choose files or not now above, or repair the keyring.")
        except CcrError as error:
            self._tell(error, "")
        else:
            self.host.go_on(OpenConfig(path))

    async def _write_to(self, path: Path, way: str) -> None:
        folder = path.parent / _FOLDER
        sets = keeping.file_references(self.secrets, folder) if way == FILES else []
        text = self.text(sets)
        await asyncio.to_thread(loader.check, text, path)
        if await asyncio.to_thread(path.exists):
            step = "Name another file, or go back and open that one"
            raise CcrError("writing", str(path), "it is there already, and stays as it is", step)
        if way == KEYRING:
            await keeping.into_keyring(self.secrets)
        elif way == FILES:
            await asyncio.to_thread(keeping.into_files, self.secrets, folder, overwrite=False)
        await asyncio.to_thread(file.create, path, text)

    def text(self, sets: Sequence[Put]) -> str:
        """Return the configuration with other references put in."""
        raise NotImplementedError

    def _tell(self, error: CcrError, also: str) -> None:
        facts: list[Fact] = [[("", Tone.PLAIN)], [(str(error), Tone.BAD)]]
        if also:
            facts.append([(also, Tone.STRONG)])
        self._problem.show(facts)


class SaveImported(SaveScreen):
    """Of an imported file."""

    def __init__(self, host: Host, imported: Imported) -> None:
        super().__init__(host, imported.secrets)
        self._imported = imported

    def text(self, sets: Sequence[Put]) -> str:
        """Return the imported configuration."""
        return yaml_text(self._imported, sets)


def found_secret(path: tuple[str, ...], reference: str, value: SecretStr) -> FoundSecret:
    """Return a secret that was typed, as one to be kept."""
    return FoundSecret(".".join(path), path, reference, value)


def _about(secrets: Sequence[FoundSecret], way: str) -> list[Fact]:
    facts: list[Fact] = [[(_WAYS[way], Tone.DIM)]]
    for secret in secrets:
        file_name = keeping.file_of(secret, Path(_FOLDER)).name
        where = f"file:{_FOLDER}/{file_name}" if way == FILES else secret.reference
        facts.append([(f"{'.'.join(secret.path)}  ", Tone.PLAIN), (where, Tone.STRONG)])
    return facts
