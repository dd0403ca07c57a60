"""ConfigApi on an engine in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from engine.api.config_snapshots import (
    Applied,
    ConfigDocument,
    ConfigProblem,
    EffectKind,
    Proposal,
)
from engine.api.snapshots import CommandResult, EngineMode, Severity
from engine.config import loader, os_keyring
from engine.config.editing import editor, file, showing
from engine.config.editing.edits import Edit
from engine.config.editing.file import FileText
from engine.config.os_keyring import Entry
from engine.config.problems import InvalidConfigError, KeyPath, Problem, dotted
from engine.config.secrets import FORMS
from engine.engine import Engine
from engine.errors import RefusedError
from engine.reload.problems import as_shown
from engine.reload.reloader import Reloader

_PLAIN = "is plain text, and ccr writes no secret into a file"
_PLAIN_STEP = f"Give a reference ({FORMS}); a keyring's entry can be made here"
_BROKEN = "there are mistakes in the file that only an editor can mend"


class LocalConfigApi:
    """See engine.api.config_protocol."""

    def __init__(self, engine: Engine, reloader: Reloader) -> None:
        self._engine = engine
        self._reloader = reloader

    async def document(self) -> ConfigDocument:
        """Return the file as it is written now."""
        now = await asyncio.to_thread(file.read, self._reloader.path)
        why, what_to_do = self._why_read_only()
        unwritable = await asyncio.to_thread(file.why_not_writable, now.path)
        if not why and unwritable:
            why, what_to_do = unwritable, "Change the file by hand, then reload"
        try:
            values = await asyncio.to_thread(editor.values_of, now.text, str(now.path))
        except InvalidConfigError as error:
            step = f"Mend it, then reload: {error.problems[0]}"
            problems = as_shown(error.problems)
            return ConfigDocument(
                str(now.path), now.digest, {}, _BROKEN, step, is_applied=False, problems=problems
            )
        is_applied, problems = await self._against_what_runs(now)
        return ConfigDocument(
            str(now.path),
            now.digest,
            showing.without_secrets(values),
            why,
            what_to_do,
            is_applied,
            problems,
        )

    async def _against_what_runs(self, now: FileText) -> tuple[bool, tuple[ConfigProblem, ...]]:
        try:
            loaded = await asyncio.to_thread(loader.check, now.text, now.path, now.mode)
        except InvalidConfigError as error:
            return False, as_shown(error.problems)
        effects = self._reloader.effects(loaded.config)
        return all(each.kind is EffectKind.NOTHING for each in effects), ()

    async def propose(self, edits: Sequence[Edit]) -> Proposal:
        """Try edits on the file."""
        now = await asyncio.to_thread(file.read, self._reloader.path)
        return await self._proposal(now, edits)

    async def _proposal(self, now: FileText, edits: Sequence[Edit]) -> Proposal:
        text = await asyncio.to_thread(editor.edited, now.text, edits, str(now.path))
        diff = await asyncio.to_thread(showing.difference, now.text, text, now.path.name)
        problems = await asyncio.to_thread(_plain_secrets, now, text)
        try:
            loaded = await asyncio.to_thread(loader.check, text, now.path, now.mode)
        except InvalidConfigError as error:
            told = {each.path for each in problems}
            problems += [each for each in error.problems if each.path not in told]
        if problems:
            return Proposal(now.digest, diff, as_shown(problems))
        warnings = as_shown(loaded.warnings)
        return Proposal(now.digest, diff, (), warnings, self._reloader.effects(loaded.config))

    async def save(self, edits: Sequence[Edit], digest: str) -> Applied:
        """Write the file with these edits, and apply it."""
        self._check_may_change("saving")
        now = await asyncio.to_thread(file.read, self._reloader.path)
        if now.digest != digest:
            raise file.changed_meanwhile(now.path)
        text = await asyncio.to_thread(editor.edited, now.text, edits, str(now.path))
        problems = await asyncio.to_thread(_plain_secrets, now, text)
        if problems:
            raise InvalidConfigError(str(now.path), problems)
        return await self._reloader.replace(now, text)

    async def reload(self, *, dry_run: bool = False) -> Applied:
        """Apply what the file says now."""
        if not dry_run:
            self._check_may_change("reloading")
        return await self._reloader.reload(dry_run=dry_run)

    async def store_secret(self, reference: str, value: SecretStr) -> CommandResult:
        """Put a secret into the keyring of the engine's user."""
        self._check_may_change("storing a secret for")
        entry = _entry(reference)
        if not value.get_secret_value():
            raise RefusedError("storing", str(entry), "the secret is empty", "Type it")
        await os_keyring.store(entry, value, operation="storing the secret")
        used_by = self._engine.renew_secret(entry)
        text = f"{entry} is in the keyring"
        if used_by:
            text += f"; {', '.join(used_by)} tried again with it"
        self._engine.events.emit(Severity.INFO, "secrets", text)
        return CommandResult(True, text)

    def _check_may_change(self, operation: str) -> None:
        why, what_to_do = self._why_read_only()
        if why:
            raise RefusedError(operation, str(self._reloader.path), why, what_to_do)

    def _why_read_only(self) -> tuple[str, str]:
        """Say why the configuration may not be changed from here, and what to do; or nothing."""
        if self._engine.mode is EngineMode.ONE_SHOT:
            return "this engine only looks, once", "Start ccr --no-ui, or open the console"
        if self._engine.config.read_only:
            step = "Change the file in an editor, then start ccr again or send it SIGHUP"
            return "the configuration says read_only", step
        if self._engine.read_only:
            return "this engine is read-only", "Start it without --read-only"
        return "", ""


def _entry(reference: str) -> Entry:
    kind, _, _ = reference.partition(":")
    if kind != "keyring":
        cause = "only a keyring's entry can be made here"
        raise RefusedError("storing", "the secret", cause, "Name it as keyring:SERVICE/USER")
    try:
        return Entry.parse(reference)
    except ValueError as error:
        raise RefusedError("storing", "the secret", f"its name {error}") from None


def _plain_secrets(now: FileText, text: str) -> list[Problem]:
    """Tell of secrets in plain text that the file did not have before."""
    name = str(now.path)
    had = dict(showing.plain_secrets(editor.values_of(now.text, name)))
    has: list[tuple[KeyPath, Any]] = list(showing.plain_secrets(editor.values_of(text, name)))
    return [
        Problem(name, _PLAIN, key=dotted(path), next_step=_PLAIN_STEP, path=path)
        for path, secret in has
        if had.get(path) != secret
    ]
