"""The configuration's namespace of the scripted engine: a text, edited and checked as files are."""

from __future__ import annotations

import asyncio
import difflib
import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from engine.api.config_snapshots import (
    Applied,
    ConfigDocument,
    ConfigProblem,
    Effect,
    EffectKind,
    Proposal,
    Subject,
)
from engine.api.snapshots import CommandResult
from engine.config import loader
from engine.config.editing.editor import edited, values_of
from engine.config.editing.edits import Edit
from engine.config.flow_section import FlowConfig
from engine.config.problems import InvalidConfigError
from engine.errors import CcrError, RefusedError

FILE = "/etc/ccr/orders.yaml"
TEXT = """\
version: 1
clusters:
  # the brokers that everybody writes to
  primary:
    bootstrap_servers: [primary:9092]
    environment: development
  dr: {bootstrap_servers: [dr:9092]}
flows:
  primary-to-dr:
    source: primary
    target: dr
    topics:
      include: ['orders\\..*', payments]  # ask Ana before adding
      exclude: ['.*\\.tmp']
    limits: {bytes_per_second: 50MiB}
  dr-to-primary: {source: dr, target: primary}
"""


class ScriptedConfig:
    """Answers from `text`; remembers what was saved and stored."""

    def __init__(self, text: str = TEXT) -> None:
        self.text = text
        self.why_read_only = ""
        self.error: CcrError | None = None
        self.store_error: CcrError | None = None
        self.stored: list[tuple[str, SecretStr]] = []
        self.saves = 0
        self.proposals = 0

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def flow(self, name: str) -> FlowConfig:
        return loader.check(self.text, Path(FILE)).config.flows[name]

    async def _asked(self) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error

    async def document(self) -> ConfigDocument:
        await self._asked()
        return ConfigDocument(FILE, self.digest, values_of(self.text, FILE), self.why_read_only)

    async def propose(self, edits: Sequence[Edit]) -> Proposal:
        await self._asked()
        self.proposals += 1
        after = edited(self.text, edits, FILE)
        lines = difflib.unified_diff(
            self.text.splitlines(), after.splitlines(), "before", "after", lineterm="", n=1
        )
        problems: tuple[ConfigProblem, ...] = ()
        try:
            loader.check(after, Path(FILE))
        except InvalidConfigError as error:
            problems = tuple(
                ConfigProblem(each.text, each.path, each.line, each.column, each.next_step)
                for each in error.problems
            )
        effects = () if problems else self._effects(after)
        return Proposal(self.digest, "\n".join(lines), problems, (), effects)

    def _effects(self, after: str) -> tuple[Effect, ...]:
        now, then = (values_of(text, FILE) for text in (self.text, after))
        found = []
        for section, subject in (("clusters", Subject.CLUSTER), ("flows", Subject.FLOW)):
            mine, theirs = now.get(section, {}), then.get(section, {})
            for name in {**mine, **theirs}:
                kind = EffectKind.NOTHING
                if name not in mine:
                    kind = EffectKind.START
                elif name not in theirs:
                    kind = EffectKind.STOP
                elif mine[name] != theirs[name]:
                    kind = EffectKind.RESTART
                found.append(Effect(subject, name, kind))
        return tuple(found)

    async def save(self, edits: Sequence[Edit], digest: str) -> Applied:
        proposal = await self.propose(edits)
        if digest != self.digest:
            raise RefusedError("saving", FILE, "the file was changed meanwhile", "Look at it again")
        self.text = edited(self.text, edits, FILE)
        self.saves += 1
        return Applied(self.digest, True, "saved and applied", proposal.effects)

    async def reload(self, *, dry_run: bool = False) -> Applied:
        await self._asked()
        return Applied(self.digest, False, "nothing to apply", dry_run=dry_run)

    async def store_secret(self, reference: str, value: SecretStr) -> CommandResult:
        await self._asked()
        if self.store_error is not None:
            raise self.store_error
        self.stored.append((reference, value))
        return CommandResult(True, f"{reference} is stored")
