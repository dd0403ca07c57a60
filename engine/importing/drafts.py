"""Our configuration while it is made: clusters, flows, and the secrets that were found."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from engine.config.fields import NAME
from engine.importing import java_regexes, values
from engine.importing.ledger import Ledger
from engine.importing.placeholders import secret_place
from engine.importing.report import FoundSecret, Setting

FILL_IN = "fill-in"
"""Stands where something is needed that the file does not say."""


@dataclass(slots=True)
class FlowDraft:
    """A flow, and what speaks against starting it as it is."""

    name: str
    source: str
    target: str
    section: dict[str, Any] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)

    def put(self, path: str, value: object) -> str:
        """Set a value; returns its place in the whole configuration."""
        *above, last = path.split(".")
        section = self.section
        for part in above:
            section = section.setdefault(part, {})
        section[last] = value
        return self.place(path)

    def place(self, path: str) -> str:
        """Return a path of the flow as one of the whole configuration."""
        return f"flows.{self.name}.{path}"

    def data(self) -> dict[str, Any]:
        """Return the flow's section."""
        return {"source": self.source, "target": self.target, **self.section}


class SecretBox:
    """Gives secrets their place in the keyring, and keeps them until they are stored."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.found: list[FoundSecret] = []

    def reference(self, setting: Setting, value: str, path: tuple[str, ...], user: str) -> str:
        """Return what our configuration says in place of a secret, and account for its key."""
        place = ".".join(path)
        elsewhere = secret_place(value)
        if elsewhere is not None and elsewhere.reference:
            self._ledger.taken(setting, place, f"as {elsewhere.reference}")
            return elsewhere.reference
        entry = f"ccr-{path[1]}/{user.replace('/', '-') or FILL_IN}"
        reference = f"keyring:{entry}"
        if elsewhere is not None:
            question = f"the secret {elsewhere.why_none}; run `ccr secrets set {entry}`, or write"
            self._ledger.decide(setting.key, f"{question} env:NAME or file:PATH", place)
        elif not value:
            self._ledger.decide(setting.key, f"it is empty; run `ccr secrets set {entry}`", place)
        else:
            self._ledger.taken(setting, place, f"as {reference}; the secret is not written")
            self.found.append(FoundSecret(setting.key, path, reference, SecretStr(value)))
        return reference


def valid_name(ledger: Ledger, key: str, name: str, otherwise: str) -> str:
    """Return a name that a cluster or flow of ours may have; says so when it is another one."""
    if re.fullmatch(NAME, name):
        return name
    changed = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:80] or otherwise
    text = f"the name {name!r} has characters that ccr does not take in names: may it be {changed}?"
    ledger.decide(key, text)
    return changed


def put_regexes(ledger: Ledger, flow: FlowDraft, setting: Setting, path: str) -> None:
    """Take a list of Java's regexes; one that cannot be taken keeps the flow from being made."""
    _put_patterns(ledger, flow, setting, path, values.listed(setting.value))


def put_names(ledger: Ledger, flow: FlowDraft, setting: Setting, path: str) -> None:
    """Take a list of names, to be matched to the letter."""
    patterns = [java_regexes.literal(name) for name in values.listed(setting.value)]
    add_patterns(ledger, flow, setting, path, patterns)


def _put_patterns(
    ledger: Ledger, flow: FlowDraft, setting: Setting, path: str, regexes: list[str]
) -> None:
    taken, notes = [], []
    for regex in regexes:
        found = java_regexes.rewritten(regex)
        if found.problem:
            ledger.refuse(setting, f"{regex}: {found.problem}")
            flow.blocked.append(f"{setting.key} has a regex that ccr cannot take: {regex}")
            continue
        taken.append(found.pattern)
        if found.pattern != regex:
            notes.append(f"Java's {regex} is {found.pattern} in Python")
    add_patterns(ledger, flow, setting, path, taken, "; ".join(notes))


def put_regex(ledger: Ledger, flow: FlowDraft, setting: Setting, path: str) -> None:
    """Take one regex, commas and all."""
    _put_patterns(ledger, flow, setting, path, [setting.value.strip()])


def add_patterns(
    ledger: Ledger,
    flow: FlowDraft,
    setting: Setting,
    path: str,
    patterns: list[str],
    note: str = "",
) -> None:
    """Add to a list of regexes of the flow."""
    *above, last = path.split(".")
    section = flow.section
    for part in above:
        section = section.get(part, {})
    there = section.get(last, [])
    flow.put(path, [*there, *(each for each in patterns if each not in there)])
    ledger.taken(setting, flow.place(path), note)
