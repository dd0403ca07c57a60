"""What became of every key of an imported file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import SecretStr


class Outcome(StrEnum):
    """What became of a key, the mildest first."""

    TAKEN = "taken"
    NOTE = "note"  # nothing that the file says, but worth knowing
    NO_COUNTERPART = "no counterpart"
    DECISION = "needs a decision"
    REFUSED = "refused"


class Kind(StrEnum):
    """What a file is for."""

    MIRROR_MAKER = "MirrorMaker 2"
    REPLICATOR = "Confluent Replicator"
    MIRROR_CONNECTOR = "MirrorSourceConnector"


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of a file with its value as it stands there; it may be secret."""

    key: str
    value: str = field(repr=False)
    line: int | None = None
    """From 1; None where a format has none."""


@dataclass(frozen=True, slots=True)
class KeyReport:
    """What became of one key. `value` is what may be shown of it: of a secret nothing."""

    key: str
    outcome: Outcome
    text: str
    into: str = ""
    """Where it went in our configuration; empty where it did not."""
    value: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """A secret that the file held itself."""

    key: str
    """Of the file."""
    path: tuple[str, ...]
    """Of our configuration, where the reference stands."""
    reference: str
    """`keyring:SERVICE/USER`."""
    value: SecretStr


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A flow that would not do what the file meant, so that somebody must decide first."""

    name: str
    data: dict[str, object]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """Our configuration, and how it came about."""

    kind: Kind
    name: str
    """Of the file."""
    data: dict[str, object]
    """The configuration; valid."""
    left_out: tuple[LeftOut, ...]
    keys: tuple[KeyReport, ...]
    """In the file's order; what it does not say comes last."""
    secrets: tuple[FoundSecret, ...]

    def count(self, outcome: Outcome) -> int:
        """Count the keys with an outcome."""
        return sum(each.outcome is outcome for each in self.keys)
