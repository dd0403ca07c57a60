"""The settings of a file, and what was done with each: nothing is dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.importing.report import KeyReport, Outcome, Setting
from engine.printable import printable

_SECRET = re.compile(
    r"password|passwd|passphrase|secret|jaas|token(?!\.endpoint)|license|credential(?!s?\.source)"
    r"|(?:^|[._-])(?:pass|pw|pwd|auth)(?:[._-]|$)|keystore\.key\b|private\.?key(?!.*file)|user\.info|api\.?key|access\.?key",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(r"LoginModule|(password|secret)\s*=|PRIVATE KEY", re.IGNORECASE)
_IN_URL = re.compile(r"://[^/@\s]+@")
_ORDER = list(Outcome)
_LONGEST = 200
HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class _Finding:
    outcome: Outcome
    text: str
    into: str


class Ledger:
    """The settings by key; each is to be accounted for."""

    def __init__(self, settings: Iterable[Setting]) -> None:
        self._settings: dict[str, Setting] = {}
        self._overridden: list[tuple[Setting, Setting]] = []
        for setting in settings:
            before = self._settings.pop(setting.key, None)
            if before is not None:
                self._overridden.append((before, setting))
            self._settings[setting.key] = setting
        self._findings: dict[str, list[_Finding]] = {}
        self._lines: dict[str, int | None] = {key: s.line for key, s in self._settings.items()}

    def __contains__(self, key: str) -> bool:
        return key in self._settings

    def __iter__(self) -> Iterator[Setting]:
        return iter(self._settings.values())

    def get(self, *keys: str) -> Setting | None:
        """Return the first of these settings that is there."""
        return next((self._settings[key] for key in keys if key in self._settings), None)

    def open(self) -> Iterator[Setting]:
        """Yield the settings that nobody has accounted for yet."""
        for setting in list(self._settings.values()):
            if setting.key not in self._findings:
                yield setting

    def taken(self, setting: Setting, into: str, text: str = "") -> None:
        """It is in our configuration, or always so with us (then `into` is empty)."""
        self._found(setting.key, Outcome.TAKEN, text, into)

    def no_counterpart(self, setting: Setting, why: str) -> None:
        """There is nothing like it with us."""
        self._found(setting.key, Outcome.NO_COUNTERPART, why, "")

    def decide(self, key: str, question: str, into: str = "") -> None:
        """Somebody has to decide; also about what the file does not say."""
        self._found(key, Outcome.DECISION, question, into)

    def refuse(self, setting: Setting, why: str) -> None:
        """The value cannot be taken."""
        self._found(setting.key, Outcome.REFUSED, why, "")

    def note(self, key: str, text: str, into: str = "") -> None:
        """Tell something that no key of the file says: a default of the other tool."""
        self._found(key, Outcome.NOTE, text, into)

    def _found(self, key: str, outcome: Outcome, text: str, into: str) -> None:
        finding = _Finding(outcome, text, into)
        found = self._findings.setdefault(key, [])
        if finding not in found:
            found.append(finding)

    def reports(self) -> Iterator[KeyReport]:
        """Yield what became of each key, in the file's order, then what the file does not say."""
        rows = [_overridden(before, by) for before, by in self._overridden]
        rows += [self._report(setting.key, setting) for setting in self]
        yield from sorted(rows, key=lambda row: row.line or 0)
        for key in self._findings:
            if key not in self._settings:
                yield self._report(key, None)

    def _report(self, key: str, setting: Setting | None) -> KeyReport:
        found = self._findings[key]
        outcome = max((each.outcome for each in found), key=_ORDER.index)
        texts = dict.fromkeys(each.text for each in found if each.text)
        places = dict.fromkeys(each.into for each in found if each.into)
        return KeyReport(
            printable(key),
            outcome,
            printable("; ".join(texts)),
            ", ".join(places),
            shown(setting) if setting else "",
            setting.line if setting else None,
        )


def is_secret_key(key: str) -> bool:
    """Whether values of a key may be secret."""
    return _SECRET.search(key) is not None


def shown(setting: Setting) -> str:
    """Return what may be shown of a value."""
    if is_secret_key(setting.key) or _SECRET_VALUE.search(setting.value):
        return HIDDEN if setting.value else ""
    text = printable(_IN_URL.sub(f"://{HIDDEN}@", setting.value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _overridden(before: Setting, by: Setting) -> KeyReport:
    where = f" in line {by.line}" if by.line else ""
    text = f"it is there again{where}, and the last one counts"
    return KeyReport(
        printable(before.key), Outcome.NO_COUNTERPART, text, "", shown(before), before.line
    )
