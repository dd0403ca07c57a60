"""The configuration file of a running engine: compared with what it runs, and applied."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.api.config_snapshots import Applied, Effect, EffectKind
from engine.api.snapshots import Severity
from engine.config import loader
from engine.config.editing import file
from engine.config.editing.file import FileText
from engine.config.loader import Loaded
from engine.config.model import Config
from engine.engine import Engine
from engine.reload.applying import apply
from engine.reload.plan import plan
from engine.reload.problems import as_shown

SUBJECT = "configuration"


@dataclass(frozen=True, slots=True)
class Read:
    """The file as it was read, and what is in it."""

    file: FileText
    loaded: Loaded


class Reloader:
    """Applies to one engine, one change after another."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._one_at_a_time = asyncio.Lock()

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self._engine.config_path)

    def effects(self, after: Config) -> tuple[Effect, ...]:
        """Return what applying another configuration does to each cluster and flow."""
        engine = self._engine
        changes = engine.would_be_read_only(after) != engine.read_only
        return plan(engine.config, after, read_only_changes=changes)

    async def reload(self, *, dry_run: bool = False) -> Applied:
        """Apply what the file says now; raises ConfigError, and then changes nothing."""
        async with self._one_at_a_time:
            read = await asyncio.to_thread(_read, self.path)
            return await self._apply(read, dry_run=dry_run)

    async def replace(self, before: FileText, text: str) -> Applied:
        """Write the file and apply it; raises RefusedError and ConfigError, changing nothing."""
        async with self._one_at_a_time:
            loaded = await asyncio.to_thread(loader.check, text, before.path, before.mode)
            written = await asyncio.to_thread(file.write, before, text)
            return await self._apply(Read(written, loaded))

    async def _apply(self, read: Read, *, dry_run: bool = False) -> Applied:
        effects = self.effects(read.loaded.config)
        changed = any(each.kind is not EffectKind.NOTHING for each in effects)
        warnings = as_shown(read.loaded.warnings)
        text = sentence(effects)
        if dry_run:
            text = f"nothing was applied; it would be: {text}" if changed else text
            return Applied(read.file.digest, changed, text, effects, warnings, dry_run=True)
        notes = await apply(self._engine, read.loaded.config, effects)
        if changed:
            self._engine.events.emit(Severity.INFO, SUBJECT, f"applied: {text}")
        for each in notes:
            self._engine.events.emit(Severity.WARNING, SUBJECT, each)
        return Applied(read.file.digest, changed, text, effects, warnings, notes)


def _read(path: Path) -> Read:
    found = file.read(path)
    return Read(found, loader.check(found.text, found.path, found.mode))


_VERBS = {
    EffectKind.START: "new",
    EffectKind.RESTART: "restarted",
    EffectKind.CHANGE: "changed in place",
    EffectKind.STOP: "removed",
}


def sentence(effects: Iterable[Effect]) -> str:
    """Say in a sentence what effects are."""
    told = [
        f"{each.subject} {each.name} {_VERBS[each.kind]}"
        for each in effects
        if each.kind is not EffectKind.NOTHING
    ]
    return "; ".join(told) or "no cluster and no flow changes"
